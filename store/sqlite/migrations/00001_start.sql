-- +goose Up

CREATE TABLE keys (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	project    TEXT NOT NULL,
	member     TEXT NOT NULL,
	prefix     TEXT NOT NULL,
	mac        BLOB NOT NULL UNIQUE,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	revoked_ms INTEGER NOT NULL
) STRICT;

-- What the ledger sent, as it was written. chain and links prove it; see ledger.Entry.
CREATE TABLE records (
	n          INTEGER PRIMARY KEY,
	node       TEXT NOT NULL,
	seq        INTEGER NOT NULL,
	chain      BLOB NOT NULL,
	links      BLOB NOT NULL,
	id         TEXT NOT NULL,
	start_us   INTEGER NOT NULL,
	project    TEXT NOT NULL,
	key        TEXT NOT NULL,
	deployment TEXT NOT NULL,
	outcome    TEXT NOT NULL,
	counted    INTEGER NOT NULL, -- whether it is in usage: of the records of one call, one is
	body       TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX records_place ON records (node, seq, chain);
CREATE UNIQUE INDEX records_id ON records (id) WHERE counted = 1;
CREATE INDEX records_start ON records (start_us);

-- The sums of the counted records, kept with them in one transaction.
CREATE TABLE usage (
	hour           INTEGER NOT NULL, -- since 1970, UTC
	project        TEXT NOT NULL,
	key            TEXT NOT NULL,
	deployment     TEXT NOT NULL,
	calls          INTEGER NOT NULL,
	errors         INTEGER NOT NULL,
	unpriced       INTEGER NOT NULL,
	estimated      INTEGER NOT NULL,
	cost_micros    INTEGER NOT NULL,
	input          INTEGER NOT NULL,
	cache_read     INTEGER NOT NULL,
	cache_write_5m INTEGER NOT NULL,
	cache_write_1h INTEGER NOT NULL,
	input_audio    INTEGER NOT NULL,
	input_image    INTEGER NOT NULL,
	output         INTEGER NOT NULL,
	reasoning      INTEGER NOT NULL,
	output_audio   INTEGER NOT NULL,
	output_image   INTEGER NOT NULL,
	searches       INTEGER NOT NULL,
	PRIMARY KEY (hour, project, key, deployment)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE settings;
DROP TABLE usage;
DROP TABLE records;
DROP TABLE keys;
