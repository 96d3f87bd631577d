// Package scim is how a directory, such as Entra ID or Okta, keeps the people of a Plenum: /scim/v2, as RFC 7643 and
// RFC 7644 have it. A user that a directory makes is a member, one that it deactivates is shut out at once with
// their keys and sessions, and its groups are those of its members.
//
// What a directory sends is kept beside the members, in one change with them, so that it reads back what it
// wrote. Package admin knows nothing of it but the members.
package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
)

// Prefix is where it begins.
const Prefix = "/scim/v2"

// mostBody bounds what is sent.
const mostBody = 4 << 20

// Foundry is the running node whose people are kept.
type Foundry interface {
	// Who returns by what name the audit calls who sends a request, or a *Problem: they must be one who may see members,
	// or change them.
	Who(r *http.Request, change bool) (actor string, err error)
	// Declared returns the file that declares a member; "" where none does.
	Declared(member string) string
	// Keep checks changes beside all else that is declared, keeps them if nothing has changed since all was at, ends the
	// keys of members who go, and has it in force when it returns. It returns store.ErrMoved where something has changed.
	Keep(r *http.Request, all []store.Resource, at int64, changes []store.ResourceChange) error
	// Intend writes down what a directory is about to do, and gives it its ID; where that fails it must not be done.
	Intend(e *Event) error
	// Audit writes down what a directory did.
	Audit(e Event)
}

// Event is what the audit is told.
type Event struct {
	ID                              string // that Intend gave
	Actor, From, Action, Noun, Name string
	Status                          int
	Reason                          string
	Before, After                   []byte
}

// Server answers directories.
type Server struct {
	foundry Foundry
	store   store.Resources
	clock   clock.Clock
	log     *slog.Logger
	mux     *http.ServeMux
}

// New returns the SCIM server of a node.
func New(f Foundry, s store.Resources, c clock.Clock, log *slog.Logger) *Server {
	v := &Server{foundry: f, store: s, clock: c, log: log, mux: http.NewServeMux()}
	for _, t := range [...]*kind{users(), groups()} {
		at := "/" + t.path
		v.route("GET "+at, t, "list", v.list)
		v.route("POST "+at, t, "create", v.create)
		v.route("GET "+at+"/{id}", t, "get", v.get)
		v.route("PUT "+at+"/{id}", t, "replace", v.replace)
		v.route("PATCH "+at+"/{id}", t, "patch", v.patch)
		v.route("DELETE "+at+"/{id}", t, "delete", v.remove)
	}
	v.discovery()
	v.route("/", nil, "no_route", func(*request) (reply, error) {
		return reply{}, fail(http.StatusNotFound, "", "there is no such path; there are /Users, /Groups, /ServiceProviderConfig, /Schemas and /ResourceTypes")
	})
	return v
}

// Routes returns the methods and paths that are answered, with id standing for any.
func Routes() []string {
	var out []string
	for _, t := range [...]string{"Users", "Groups"} {
		at := Prefix + "/" + t
		out = append(out, "GET "+at, "POST "+at, "GET "+at+"/id", "PUT "+at+"/id", "PATCH "+at+"/id", "DELETE "+at+"/id")
	}
	for _, t := range [...]string{"ServiceProviderConfig", "Schemas", "ResourceTypes"} {
		out = append(out, "GET "+Prefix+"/"+t)
	}
	return out
}

// ServeHTTP answers a request under Prefix.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.StripPrefix(Prefix, s.mux).ServeHTTP(w, r)
}

// request is what an operation is given.
type request struct {
	*http.Request
	kind *kind
	base string         // the address of Prefix, as the directory has it
	body map[string]any // of those that have one
	note *Event
}

// reply is what it answers.
type reply struct {
	status   int
	body     any
	etag     string
	location string
}

