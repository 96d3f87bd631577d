// Package sealed is a store that encrypts, on the way to another store, what callers own and said: the bodies of objects,
// their contents, the results of batches' lines, and transcripts. What was kept before it was there is read as it is, and sealed when it changes.
package sealed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/vault"
)

// Store is a store whose objects' bodies are sealed.
type Store struct {
	store.Store
	vault *vault.Vault
}

// New returns a store that seals before it keeps.
func New(s store.Store, v *vault.Vault) *Store { return &Store{s, v} }

func (s *Store) seal(o *store.Object) (err error) {
	if len(o.Body) > 0 {
		o.Body, err = s.vault.Seal(o.Body, o.ID)
	}
	return err
}

func (s *Store) open(o *store.Object) (err error) {
	o.Body, err = s.vault.Open(o.Body, o.ID)
	return err
}

// CreateObject keeps a new object.
func (s *Store) CreateObject(ctx context.Context, o store.Object) error {
	if err := s.seal(&o); err != nil {
		return err
	}
	return s.Store.CreateObject(ctx, o)
}

// Object returns one object.
func (s *Store) Object(ctx context.Context, id string) (store.Object, error) {
	o, err := s.Store.Object(ctx, id)
	if err == nil {
		err = s.open(&o)
	}
	return o, err
}

// Objects returns the chosen objects.
func (s *Store) Objects(ctx context.Context, f store.ObjectFilter) ([]store.Object, error) {
	all, err := s.Store.Objects(ctx, f)
	for i := range all {
		if err := s.open(&all[i]); err != nil {
			return nil, err
		}
	}
	return all, err
}

// UpdateObject changes an object.
func (s *Store) UpdateObject(ctx context.Context, id string, change func(*store.Object) error) (store.Object, error) {
	o, err := s.Store.UpdateObject(ctx, id, func(o *store.Object) error {
		if err := s.open(o); err != nil {
			return err
		}
		if err := change(o); err != nil {
			return err
		}
		return s.seal(o)
	})
	if err == nil {
		err = s.open(&o)
	}
	return o, err
}

// PutContent keeps a content, sealed while it comes. It returns how much the content was, not what is kept.
func (s *Store) PutContent(ctx context.Context, id string, r io.Reader) (int64, error) {
	sealing, err := s.vault.SealStream(r, id)
	if err != nil {
		return 0, err
	}
	_, err = s.Store.PutContent(ctx, id, sealing)
	return sealing.Size(), err
}

// content is a content that is opened while it is read.
type content struct {
	io.Reader
	io.Closer
}

// Content opens a content.
func (s *Store) Content(ctx context.Context, id string) (io.ReadCloser, error) {
	r, err := s.Store.Content(ctx, id)
	if err != nil {
		return nil, err
	}
	plain, err := s.vault.OpenStream(r, id)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the content of %s: %w", id, err), r.Close())
	}
	return content{plain, r}, nil
}

// EndLine notes how a line of a batch ended.
func (s *Store) EndLine(ctx context.Context, batch string, l store.Line) (err error) {
	if len(l.Result) > 0 {
		if l.Result, err = s.vault.Seal(l.Result, batch); err != nil {
			return err
		}
	}
	return s.Store.EndLine(ctx, batch, l)
}

// Lines returns lines of a batch.
func (s *Store) Lines(ctx context.Context, batch string, from, limit int) ([]store.Line, error) {
	all, err := s.Store.Lines(ctx, batch, from, limit)
	for i := range all {
		if all[i].Result, err = s.vault.Open(all[i].Result, batch); err != nil {
			return nil, err
		}
	}
	return all, err
}

// transcribed is where a transcript is sealed for: nothing that is kept elsewhere can take its place.
func transcribed(call string) string { return "transcript/" + call }

// PutTranscripts keeps transcripts.
func (s *Store) PutTranscripts(ctx context.Context, ts []store.Transcript) (err error) {
	ts = slices.Clone(ts)
	for i := range ts {
		if ts[i].Body, err = s.vault.Seal(ts[i].Body, transcribed(ts[i].Call)); err != nil {
			return err
		}
	}
	return s.Store.PutTranscripts(ctx, ts)
}

