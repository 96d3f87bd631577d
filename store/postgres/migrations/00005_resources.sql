-- +goose Up

-- What is declared through the management API.
CREATE TABLE resources (
	kind       TEXT NOT NULL,
	name       TEXT NOT NULL,
	spec       BYTEA NOT NULL, -- JSON
	version    BIGINT NOT NULL, -- the revision at which it was last changed
	created_ms BIGINT NOT NULL,
	changed_ms BIGINT NOT NULL,
	changed_by TEXT NOT NULL,
	PRIMARY KEY (kind, name)
);

CREATE TABLE revision (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   BIGINT NOT NULL
);

INSERT INTO revision (one, n) VALUES (1, 0);

-- Whether a key opens the management API, and no models.
ALTER TABLE keys ADD COLUMN admin BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down

ALTER TABLE keys DROP COLUMN admin;
DROP TABLE revision;
DROP TABLE resources;