// route has an operation answer a pattern: whoever may not be there is refused, and what changes something is written down.
func (s *Server) route(pattern string, t *kind, action string, serve func(*request) (reply, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		e := &Event{From: r.RemoteAddr, Action: "scim_" + action, Noun: "scim", Name: r.PathValue("id")}
		q := &request{Request: r, kind: t, base: base(r), note: e}
		if t != nil {
			e.Noun = t.stored
		}
		rep, err := s.run(q, serve)
		if err != nil || r.Method != http.MethodGet {
			e.Status = rep.status
			if err != nil {
				p := s.problemOf(r, err)
				e.Status, e.Reason = p.status, p.detail
			}
			s.foundry.Audit(*e)
		}
		if err != nil {
			s.problemOf(r, err).write(w)
			return
		}
		rep.write(w, r)
	})
}

func (s *Server) run(q *request, serve func(*request) (reply, error)) (reply, error) {
	var err error
	if q.note.Actor, err = s.foundry.Who(q.Request, q.Method != http.MethodGet); err != nil {
		return reply{}, err
	}
	if q.Method != http.MethodGet && q.Method != http.MethodDelete {
		b, err := io.ReadAll(io.LimitReader(q.Body, mostBody+1))
		switch {
		case err != nil:
			return reply{}, fail(http.StatusBadRequest, "", "the body could not be read to its end")
		case len(b) > mostBody:
			return reply{}, fail(http.StatusRequestEntityTooLarge, "", "the body is larger than 4 MiB")
		}
		if err := json.Unmarshal(b, &q.body); err != nil || q.body == nil {
			return reply{}, fail(http.StatusBadRequest, "invalidSyntax", "the body is no JSON object")
		}
	}
	if q.Method != http.MethodGet {
		if err := s.foundry.Intend(q.note); err != nil {
			s.log.Error("writing down what a directory changes", "method", q.Method, "path", q.URL.Path, "err", err)
			return reply{}, fail(http.StatusServiceUnavailable, "", "what is changed here cannot be written down at the moment (unrecorded), and so nothing was changed; send the request again")
		}
	}
	return serve(q)
}

// base is the address of Prefix as whoever sends a request has it.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host + Prefix
}

func (p *reply) write(w http.ResponseWriter, r *http.Request) {
	if p.etag != "" {
		w.Header().Set("ETag", p.etag)
	}
	if p.etag != "" && r.Method == http.MethodGet && names(r.Header.Get("If-None-Match"), p.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if p.location != "" {
		w.Header().Set("Location", p.location)
	}
	if p.body == nil {
		w.WriteHeader(p.status)
		return
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(p.body)
}

// names reports whether a header such as If-Match names a tag.
func names(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// Problem is a refusal, as RFC 7644 section 3.12 says it.
type Problem struct {
	status       int
	kind, detail string
}

// NewProblem returns a refusal with a status.
func NewProblem(status int, detail string) *Problem { return &Problem{status: status, detail: detail} }

// Error returns the detail.
func (p *Problem) Error() string { return p.detail }

func fail(status int, kind, format string, args ...any) *Problem {
	return &Problem{status: status, kind: kind, detail: fmt.Sprintf(format, args...)}
}

// problemOf returns what an error is told as. What nobody foresaw is told to the log alone.
func (s *Server) problemOf(r *http.Request, err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrMoved):
		return fail(http.StatusServiceUnavailable, "", "others are changing things at the same time; send the request again")
	}
	s.log.Error("answering a directory", "method", r.Method, "path", r.URL.Path, "err", err)
	return fail(http.StatusServiceUnavailable, "", "what Plenum keeps cannot be reached at the moment; send the request again")
}

func (p *Problem) write(w http.ResponseWriter) {
	body := map[string]any{"schemas": []string{errorURN}, "status": fmt.Sprint(p.status), "detail": p.detail}
	if p.kind != "" {
		body["scimType"] = p.kind
	}
	w.Header().Set("Content-Type", "application/scim+json")
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(body)
}
