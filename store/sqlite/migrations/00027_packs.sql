-- +goose Up

-- The days of which there are sums. A day is packed where it was packed as often as it was added to.
CREATE TABLE rollup_days (
	day    INTEGER PRIMARY KEY, -- its first hour, since 1970, UTC
	added  INTEGER NOT NULL, -- how often it was added to
	packed INTEGER NOT NULL -- how often it had been when it was packed
) STRICT;

-- The sums of a day by the hour, column by column: see store.Pack.
CREATE TABLE packs (
	day  INTEGER NOT NULL,
	col  TEXT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (day, col)
) STRICT;

-- Whoever adds to a day says so in rollup_open. Triggers pass it on, so that the release before this one does so too.
-- +goose StatementBegin
CREATE TRIGGER rollup_open_made AFTER INSERT ON rollup_open WHEN NEW.span = 1 BEGIN
	INSERT INTO rollup_days (day, added, packed) VALUES (NEW.slot, 1, 0) ON CONFLICT (day) DO UPDATE SET added = added + 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rollup_open_again AFTER UPDATE ON rollup_open WHEN NEW.span = 1 BEGIN
	INSERT INTO rollup_days (day, added, packed) VALUES (NEW.slot, 1, 0) ON CONFLICT (day) DO UPDATE SET added = added + 1;
END;
-- +goose StatementEnd

INSERT INTO rollup_days (day, added, packed) SELECT DISTINCT slot - slot % 24, 1, 0 FROM rollups WHERE grain = 1;

-- +goose Down

DROP TRIGGER rollup_open_again;
DROP TRIGGER rollup_open_made;
DROP TABLE packs;
DROP TABLE rollup_days;
