-- +goose Up

CREATE TABLE keys (
	id         TEXT COLLATE "C" PRIMARY KEY,
	name       TEXT COLLATE "C" NOT NULL,
	project    TEXT COLLATE "C" NOT NULL,
	member     TEXT COLLATE "C" NOT NULL,
	prefix     TEXT COLLATE "C" NOT NULL,
	mac        BYTEA NOT NULL UNIQUE,
	created_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	revoked_ms BIGINT NOT NULL
);

-- What the ledger sent, as it was written. chain and links prove it; see ledger.Entry.
CREATE TABLE records (
	n          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	node       TEXT COLLATE "C" NOT NULL,
	seq        BIGINT NOT NULL,
	chain      BYTEA NOT NULL,
	links      BYTEA NOT NULL,
	id         TEXT COLLATE "C" NOT NULL,
	start_us   BIGINT NOT NULL,
	project    TEXT COLLATE "C" NOT NULL,
	key        TEXT COLLATE "C" NOT NULL,
	deployment TEXT COLLATE "C" NOT NULL,
	outcome    TEXT COLLATE "C" NOT NULL,
	counted    BOOLEAN NOT NULL, -- whether it is in usage: of the records of one call, one is
	body       TEXT NOT NULL
);

CREATE UNIQUE INDEX records_place ON records (node, seq, chain);
CREATE UNIQUE INDEX records_id ON records (id) WHERE counted;
CREATE INDEX records_start ON records (start_us);

-- The sums of the counted records, kept with them in one transaction.
CREATE TABLE usage (
	hour           BIGINT NOT NULL, -- since 1970, UTC
	project        TEXT COLLATE "C" NOT NULL,
	key            TEXT COLLATE "C" NOT NULL,
	deployment     TEXT COLLATE "C" NOT NULL,
	calls          BIGINT NOT NULL,
	errors         BIGINT NOT NULL,
	unpriced       BIGINT NOT NULL,
	estimated      BIGINT NOT NULL,
	cost_micros    BIGINT NOT NULL,
	input          BIGINT NOT NULL,
	cache_read     BIGINT NOT NULL,
	cache_write_5m BIGINT NOT NULL,
	cache_write_1h BIGINT NOT NULL,
	input_audio    BIGINT NOT NULL,
	input_image    BIGINT NOT NULL,
	output         BIGINT NOT NULL,
	reasoning      BIGINT NOT NULL,
	output_audio   BIGINT NOT NULL,
	output_image   BIGINT NOT NULL,
	searches       BIGINT NOT NULL,
	PRIMARY KEY (hour, project, key, deployment)
);

CREATE TABLE settings (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value BYTEA NOT NULL
);

-- +goose Down

DROP TABLE settings;
DROP TABLE usage;
DROP TABLE records;
DROP TABLE keys;
