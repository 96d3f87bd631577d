// Package audit is the outermost stage: it writes down every call, refused ones too, and tells whoever
// counts and logs.
//
// The ledger has the beginning of a call before the first byte of its answer goes out, and the end
// before its last, so that a node which dies in between loses no call that a caller has seen.
package audit

import (
	"context"
	"errors"
	"net/http"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/llm"
)

// Ledger is where calls are written down.
type Ledger interface {
	// Check returns why nothing can be written, such as on a full disk: then nobody is asked for an answer that could not be
	// given.
	Check() error
	Begin(ledger.Begin) error
	End(*plenum.Record) error
}

// Observer is told of every call when it has ended. It must not hold on to the record's slices.
type Observer interface{ Observe(*plenum.Record) }

// New returns the stage. A nil ledger keeps nothing, which is for tests.
func New(l Ledger, observers ...Observer) gateway.Stage {
	check := func() error { return nil }
	if l != nil {
		check = l.Check
	}
	return gateway.Stage{Name: "audit", Wrap: func(next gateway.Handler) gateway.Handler {
		return func(ctx context.Context, c *gateway.Call, out gateway.Out) error {
			o := &auditOut{next: out, call: c, ledger: l}
			err := check()
			if err != nil {
				err = unrecorded(err)
			} else {
				err = next(ctx, c, o)
			}
			settle(c, err)
			if endErr := o.end(); endErr != nil && err == nil && !o.told {
				err = unrecorded(endErr)
			}
			r := c.Trail.Snapshot()
			for _, ob := range observers {
				ob.Observe(&r)
			}
			return err
		}
	}}
}

// settle notes how the call ended.
func settle(c *gateway.Call, err error) {
	r := &c.Trail.Record
	r.End = time.Now().UnixMicro()
	if err == nil {
		r.Outcome = plenum.OutcomeOK
		return
	}
	e := llm.AsError(err)
	r.ErrorKind, r.Error = e.Kind, e.Error()
	r.Outcome = plenum.OutcomeError
	switch {
	case e.Kind == llm.Canceled:
		r.Outcome = plenum.OutcomeCanceled
	case c.Trail.Attempts() == 0, (e.Kind == llm.RateLimited || e.Kind == llm.Quota) && !c.Trail.Asked(): // a budget or a limit had no room for an attempt
		r.Outcome = plenum.OutcomeRefused
	}
	if r.Status == 0 {
		r.Status = c.Codec.EncodeError(err).Status
	}
}

// auditOut writes to the ledger at the right moments of an answer.
type auditOut struct {
	next   gateway.Out
	call   *gateway.Call
	ledger Ledger
	begun  bool
	ended  bool
	told   bool // something of the answer has gone on
	size   int  // of what came so far: an answer's end is written down before it is sent
}

func (o *auditOut) Begin(h gateway.Head) error { return o.next.Begin(h) }

func (o *auditOut) Chunk(ch dialect.Chunk) error {
	if !ch.Mute {
		o.size += len(ch.Body) + len(ch.Frame.Raw)
	}
	if err := o.write(ch); err != nil {
		return err
	}
	o.told = true
	return o.next.Chunk(ch)
}

func (o *auditOut) write(ch dialect.Chunk) error {
	if o.ledger == nil || o.ended {
		return nil
	}
	last := lastOf(o.call, ch)
	if !o.begun && !last {
		o.begun = true
		if err := o.ledger.Begin(ledger.BeginOf(&o.call.Trail.Record)); err != nil {
			return unrecorded(err)
		}
	}
	if !last {
		return nil
	}
	r := &o.call.Trail.Record
	r.End, r.Outcome = time.Now().UnixMicro(), plenum.OutcomeOK
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	if err := o.end(); err != nil {
		return unrecorded(err)
	}
	return nil
}

// lastOf reports whether a chunk ends the answer, and notes why the model stopped.
func lastOf(c *gateway.Call, ch dialect.Chunk) bool {
	last := ch.Body != nil || ch.Result != nil
	for _, ev := range ch.Events {
		switch e := ev.(type) {
		case llm.Finish:
			c.Trail.Record.Stop = string(e.Stop.Reason)
		case llm.End:
			last = true
		}
	}
	return last
}

func (o *auditOut) end() error {
	if o.ledger == nil || o.ended {
		return nil
	}
	o.ended = true
	r := o.call.Trail.Snapshot()
	r.BytesOut = max(r.BytesOut, int64(o.size))
	return o.ledger.End(&r)
}

// unrecorded is what a caller is told when the ledger cannot be written: a call that leaves no record
// is not answered.
func unrecorded(err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return err
	}
	return &llm.Error{Kind: llm.Overloaded, Op: "audit", Message: "the gateway cannot record calls at the moment and so answers none", Retry: 5 * time.Second, Err: err}
}
