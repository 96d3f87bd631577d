-- +goose Up

CREATE TABLE objects (
	id         TEXT COLLATE "C" PRIMARY KEY,
	kind       TEXT NOT NULL,
	project    TEXT COLLATE "C" NOT NULL,
	key        TEXT NOT NULL,
	member     TEXT NOT NULL,
	deployment TEXT NOT NULL, -- by whose target an upstream keeps it; '' where Plenum does
	label      TEXT NOT NULL,
	status     TEXT NOT NULL,
	size       BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	holder     TEXT NOT NULL,
	held_ms    BIGINT NOT NULL,
	body       BYTEA NOT NULL
);

CREATE INDEX objects_listed ON objects (project, kind, created_ms, id);
CREATE INDEX objects_status ON objects (kind, status);
CREATE INDEX objects_expiry ON objects (expires_ms) WHERE expires_ms > 0;

-- The contents of objects, in pieces.
CREATE TABLE contents (
	id    TEXT COLLATE "C" NOT NULL,
	n     INTEGER NOT NULL,
	piece BYTEA NOT NULL,
	PRIMARY KEY (id, n)
);

-- The lines of batches that were begun.
CREATE TABLE lines (
	batch  TEXT COLLATE "C" NOT NULL,
	n      INTEGER NOT NULL,
	state  TEXT NOT NULL,
	result BYTEA NOT NULL,
	PRIMARY KEY (batch, n)
);

-- +goose Down

DROP TABLE lines;
DROP TABLE contents;
DROP TABLE objects;
