-- +goose Up

-- Tables of models and prices that were imported. One that was taken away stays as a row without a body, so that the
-- newest version only ever grows.
CREATE TABLE catalog_tables (
	name        TEXT PRIMARY KEY,
	dated       TEXT NOT NULL,
	version     BIGINT NOT NULL,
	imported_ms BIGINT NOT NULL,
	imported_by TEXT NOT NULL,
	offers      BIGINT NOT NULL,
	body        BYTEA
);

-- +goose Down

DROP TABLE catalog_tables;
