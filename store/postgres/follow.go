package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/plenum-foundry/plenum/store"
)

var _ store.Follower = (*DB)(nil)

// channel is what the triggers say changes on.
const channel = "plenum_changed"

// How the connection that listens is kept: an echo of one's own is sent every echoEvery and must come back within
// echoWait. A pooler between that hands connections out by the transaction takes LISTEN and never delivers, a network that
// has gone says nothing at all: only what comes back shows that changes are heard.
const (
	echoEvery  = 5 * time.Second
	echoWait   = 3 * time.Second
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	deafFor    = time.Minute // until it is tried again where nothing came back
	echoPrefix = "echo "
)

// errDeaf says that a connection takes LISTEN and does not deliver.
var errDeaf = errors.New("what is said to the channel does not arrive")

// Follow implements store.Follower: it listens on a connection of its own, and makes another where that ends.
func (d *DB) Follow(ctx context.Context, changed func(), hears func(bool)) {
	wait := retryFirst
	for ctx.Err() == nil {
		heard, err := d.listen(ctx, changed, hears)
		hears(false)
		changed() // what was said in between was not heard
		switch {
		case heard:
			wait = retryFirst
		case errors.Is(err, errDeaf):
			wait = deafFor
		default:
			wait = min(2*wait, retryMost)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// listen follows the channel until its connection ends. It reports whether anything was ever heard.
func (d *DB) listen(ctx context.Context, changed func(), hears func(bool)) (heard bool, err error) {
	c, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(last)
	}()
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return false, err
	}
	changed() // what was said until now was not heard
	for {
		mine := echoPrefix + rand.Text()
		if _, err := d.pool.Exec(ctx, "SELECT pg_notify($1, $2)", channel, mine); err != nil {
			return heard, err
		}
		if err := until(ctx, c, echoWait, mine, changed); err != nil {
			if pgconn.Timeout(err) && ctx.Err() == nil {
				err = errDeaf
			}
			return heard, err
		}
		if !heard {
			heard = true
			hears(true)
		}
		if err := until(ctx, c, echoEvery, "", changed); !pgconn.Timeout(err) || ctx.Err() != nil {
			return heard, err
		}
	}
}

// until tells of changes until an echo comes back, or the time is over.
func until(ctx context.Context, c *pgx.Conn, most time.Duration, echo string, changed func()) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		n, err := c.WaitForNotification(ctx)
		switch {
		case err != nil:
			return err
		case n.Payload == echo:
			return nil
		case !strings.HasPrefix(n.Payload, echoPrefix):
			changed()
		}
	}
}
