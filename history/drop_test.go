package history

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"

	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
)

// kept is what slowStore is made of.
type kept = Objects

// slowStore has its writes wait, and fails deletions on request.
type slowStore struct {
	kept
	begun, proceed chan struct{}

	mu     sync.Mutex
	has    map[string]bool
	refuse int
}

func (s *slowStore) CreateObject(_ context.Context, o store.Object) error {
	s.begun <- struct{}{}
	<-s.proceed
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has[o.ID] = true
	return nil
}

func (s *slowStore) DeleteObject(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return errors.New("the store is away")
	}
	if !s.has[id] {
		return store.ErrNotFound
	}
	delete(s.has, id)
	return nil
}

func (s *slowStore) Object(_ context.Context, id string) (store.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.has[id] {
		return store.Object{}, store.ErrNotFound
	}
	return store.Object{ID: id}, nil
}

// An answer that is deleted in the very moment in which it is written is gone for good when the deletion returns,
// also where the store must be asked twice.
func TestWhatIsDeletedWhileItIsWrittenIsGone(t *testing.T) {
	for _, refuse := range []int{0, 1} {
		s := &slowStore{begun: make(chan struct{}, 1), proceed: make(chan struct{}), has: map[string]bool{}, refuse: refuse}
		h := New(s, "node", clock.Real, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.write(ctx) }()
		h.keep(store.Object{ID: "resp_1"})
		<-s.begun
		dropped := make(chan error, 1)
		go func() { dropped <- h.drop(ctx, "resp_1") }()
		for !h.isGone("resp_1") {
			runtime.Gosched()
		}
		if _, err := h.look(ctx, "resp_1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("while it is being deleted: %v", err)
		}
		close(s.proceed)
		if err := <-dropped; err != nil {
			t.Fatal(err)
		}
		if _, err := h.look(ctx, "resp_1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if len(s.has) != 0 {
			t.Errorf("the store has %v", s.has)
		}
	}
}

func (h *History) isGone(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending[id] != nil && h.pending[id].dropped
}
