-- +goose Up

CREATE TABLE objects (
	id         TEXT PRIMARY KEY,
	kind       TEXT NOT NULL,
	project    TEXT NOT NULL,
	key        TEXT NOT NULL,
	member     TEXT NOT NULL,
	deployment TEXT NOT NULL, -- by whose target an upstream keeps it; '' where Plenum does
	label      TEXT NOT NULL,
	status     TEXT NOT NULL,
	size       INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	holder     TEXT NOT NULL,
	held_ms    INTEGER NOT NULL,
	body       BLOB NOT NULL
) STRICT;

CREATE INDEX objects_listed ON objects (project, kind, created_ms, id);
CREATE INDEX objects_status ON objects (kind, status);
CREATE INDEX objects_expiry ON objects (expires_ms) WHERE expires_ms > 0;

-- The lines of batches that were begun.
CREATE TABLE lines (
	batch  TEXT NOT NULL,
	n      INTEGER NOT NULL,
	state  TEXT NOT NULL,
	result BLOB NOT NULL,
	PRIMARY KEY (batch, n)
) STRICT, WITHOUT ROWID;

-- +goose Down

DROP TABLE lines;
DROP TABLE objects;
