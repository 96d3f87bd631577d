-- +goose Up

-- What is declared through the management API.
CREATE TABLE resources (
	kind       TEXT NOT NULL,
	name       TEXT NOT NULL,
	spec       BLOB NOT NULL, -- JSON
	version    INTEGER NOT NULL, -- the revision at which it was last changed
	created_ms INTEGER NOT NULL,
	changed_ms INTEGER NOT NULL,
	changed_by TEXT NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE revision (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   INTEGER NOT NULL
) STRICT;

INSERT INTO revision (one, n) VALUES (1, 0);

-- Whether a key opens the management API, and no models.
ALTER TABLE keys ADD COLUMN admin INTEGER NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE keys DROP COLUMN admin;
DROP TABLE revision;
DROP TABLE resources;
