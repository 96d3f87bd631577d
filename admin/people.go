package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// Session is somebody who is signed in.
type Session struct {
	ID       string    `json:"id"`
	Member   string    `json:"member"`
	Provider string    `json:"identity_provider"`
	Way      string    `json:"way"` // browser or command line
	From     string    `json:"from"`
	Agent    string    `json:"agent,omitempty"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // at the latest
}

// Me is who asks.
type Me struct {
	Name     string `json:"name"`
	Roles    []Role `json:"roles"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Role is a role and where it holds.
type Role struct {
	Role         string `json:"role"`
	Organization string `json:"organization,omitempty"`
	Project      string `json:"project,omitempty"`
	Publisher    string `json:"publisher,omitempty"`
}

func (s *Server) people() []*operation {
	shown := schemaOf(reflect.TypeFor[Session]())
	return []*operation{
		{
			method: http.MethodGet, path: "/me", id: "whoami", summary: "Say who asks, and what they may do", noun: "me", verb: read, anyone: true,
			answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[Me]())}, serve: s.whoami,
		},
		{
			method: http.MethodGet, path: "/sessions", id: "list_sessions", summary: "List who is signed in", noun: "sessions", verb: read,
			query:   pages(param{"member", "Only the sessions of this member.", map[string]any{"type": "string"}}),
			answers: map[int]map[string]any{http.StatusOK: listSchema(shown)}, serve: s.listSessions,
		},
		{
			method: http.MethodDelete, path: "/sessions/{name}", id: "end_session", summary: "Sign somebody out, by the id of the session; every node knows at once", noun: "sessions", verb: write,
			answers: map[int]map[string]any{http.StatusNoContent: nil}, serve: s.endSession,
		},
	}
}

func (s *Server) whoami(q *request) (reply, error) {
	me := Me{Name: q.actor.Name, Roles: []Role{}, ReadOnly: q.actor.ReadOnly}
	for _, g := range q.actor.Grants {
		if r := (Role{string(g.Role), g.Organization, g.Project, g.Publisher}); !slices.Contains(me.Roles, r) {
			me.Roles = append(me.Roles, r)
		}
	}
	return reply{status: http.StatusOK, body: me}, nil
}

func (s *Server) listSessions(q *request) (reply, error) {
	if !q.reach.all {
		return reply{}, fail(http.StatusForbidden, "forbidden", "a role in a project alone does not let you see who is signed in")
	}
	all, err := s.foundry.Sessions(q.Context(), query(q.Request, "member"))
	if err != nil {
		return reply{}, err
	}
	slices.SortFunc(all, func(a, b Session) int { return strings.Compare(a.ID, b.ID) })
	return page(q, all, func(v *Session) string { return v.ID })
}

func (s *Server) endSession(q *request) (reply, error) {
	if !q.reach.all {
		return reply{}, fail(http.StatusForbidden, "forbidden", "a role in a project alone does not let you sign others out")
	}
	err := s.foundry.EndSession(q.Context(), q.PathValue("name"))
	if errors.Is(err, store.ErrNotFound) {
		return reply{}, fail(http.StatusNotFound, "not_found", "there is no session of that id; GET "+Prefix+"/sessions lists those that there are")
	}
	return reply{status: http.StatusNoContent}, err
}

// Declare has an item be what a function makes of it, as the program itself has it and not somebody who asks: nil takes it
// away, and the same as before changes nothing. It is checked, kept, audited and in force as any other change. What a file
// declares is an error.
func (s *Server) Declare(ctx context.Context, by Actor, list, name string, to func(was json.RawMessage) (json.RawMessage, error)) error {
	n, ok := config.NounOf(list)
	if !ok {
		return fmt.Errorf("there is no list %q", list)
	}
	by.Grants = []plenum.Grant{{Role: plenum.RoleOwner}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, Prefix+"/"+list, http.NoBody)
	if err != nil {
		return err
	}
	e := &Entry{Actor: by, Action: "declare_" + n.One, Noun: list, Name: name, Config: s.foundry.Snapshot().Version, Status: http.StatusOK}
	q := &request{Request: r, actor: by, reach: reach{all: true}, entry: e}
	_, err = s.change(q, n, name, func(was *store.Resource) ([]byte, error) {
		var before json.RawMessage
		if was != nil {
			shown, err := s.show(was)
			if err != nil {
				return nil, err
			}
			before = shown.Spec
		}
		after, err := to(before)
		if err == nil && string(after) == string(before) {
			return nil, errSame
		}
		if err == nil && e.ID == "" { // once, however often others are in between
			if err := s.foundry.Intend(e); err != nil {
				return nil, unwritable(err)
			}
		}
		return after, err
	})
	if errors.Is(err, errSame) {
		return nil
	}
	if err != nil {
		p := problemOf(err)
		e.Status, e.Reason = p.Status, p.Error()
	}
	if told := s.foundry.Audit(*e); told != nil && err == nil {
		err = untold(told)
	}
	return err
}

// errSame says that nothing is to be changed.
var errSame = errors.New("it is so already")
