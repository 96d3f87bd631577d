-- +goose Up

ALTER TABLE keys ADD COLUMN scope TEXT NOT NULL DEFAULT ''; -- as JSON; '' is everything
ALTER TABLE keys ADD COLUMN before_mac BLOB; -- of the secret before it was rotated
ALTER TABLE keys ADD COLUMN overlap_ms INTEGER NOT NULL DEFAULT 0; -- until when that is good as well

CREATE TABLE key_uses (
	key     TEXT PRIMARY KEY,
	used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Raised by triggers, and not by who writes: nodes of the release before this one change keys too.
ALTER TABLE revision ADD COLUMN keys INTEGER NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE TRIGGER keys_made AFTER INSERT ON keys BEGIN UPDATE revision SET keys = keys + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER keys_changed AFTER UPDATE ON keys BEGIN UPDATE revision SET keys = keys + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER keys_gone AFTER DELETE ON keys BEGIN UPDATE revision SET keys = keys + 1; END;
-- +goose StatementEnd

-- +goose Down

DROP TRIGGER keys_gone;
DROP TRIGGER keys_changed;
DROP TRIGGER keys_made;
ALTER TABLE revision DROP COLUMN keys;
DROP TABLE key_uses;
ALTER TABLE keys DROP COLUMN overlap_ms;
ALTER TABLE keys DROP COLUMN before_mac;
ALTER TABLE keys DROP COLUMN scope;
