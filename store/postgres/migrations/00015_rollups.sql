-- +goose Up

-- What calls are summed by, besides their time. The id is made from the rest: see store.Mix.
CREATE TABLE mixes (
	id         BIGINT PRIMARY KEY,
	project    TEXT COLLATE "C" NOT NULL,
	member     TEXT COLLATE "C" NOT NULL,
	key        TEXT COLLATE "C" NOT NULL,
	deployment TEXT COLLATE "C" NOT NULL,
	op         TEXT COLLATE "C" NOT NULL,
	dialect    TEXT COLLATE "C" NOT NULL,
	target     TEXT COLLATE "C" NOT NULL,
	provider   TEXT COLLATE "C" NOT NULL,
	upstream   TEXT COLLATE "C" NOT NULL,
	model      TEXT COLLATE "C" NOT NULL,
	region     TEXT COLLATE "C" NOT NULL,
	tags       TEXT COLLATE "C" NOT NULL
);

-- The sets of tags that are summed one by one, so many of each project.
CREATE TABLE tag_sets (
	project TEXT COLLATE "C" NOT NULL,
	tags    TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (project, tags)
);

-- The days (span 1) and months (2) that were added to since they were last summed up from their hours.
CREATE TABLE rollup_open (
	span SMALLINT NOT NULL,
	slot BIGINT NOT NULL,
	n    BIGINT NOT NULL, -- how often
	PRIMARY KEY (span, slot)
);

-- The sums of the counted records by everything, kept with them in one transaction: see store.Share.
CREATE TABLE rollups (
	grain            SMALLINT NOT NULL, -- 0 hours, 2 days, 4 months; 1, 3, 5 the same without member, key and tags
	slot             BIGINT NOT NULL, -- the first hour, since 1970, UTC
	mix              BIGINT NOT NULL,
	calls            BIGINT NOT NULL DEFAULT 0,
	errors           BIGINT NOT NULL DEFAULT 0,
	unpriced         BIGINT NOT NULL DEFAULT 0,
	estimated        BIGINT NOT NULL DEFAULT 0,
	cost_micros      BIGINT NOT NULL DEFAULT 0,
	input            BIGINT NOT NULL DEFAULT 0,
	cache_read       BIGINT NOT NULL DEFAULT 0,
	cache_write_5m   BIGINT NOT NULL DEFAULT 0,
	cache_write_1h   BIGINT NOT NULL DEFAULT 0,
	input_audio      BIGINT NOT NULL DEFAULT 0,
	input_image      BIGINT NOT NULL DEFAULT 0,
	output           BIGINT NOT NULL DEFAULT 0,
	reasoning        BIGINT NOT NULL DEFAULT 0,
	output_audio     BIGINT NOT NULL DEFAULT 0,
	output_image     BIGINT NOT NULL DEFAULT 0,
	searches         BIGINT NOT NULL DEFAULT 0,
	images           BIGINT NOT NULL DEFAULT 0,
	characters       BIGINT NOT NULL DEFAULT 0,
	seconds          BIGINT NOT NULL DEFAULT 0,
	attempts         BIGINT NOT NULL DEFAULT 0,
	refused          BIGINT NOT NULL DEFAULT 0,
	c_input          BIGINT NOT NULL DEFAULT 0,
	c_cache_read     BIGINT NOT NULL DEFAULT 0,
	c_cache_write_5m BIGINT NOT NULL DEFAULT 0,
	c_cache_write_1h BIGINT NOT NULL DEFAULT 0,
	c_input_audio    BIGINT NOT NULL DEFAULT 0,
	c_input_image    BIGINT NOT NULL DEFAULT 0,
	c_output         BIGINT NOT NULL DEFAULT 0,
	c_reasoning      BIGINT NOT NULL DEFAULT 0,
	c_output_audio   BIGINT NOT NULL DEFAULT 0,
	c_output_image   BIGINT NOT NULL DEFAULT 0,
	c_searches       BIGINT NOT NULL DEFAULT 0,
	c_images         BIGINT NOT NULL DEFAULT 0,
	c_characters     BIGINT NOT NULL DEFAULT 0,
	c_seconds        BIGINT NOT NULL DEFAULT 0,
	t0               BIGINT NOT NULL DEFAULT 0,
	t1               BIGINT NOT NULL DEFAULT 0,
	t2               BIGINT NOT NULL DEFAULT 0,
	t3               BIGINT NOT NULL DEFAULT 0,
	t4               BIGINT NOT NULL DEFAULT 0,
	t5               BIGINT NOT NULL DEFAULT 0,
	t6               BIGINT NOT NULL DEFAULT 0,
	t7               BIGINT NOT NULL DEFAULT 0,
	t8               BIGINT NOT NULL DEFAULT 0,
	t9               BIGINT NOT NULL DEFAULT 0,
	t10              BIGINT NOT NULL DEFAULT 0,
	t11              BIGINT NOT NULL DEFAULT 0,
	t12              BIGINT NOT NULL DEFAULT 0,
	t13              BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (grain, slot, mix)
);

-- +goose Down

DROP TABLE rollups;
DROP TABLE rollup_open;
DROP TABLE tag_sets;
DROP TABLE mixes;
