-- +goose Up

ALTER TABLE keys ADD COLUMN scope TEXT NOT NULL DEFAULT ''; -- as JSON; '' is everything
ALTER TABLE keys ADD COLUMN before_mac BYTEA; -- of the secret before it was rotated
ALTER TABLE keys ADD COLUMN overlap_ms BIGINT NOT NULL DEFAULT 0; -- until when that is good as well

CREATE TABLE key_uses (
	key     TEXT PRIMARY KEY,
	used_ms BIGINT NOT NULL
);

-- Raised by a trigger, and not by who writes: nodes of the release before this one change keys too.
ALTER TABLE revision ADD COLUMN keys BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE FUNCTION raise_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE revision SET keys = keys + 1;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE ON keys FOR EACH STATEMENT EXECUTE FUNCTION raise_keys();

-- +goose Down

DROP TRIGGER keys_changed ON keys;
DROP FUNCTION raise_keys;
ALTER TABLE revision DROP COLUMN keys;
DROP TABLE key_uses;
ALTER TABLE keys DROP COLUMN overlap_ms;
ALTER TABLE keys DROP COLUMN before_mac;
ALTER TABLE keys DROP COLUMN scope;