// Transcript returns one.
func (s *Store) Transcript(ctx context.Context, call string) (store.Transcript, error) {
	t, err := s.Store.Transcript(ctx, call)
	if err == nil {
		t.Body, err = s.vault.Open(t.Body, transcribed(call))
	}
	return t, err
}

// ReplaceTranscript puts another body in the place of the one that is there.
func (s *Store) ReplaceTranscript(ctx context.Context, call string, was, is []byte) error {
	t, err := s.Store.Transcript(ctx, call)
	if errors.Is(err, store.ErrNotFound) {
		return store.ErrMoved
	}
	if err != nil {
		return err
	}
	plain, err := s.vault.Open(t.Body, transcribed(call))
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, was) {
		return store.ErrMoved
	}
	again, err := s.vault.Seal(is, transcribed(call))
	if err != nil {
		return err
	}
	return s.Store.ReplaceTranscript(ctx, call, t.Body, again)
}

// resealTranscripts seals anew the transcripts that are sealed under another master key. One that is deleted meanwhile stays so.
func (s *Store) resealTranscripts(ctx context.Context) (n int, err error) {
	f := store.TranscriptFilter{Limit: 500}
	for {
		page, err := s.Store.Transcripts(ctx, f)
		if err != nil {
			return n, err
		}
		for i := range page {
			f.Before, f.BeforeID = page[i].Start, page[i].Call
			moved, err := s.resealTranscript(ctx, page[i].Call)
			if err != nil {
				return n, fmt.Errorf("sealing the transcript of %s anew: %w", page[i].Call, err)
			}
			if moved {
				n++
			}
		}
		if len(page) < f.Limit {
			return n, nil
		}
	}
}

func (s *Store) resealTranscript(ctx context.Context, call string) (bool, error) {
	t, err := s.Store.Transcript(ctx, call)
	if errors.Is(err, store.ErrNotFound) || err == nil && vault.MasterOf(t.Body) == s.vault.Current() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	plain, err := s.vault.Open(t.Body, transcribed(call))
	if err != nil {
		return false, err
	}
	if err := s.ReplaceTranscript(ctx, call, plain, plain); err != nil {
		return false, ignoreMoved(err)
	}
	return true, nil
}

func ignoreMoved(err error) error {
	if errors.Is(err, store.ErrMoved) {
		return nil
	}
	return err
}

// Reseal seals anew the objects and transcripts that are sealed under another master key, or not at all, and returns how many.
func (s *Store) Reseal(ctx context.Context) (int, error) {
	objects, err := s.resealObjects(ctx)
	if err != nil {
		return objects, err
	}
	transcripts, err := s.resealTranscripts(ctx)
	return objects + transcripts, err
}

func (s *Store) resealObjects(ctx context.Context) (n int, err error) {
	f := store.ObjectFilter{OldestFirst: true, Limit: 500}
	for {
		all, err := s.Store.Objects(ctx, f)
		if err != nil {
			return n, err
		}
		for i := range all {
			o := &all[i]
			f.After, f.AfterCreated = o.ID, o.Created
			moved, err := s.resealContent(ctx, o.ID)
			if err != nil {
				return n, fmt.Errorf("sealing the content of %s anew: %w", o.ID, err)
			}
			if len(o.Body) == 0 || vault.MasterOf(o.Body) == s.vault.Current() {
				if moved {
					n++
				}
				continue
			}
			if _, err := s.UpdateObject(ctx, o.ID, func(*store.Object) error { return nil }); err != nil {
				return n, err
			}
			n++
		}
		if len(all) < f.Limit {
			return n, nil
		}
	}
}

// resealContent seals the data key of a content anew, where it is not under the master key of now, and the content
// itself where it never was.
func (s *Store) resealContent(ctx context.Context, id string) (bool, error) {
	r, err := s.Store.Content(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	again, moved, err := s.vault.Rewrap(r, id)
	if err != nil || !moved {
		return false, err
	}
	if _, err := s.Store.PutContent(ctx, id, again); err != nil {
		return false, err
	}
	return true, nil
}
