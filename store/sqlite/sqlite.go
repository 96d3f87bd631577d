// Package sqlite keeps the store in one file, through a SQLite that is compiled from C to Go: the
// embedded default, with nothing to install.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/plenum-foundry/plenum/store"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is a store in a file. SQLite has one writer at a time: so has DB, and readers beside it, which see
// what was committed when they began and wait for nobody.
type DB struct {
	path  string
	write *sql.DB
	read  *sql.DB
}

var _ store.Store = (*DB)(nil)

// readers is how many reads may run at once. Each connection has a cache of its own.
const readers = 4

// Open opens the store in a file, which it makes where there is none, and brings it up to date.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	// Full: a commit is on the disk when it returns. The ledger forgets what was committed.
	write, err := pool(path, 1, "_txlock=immediate", "_pragma=synchronous(full)", "_pragma=foreign_keys(on)")
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	if err := migrate(ctx, write, migrations); err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, errors.Join(err, write.Close()))
	}
	read, err := pool(path, readers, "_pragma=query_only(on)")
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, errors.Join(err, write.Close()))
	}
	return &DB{path, write, read}, nil
}

// Close closes the store.
func (d *DB) Close() error {
	if err := errors.Join(d.read.Close(), d.write.Close()); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// Backup copies the store, as it is at one moment, into a new file. The store stays in use meanwhile.
func (d *DB) Backup(ctx context.Context, path string) error { return Backup(ctx, d.path, path) }

// Backup copies the store in a file, which another process may have open, into a new file. It leaves the
// tables as they are, of whatever version.
func Backup(ctx context.Context, from, to string) error {
	db, err := pool(from, 1, "mode=rw") // not made where there is none
	if err != nil {
		return fmt.Errorf("copying the store: %w", err)
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("copying the store %s: %w", from, err)
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copying the store: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("copying the store: %w", err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copying the store: %w", errors.Join(err, os.Remove(to)))
	}
	return nil
}

// create makes the file, readable by its owner alone. The files that SQLite puts beside it inherit that.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// pool opens up to n connections.
func pool(path string, n int, options ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(path), "/")}
	u.RawQuery = "_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)"
	for _, o := range options {
		u.RawQuery += "&" + o
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// migrate brings the tables up to date. Each migration is a transaction: one that is cut off has done nothing, and is done at the
// next start.
func migrate(ctx context.Context, db *sql.DB, from fs.FS) error {
	files, err := fs.Sub(from, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true)) // as in postgres
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the tables up to date: %w", err)
	}
	return nil
}

// transact runs f in a transaction, which it commits unless f fails.
func (d *DB) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// isTaken reports whether an error says that a value which must be unique is there already.
func isTaken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// found turns the error for no rows into ErrNotFound.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}
