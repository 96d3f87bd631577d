package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/store"
)

// onceFor is how long the answer to an Idempotency-Key is kept.
const onceFor = 24 * time.Hour

// kept is what an Idempotency-Key was answered with. It is sealed, for it may hold a secret that is shown once.
type kept struct {
	Asked  string `json:"asked"` // a digest of the request
	Status int    `json:"status"`
	ETag   string `json:"etag,omitempty"`
	Body   []byte `json:"body,omitempty"`
}

// once runs an operation. One that creates, sent again with the same Idempotency-Key, is answered as it was.
func (s *Server) once(q *request, o *operation) (reply, error) {
	key := q.Header.Get("Idempotency-Key")
	if key == "" || q.Method != http.MethodPost || q.dry {
		return o.serve(q)
	}
	if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return reply{}, fail(http.StatusBadRequest, "bad_idempotency_key", "Idempotency-Key has up to 255 printable characters of ASCII")
	}
	sum := sha256.Sum256([]byte(q.actor.Name + "\x00" + key))
	id := "once_" + hex.EncodeToString(sum[:])
	digest := sha256.Sum256([]byte(q.Method + " " + q.URL.String() + "\x00" + string(q.body)))
	asked := hex.EncodeToString(digest[:])
	now := s.clock.Now()
	claim := store.Object{ID: id, Kind: "admin_once", Label: asked, Status: "running", Created: now.UnixMilli(), Expires: now.Add(onceFor).UnixMilli()}
	err := s.store.CreateObject(q.Context(), claim)
	if errors.Is(err, store.ErrExists) {
		return s.again(q, o, id, asked)
	}
	if err != nil {
		return reply{}, err
	}
	rep, err := o.serve(q)
	if err != nil { // nothing was made: it may be tried again
		_ = s.store.DeleteObject(q.Context(), id)
		return rep, err
	}
	body, err := json.Marshal(rep.body)
	if err != nil {
		return reply{}, err
	}
	text, err := json.Marshal(kept{Asked: asked, Status: rep.status, ETag: rep.etag, Body: body})
	if err != nil {
		return reply{}, err
	}
	sealed, err := s.foundry.Seal(string(text))
	if err != nil {
		return reply{}, err
	}
	_, err = s.store.UpdateObject(q.Context(), id, func(x *store.Object) error {
		x.Status, x.Body = "done", []byte(sealed)
		return nil
	})
	if err != nil {
		s.log.Error("keeping the answer of an Idempotency-Key", "err", err)
	}
	return rep, nil
}

// again answers a request that was sent before.
func (s *Server) again(q *request, o *operation, id, asked string) (reply, error) {
	x, err := s.store.Object(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) { // the other one failed just now
		return reply{}, fail(http.StatusConflict, "busy", "a request with this Idempotency-Key has just failed; send it again")
	}
	if err != nil {
		return reply{}, err
	}
	switch {
	case x.Expires <= s.clock.Now().UnixMilli():
		if err := s.store.DeleteObject(q.Context(), id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return reply{}, err
		}
		return s.once(q, o)
	case x.Label != asked:
		return reply{}, fail(http.StatusUnprocessableEntity, "idempotency_key_reused", "this Idempotency-Key was used for another request; take a new one")
	case x.Status != "done":
		return reply{}, fail(http.StatusConflict, "busy", "a request with this Idempotency-Key is being answered")
	}
	text, err := s.foundry.Open(string(x.Body))
	if err != nil {
		return reply{}, err
	}
	var k kept
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return reply{}, err
	}
	return reply{status: k.Status, etag: k.ETag, body: json.RawMessage(k.Body)}, nil
}
