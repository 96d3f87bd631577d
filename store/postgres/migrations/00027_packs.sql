-- +goose Up

-- The days of which there are sums. A day is packed where it was packed as often as it was added to.
CREATE TABLE rollup_days (
	day    BIGINT PRIMARY KEY, -- its first hour, since 1970, UTC
	added  BIGINT NOT NULL, -- how often it was added to
	packed BIGINT NOT NULL -- how often it had been when it was packed
);

-- The sums of a day by the hour, column by column: see store.Pack. They are small as they are.
CREATE TABLE packs (
	day  BIGINT NOT NULL,
	col  TEXT COLLATE "C" NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (day, col)
);
ALTER TABLE packs ALTER COLUMN body SET STORAGE EXTERNAL;

-- Whoever adds to a day says so in rollup_open. A trigger passes it on, so that the release before this one does so too.
-- +goose StatementBegin
CREATE FUNCTION rollup_open_noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO rollup_days AS d (day, added, packed) VALUES (NEW.slot, 1, 0) ON CONFLICT (day) DO UPDATE SET added = d.added + 1;
	RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER rollup_open_noted AFTER INSERT OR UPDATE ON rollup_open FOR EACH ROW WHEN (NEW.span = 1) EXECUTE FUNCTION rollup_open_noted();

INSERT INTO rollup_days (day, added, packed) SELECT DISTINCT slot - slot % 24, 1, 0 FROM rollups WHERE grain = 1;

-- +goose Down

DROP TRIGGER rollup_open_noted ON rollup_open;
DROP FUNCTION rollup_open_noted;
DROP TABLE packs;
DROP TABLE rollup_days;
