-- +goose Up

-- What was asked and answered in calls, sealed, where a project has that kept.
CREATE TABLE transcripts (
	call       TEXT PRIMARY KEY,
	project    TEXT NOT NULL,
	key        TEXT NOT NULL,
	member     TEXT NOT NULL,
	deployment TEXT NOT NULL,
	start_us   BIGINT NOT NULL,
	size       BIGINT NOT NULL,
	sum        TEXT NOT NULL,
	body       BYTEA NOT NULL
);

CREATE INDEX transcripts_by_time ON transcripts (start_us, call);
CREATE INDEX transcripts_by_project ON transcripts (project, start_us);
CREATE INDEX transcripts_by_key ON transcripts (key, start_us);
CREATE INDEX transcripts_by_member ON transcripts (member, start_us);

-- +goose Down

DROP TABLE transcripts;
