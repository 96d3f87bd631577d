// Package postgres keeps the store in a PostgreSQL, which several nodes share.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/store"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is a store in a PostgreSQL.
type DB struct{ pool *pgxpool.Pool }

var _ store.Store = (*DB)(nil)

// Open opens the store at an address such as postgres://user:password@host/name and brings it up to
// date. Of nodes that start at once, one does so and the others wait.
func Open(ctx context.Context, address plenum.Secret) (*DB, error) {
	conf, err := pgxpool.ParseConfig(address.Reveal())
	if err != nil {
		// The driver's error quotes the address, and hides the password only where it finds one.
		return nil, errors.New("opening the store: the address of the database cannot be read; " +
			"it has the form postgres://user:password@host:5432/name")
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := migrate(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return &DB{pool}, nil
}

// Close closes the store.
func (d *DB) Close() error {
	d.pool.Close()
	return nil
}

// migrate brings the tables up to date.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the tables up to date: %w", err)
	}
	return nil
}

// isTaken reports whether an error says that a value which must be unique is there already.
func isTaken(err error) bool {
	const uniqueViolation = "23505"
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == uniqueViolation
}

// found turns the error for no rows into ErrNotFound.
func found(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// clean takes out the one character that PostgreSQL cannot keep in a text. Callers send what they like;
// a batch of records must not fail for it.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "\ufffd") }
