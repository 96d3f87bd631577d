package signin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
)

// TokenPrefix begins the secret of every session.
const TokenPrefix = "plenum_st_"

// The kinds of objects that are kept here.
const (
	sessionKind = "session.member"
	deviceKind  = "session.device"
)

// ErrEnded says that a session is not, or not any more.
var ErrEnded = errors.New("you are not signed in, or not any more: sign in again")

// Session is a person who is signed in.
type Session struct {
	ID       string   `json:"id"`
	Member   string   `json:"member"`
	Provider string   `json:"provider"`
	Groups   []string `json:"groups,omitempty"` // those that the provider said they are in
	Way      string   `json:"way"`              // browser or command line
	From     string   `json:"from"`             // the address that they signed in from
	Agent    string   `json:"agent,omitempty"`
	Created  int64    `json:"created"` // Unix milliseconds
	Expires  int64    `json:"expires"` // at the latest; before, if nothing is asked
}

// Sessions are the people who are signed in. Any node knows them all, from the store.
type Sessions struct {
	store store.Objects
	clock clock.Clock
	mac   func(plenum.Secret) [32]byte
}

// NewSessions returns them. Of a secret its MAC is kept.
func NewSessions(s store.Objects, c clock.Clock, mac func(plenum.Secret) [32]byte) *Sessions {
	return &Sessions{s, c, mac}
}

// id returns the id of the object that belongs to a secret.
func (s *Sessions) id(kind string, secret plenum.Secret) string {
	mac := s.mac(secret)
	return kind + "_" + hex.EncodeToString(mac[:16])
}

// secret returns 256 random bits.
func secret(prefix string) plenum.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return plenum.NewSecret(prefix + base64.RawURLEncoding.EncodeToString(b))
}

// Begin signs somebody in for a time, and returns the session's secret.
func (s *Sessions) Begin(ctx context.Context, v Session, idle, most time.Duration) (plenum.Secret, Session, error) {
	token, now := secret(TokenPrefix), s.clock.Now()
	v.ID, v.Created, v.Expires = s.id(sessionKind, token), now.UnixMilli(), now.Add(most).UnixMilli()
	body, err := json.Marshal(v)
	if err != nil {
		return plenum.Secret{}, v, err
	}
	o := store.Object{
		ID: v.ID, Kind: sessionKind, Member: v.Member, Label: v.Member, Status: "open", Created: v.Created,
		Expires: now.Add(min(idle, most)).UnixMilli(), Body: body,
	}
	if err := s.store.CreateObject(ctx, o); err != nil {
		return plenum.Secret{}, v, fmt.Errorf("keeping the session: %w", err)
	}
	return token, v, nil
}

// Find returns the session of a secret, and keeps it open for so long after this request.
func (s *Sessions) Find(ctx context.Context, token plenum.Secret, idle time.Duration) (Session, error) {
	if !strings.HasPrefix(token.Reveal(), TokenPrefix) {
		return Session{}, ErrEnded
	}
	o, err := s.store.Object(ctx, s.id(sessionKind, token))
	if errors.Is(err, store.ErrNotFound) {
		return Session{}, ErrEnded
	}
	if err != nil {
		return Session{}, fmt.Errorf("finding the session: %w", err)
	}
	v, err := sessionOf(&o)
	now := s.clock.Now()
	if err != nil || o.Expires <= now.UnixMilli() {
		return Session{}, ErrEnded
	}
	until := min(now.Add(idle).UnixMilli(), v.Expires)
	if until-o.Expires > time.Minute.Milliseconds() { // not at every request
		_, err = s.store.UpdateObject(ctx, o.ID, func(o *store.Object) error { o.Expires = until; return nil })
		if err != nil {
			return Session{}, ErrEnded
		}
	}
	return v, nil
}

func sessionOf(o *store.Object) (v Session, err error) {
	if o.Kind != sessionKind {
		return v, ErrEnded
	}
	return v, json.Unmarshal(o.Body, &v)
}

// End ends a session, on every node at once.
func (s *Sessions) End(ctx context.Context, id string) error {
	o, err := s.store.Object(ctx, id)
	if err == nil && o.Kind != sessionKind {
		err = store.ErrNotFound
	}
	if err != nil {
		return err
	}
	return s.store.DeleteObject(ctx, id)
}

// All returns the sessions that are open: those of a member, or of everybody.
func (s *Sessions) All(ctx context.Context, member string) ([]Session, error) {
	var out []Session
	f := store.ObjectFilter{Kind: sessionKind, Label: member, Limit: 1000}
	for {
		page, err := s.store.Objects(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("listing the sessions: %w", err)
		}
		for i := range page {
			f.After, f.AfterCreated = page[i].ID, page[i].Created
			if v, err := sessionOf(&page[i]); err == nil && page[i].Expires > s.clock.Now().UnixMilli() {
				out = append(out, v)
			}
		}
		if len(page) < f.Limit {
			return out, nil
		}
	}
}
