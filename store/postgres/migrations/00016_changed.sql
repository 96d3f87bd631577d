-- +goose Up

-- Says to all nodes that what they follow has changed. Triggers do so, and not who writes: nodes of the release before
-- this one, and people with psql, change it too.
-- +goose StatementBegin
CREATE FUNCTION say_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('plenum_changed', TG_TABLE_NAME);
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER say_keys AFTER INSERT OR UPDATE OR DELETE ON keys FOR EACH STATEMENT EXECUTE FUNCTION say_changed();
CREATE TRIGGER say_resources AFTER INSERT OR UPDATE OR DELETE ON resources FOR EACH STATEMENT EXECUTE FUNCTION say_changed();
CREATE TRIGGER say_settings AFTER INSERT OR UPDATE OR DELETE ON settings FOR EACH STATEMENT EXECUTE FUNCTION say_changed();
CREATE TRIGGER say_tables AFTER INSERT OR UPDATE OR DELETE ON catalog_tables FOR EACH STATEMENT EXECUTE FUNCTION say_changed();

-- +goose Down

DROP TRIGGER say_tables ON catalog_tables;
DROP TRIGGER say_settings ON settings;
DROP TRIGGER say_resources ON resources;
DROP TRIGGER say_keys ON keys;
DROP FUNCTION say_changed;
