-- +goose Up

-- What calls are summed by, besides their time. The id is made from the rest: see store.Mix.
CREATE TABLE mixes (
	id         INTEGER PRIMARY KEY,
	project    TEXT NOT NULL,
	member     TEXT NOT NULL,
	key        TEXT NOT NULL,
	deployment TEXT NOT NULL,
	op         TEXT NOT NULL,
	dialect    TEXT NOT NULL,
	target     TEXT NOT NULL,
	provider   TEXT NOT NULL,
	upstream   TEXT NOT NULL,
	model      TEXT NOT NULL,
	region     TEXT NOT NULL,
	tags       TEXT NOT NULL
) STRICT;

-- The sets of tags that are summed one by one, so many of each project.
CREATE TABLE tag_sets (
	project TEXT NOT NULL,
	tags    TEXT NOT NULL,
	PRIMARY KEY (project, tags)
) STRICT, WITHOUT ROWID;

-- The days (span 1) and months (2) that were added to since they were last summed up from their hours.
CREATE TABLE rollup_open (
	span INTEGER NOT NULL,
	slot INTEGER NOT NULL,
	n    INTEGER NOT NULL, -- how often
	PRIMARY KEY (span, slot)
) STRICT, WITHOUT ROWID;

-- The sums of the counted records by everything, kept with them in one transaction: see store.Share.
CREATE TABLE rollups (
	grain            INTEGER NOT NULL, -- 0 hours, 2 days, 4 months; 1, 3, 5 the same without member, key and tags
	slot             INTEGER NOT NULL, -- the first hour, since 1970, UTC
	mix              INTEGER NOT NULL,
	calls            INTEGER NOT NULL DEFAULT 0,
	errors           INTEGER NOT NULL DEFAULT 0,
	unpriced         INTEGER NOT NULL DEFAULT 0,
	estimated        INTEGER NOT NULL DEFAULT 0,
	cost_micros      INTEGER NOT NULL DEFAULT 0,
	input            INTEGER NOT NULL DEFAULT 0,
	cache_read       INTEGER NOT NULL DEFAULT 0,
	cache_write_5m   INTEGER NOT NULL DEFAULT 0,
	cache_write_1h   INTEGER NOT NULL DEFAULT 0,
	input_audio      INTEGER NOT NULL DEFAULT 0,
	input_image      INTEGER NOT NULL DEFAULT 0,
	output           INTEGER NOT NULL DEFAULT 0,
	reasoning        INTEGER NOT NULL DEFAULT 0,
	output_audio     INTEGER NOT NULL DEFAULT 0,
	output_image     INTEGER NOT NULL DEFAULT 0,
	searches         INTEGER NOT NULL DEFAULT 0,
	images           INTEGER NOT NULL DEFAULT 0,
	characters       INTEGER NOT NULL DEFAULT 0,
	seconds          INTEGER NOT NULL DEFAULT 0,
	attempts         INTEGER NOT NULL DEFAULT 0,
	refused          INTEGER NOT NULL DEFAULT 0,
	c_input          INTEGER NOT NULL DEFAULT 0,
	c_cache_read     INTEGER NOT NULL DEFAULT 0,
	c_cache_write_5m INTEGER NOT NULL DEFAULT 0,
	c_cache_write_1h INTEGER NOT NULL DEFAULT 0,
	c_input_audio    INTEGER NOT NULL DEFAULT 0,
	c_input_image    INTEGER NOT NULL DEFAULT 0,
	c_output         INTEGER NOT NULL DEFAULT 0,
	c_reasoning      INTEGER NOT NULL DEFAULT 0,
	c_output_audio   INTEGER NOT NULL DEFAULT 0,
	c_output_image   INTEGER NOT NULL DEFAULT 0,
	c_searches       INTEGER NOT NULL DEFAULT 0,
	c_images         INTEGER NOT NULL DEFAULT 0,
	c_characters     INTEGER NOT NULL DEFAULT 0,
	c_seconds        INTEGER NOT NULL DEFAULT 0,
	t0               INTEGER NOT NULL DEFAULT 0,
	t1               INTEGER NOT NULL DEFAULT 0,
	t2               INTEGER NOT NULL DEFAULT 0,
	t3               INTEGER NOT NULL DEFAULT 0,
	t4               INTEGER NOT NULL DEFAULT 0,
	t5               INTEGER NOT NULL DEFAULT 0,
	t6               INTEGER NOT NULL DEFAULT 0,
	t7               INTEGER NOT NULL DEFAULT 0,
	t8               INTEGER NOT NULL DEFAULT 0,
	t9               INTEGER NOT NULL DEFAULT 0,
	t10              INTEGER NOT NULL DEFAULT 0,
	t11              INTEGER NOT NULL DEFAULT 0,
	t12              INTEGER NOT NULL DEFAULT 0,
	t13              INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (grain, slot, mix)
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE rollups;
DROP TABLE rollup_open;
DROP TABLE tag_sets;
DROP TABLE mixes;
