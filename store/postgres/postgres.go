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
	pool, err := connect(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := migrate(ctx, pool, migrations); err != nil {
		pool.Close()
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return &DB{pool}, nil
}

// connect returns connections to the database of an address.
func connect(ctx context.Context, address plenum.Secret) (*pgxpool.Pool, error) {
	conf, err := pgxpool.ParseConfig(address.Reveal())
	if err != nil {
		// The driver's error quotes the address, and hides the password only where it finds one.
		return nil, errors.New("the address of the database cannot be read; " +
			"it has the form postgres://user:password@host:5432/name")
	}
	return pgxpool.NewWithConfig(ctx, conf)
}

// Close closes the store.
func (d *DB) Close() error {
	d.pool.Close()
	return nil
}

// migrate brings the tables up to date. Each migration is a transaction: one that is cut off has done nothing, and is done at the
// next start.
func migrate(ctx context.Context, pool *pgxpool.Pool, from fs.FS) error {
	return withMigrations(ctx, pool, from, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

// migrateTo brings the tables of an empty database to where some migrations left them.
func migrateTo(ctx context.Context, pool *pgxpool.Pool, versions []int64) error {
	return withMigrations(ctx, pool, migrations, func(p *goose.Provider) error {
		for _, v := range versions {
			if _, err := p.ApplyVersion(ctx, v, true); err != nil && !errors.Is(err, goose.ErrAlreadyApplied) {
				return err
			}
		}
		return nil
	})
}

// withMigrations has something done with the migrations.
func withMigrations(ctx context.Context, pool *pgxpool.Pool, from fs.FS, do func(*goose.Provider) error) error {
	files, err := fs.Sub(from, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // asked for each second, for five minutes
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker),
		goose.WithAllowOutofOrder(true)) // each stands for itself, and they may be released in another order than they were begun in
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	if err := do(p); err != nil {
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

// isVictim reports whether the server ended a transaction so that others could go on: nothing of it is kept, and it may be
// tried again.
func isVictim(err error) bool {
	const deadlock, serialization = "40P01", "40001"
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == deadlock || e.Code == serialization)
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
