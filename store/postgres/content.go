package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/plenum-foundry/plenum/store"
)

// piece is how large the rows are that a content is kept in.
const piece = 1 << 20

// PutContent keeps all of r, in one transaction. What was kept under the id before is replaced.
func (d *DB) PutContent(ctx context.Context, id string, r io.Reader) (n int64, err error) {
	err = pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM contents WHERE id = $1", id); err != nil {
			return err
		}
		buf := make([]byte, piece)
		for i := 0; ; i++ {
			m, err := io.ReadFull(r, buf)
			last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if err != nil && !last {
				return err
			}
			if m > 0 || i == 0 { // an empty content has a row too
				if _, err := tx.Exec(ctx, "INSERT INTO contents (id, n, piece) VALUES ($1, $2, $3)", id, i, buf[:m]); err != nil {
					return err
				}
			}
			if n += int64(m); last {
				return nil
			}
		}
	})
	if err != nil {
		return n, fmt.Errorf("keeping the content of %s: %w", id, err)
	}
	return n, nil
}

// Content opens a content.
func (d *DB) Content(ctx context.Context, id string) (io.ReadCloser, error) {
	c := &content{ctx: ctx, db: d, id: id}
	if err := c.fetch(); err != nil {
		return nil, fmt.Errorf("opening the content of %s: %w", id, found(err))
	}
	return c, nil
}

// content reads a content piece by piece, so that a slow reader holds neither memory nor a connection.
type content struct {
	ctx  context.Context //nolint:containedctx // an io.Reader has no other way to be told
	db   *DB
	id   string
	next int
	rest []byte
}

// fetch reads the next piece.
func (c *content) fetch() error {
	err := c.db.pool.QueryRow(c.ctx, "SELECT piece FROM contents WHERE id = $1 AND n = $2", clean(c.id), c.next).Scan(&c.rest)
	c.next++
	return err
}

// Read reads on.
func (c *content) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		err := c.fetch()
		if errors.Is(found(err), store.ErrNotFound) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close does nothing.
func (*content) Close() error { return nil }
