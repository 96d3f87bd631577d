package history

import (
	"context"
	"encoding/json"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/redact"
	"github.com/plenum-foundry/plenum/store"
)

// keeps is Objects by a name that none of its methods has.
type keeps = Objects

// redacting is a store on the way to which is taken out what nobody should keep.
type redacting struct {
	keeps
	of func(project string) *redact.Redactor
}

// Redacting returns a store that keeps what is left after redaction. Of returns what redacts what a project says at the
// moment, or nil.
func Redacting(s Objects, of func(project string) *redact.Redactor) Objects { return &redacting{s, of} }

// CreateObject keeps a new object.
func (s *redacting) CreateObject(ctx context.Context, o store.Object) error {
	if err := s.clean(&o); err != nil {
		return err
	}
	return s.keeps.CreateObject(ctx, o)
}

// UpdateObject changes an object.
func (s *redacting) UpdateObject(ctx context.Context, id string, change func(*store.Object) error) (store.Object, error) {
	return s.keeps.UpdateObject(ctx, id, func(o *store.Object) error {
		if err := change(o); err != nil {
			return err
		}
		return s.clean(o)
	})
}

// clean redacts the body of an object. What is asked for in the background stays as it was asked until it was answered.
func (s *redacting) clean(o *store.Object) error {
	r := s.of(o.Project)
	if r == nil || len(o.Body) == 0 {
		return nil
	}
	d, err := documentOf(o)
	if err != nil {
		return err
	}
	var asked blob
	if o.Status == dialect.StateQueued || o.Status == dialect.StateInProgress || !isJSON(d.Request) {
		asked, d.Request = d.Request, nil
	}
	if !isJSON(d.Answer) {
		d.Answer = nil // what cannot be read cannot be redacted
	}
	b, err := r.JSON(d.bytes(), redact.Mechanical)
	if err != nil {
		return err
	}
	if o.Body = b; len(asked) == 0 || o.Status != dialect.StateQueued && o.Status != dialect.StateInProgress {
		return nil
	}
	var clean document
	if err := json.Unmarshal(b, &clean); err != nil {
		return err
	}
	clean.Request = asked
	o.Body = clean.bytes()
	return nil
}

func isJSON(b blob) bool { return len(b) == 0 || b[0] == '{' }
