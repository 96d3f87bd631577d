package postgres

import (
	"context"
	"fmt"
)

// Setting returns a value.
func (d *DB) Setting(ctx context.Context, name string) ([]byte, error) {
	var v []byte
	err := d.pool.QueryRow(ctx, "SELECT value FROM settings WHERE name = $1", name).Scan(&v)
	if err != nil {
		return nil, fmt.Errorf("reading setting %s: %w", name, found(err))
	}
	return v, nil
}

// SetSetting keeps a value.
func (d *DB) SetSetting(ctx context.Context, name string, value []byte) error {
	_, err := d.pool.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	if err != nil {
		return fmt.Errorf("keeping setting %s: %w", name, err)
	}
	return nil
}

// EnsureSetting keeps a value where there is none.
func (d *DB) EnsureSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	_, err := d.pool.Exec(ctx,
		"INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, value)
	if err != nil {
		return nil, fmt.Errorf("keeping setting %s: %w", name, err)
	}
	return d.Setting(ctx, name)
}
