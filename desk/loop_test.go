package desk

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
)

// mute is a node that can write nothing down.
type mute struct {
	Foundry
	asked []Act
}

func (m *mute) Snapshot() *config.Snapshot { return &config.Snapshot{Declared: config.New()} }

func (m *mute) Intend(a *Act) error {
	m.asked = append(m.asked, *a)
	return errors.New("the disk is full")
}

// shelf is a store that has one object.
type shelf struct {
	store.Store
	object store.Object
}

func (s *shelf) Objects(context.Context, store.ObjectFilter) ([]store.Object, error) {
	return []store.Object{s.object}, nil
}

func (s *shelf) UpdateObject(_ context.Context, _ string, to func(*store.Object) error) (store.Object, error) {
	next := s.object
	if err := to(&next); err != nil {
		return s.object, err
	}
	s.object = next
	return next, nil
}

func TestWhatCannotBeWrittenDownIsNotTriedAndNotUnlisted(t *testing.T) {
	k := kept{Entry: Entry{ID: "acme/mini:1", State: Listed, Running: true, Card: Card{Publisher: "acme", Model: "mini", Version: "1"}}}
	body, err := json.Marshal(&k)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{object: store.Object{ID: objectID(k.ID), Kind: cardKind, Status: due, Body: body}}
	node := &mute{}
	d := New(node, s, nil, nil, "one", clock.Real, slog.New(slog.DiscardHandler))
	if err := d.once(t.Context(), s.object.ID); !errors.Is(err, errUnrecorded) {
		t.Errorf("a run that is due: %v", err)
	}
	if s.object.Status != due || s.object.Holder != "" || string(s.object.Body) != string(body) {
		t.Errorf("the card was changed: %+v", s.object)
	}
	if err := d.orphans(t.Context()); !errors.Is(err, errUnrecorded) { // its publisher is not declared
		t.Errorf("a model without a publisher: %v", err)
	}
	if string(s.object.Body) != string(body) {
		t.Errorf("it was unlisted: %s", s.object.Body)
	}
	if len(node.asked) != 2 || node.asked[0].Action != "run_card" || node.asked[1].Action != "unlist_card" || node.asked[0].Card != k.ID {
		t.Errorf("it was to be written down: %+v", node.asked)
	}
}
