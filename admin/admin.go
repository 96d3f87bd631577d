// Package admin is the management API, /admin/v1: what is declared, keys, what was called and what it cost.
//
// Its operations are one table, which the routes, the checks of who may do what, and the OpenAPI document are made
// from. What a file declares is read here and cannot be changed here; everything else that a file can declare one by
// one can be declared here as well, in the same words, and is checked whole before anything is kept.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/store"
)

// Prefix is where the management API begins.
const Prefix = "/admin/v1"

// Foundry is the running node that is managed.
type Foundry interface {
	// Snapshot returns the configuration in force.
	Snapshot() *config.Snapshot
	// Check reports what is wrong with a set of items as a whole, beside what the file in force declares.
	Check(items []config.Item) error
	// MayDeploy says why somebody may not make some of the deployments of such a set, as policies have it.
	MayDeploy(a Actor, items []config.Item, names []string) error
	// Take takes over what the store has now.
	Take(ctx context.Context) error
	// Left tells of items that are kept and not in force, and why.
	Left() config.Problems
	// Who returns who sends a request, or a *Problem.
	Who(r *http.Request) (Actor, error)
	// Seal and Open keep secrets in the store.
	Seal(plain string) (string, error)
	Open(sealed string) (string, error)
	// NewKey makes the secret of a key.
	NewKey(k plenum.Key) (plenum.Secret, plenum.Key, error)
	// Audit writes down what somebody did.
	Audit(e Entry)
}

// Entry is what the audit is told of a request.
type Entry struct {
	Actor  Actor
	Action string // such as "create"
	Noun   string
	Name   string
	Status int
	Reason string // why it was refused
	Config string // the version in force before
	Before []byte // as JSON, without secrets; nil where there was nothing
	After  []byte
}

// Server is the management API.
type Server struct {
	foundry    Foundry
	store      store.Store
	clock      clock.Clock
	log        *slog.Logger
	operations []*operation
	mux        *http.ServeMux
	document   []byte
}

// New returns the management API of a node.
func New(f Foundry, s store.Store, c clock.Clock, log *slog.Logger) *Server {
	v := &Server{foundry: f, store: s, clock: c, log: log, mux: http.NewServeMux()}
	for _, n := range config.Nouns() {
		v.add(v.resource(n)...)
	}
	v.add(v.keys()...)
	v.add(v.records()...)
	v.add(v.declarations()...)
	v.document = v.openAPI()
	return v
}

func (s *Server) add(ops ...*operation) {
	for _, o := range ops {
		s.operations = append(s.operations, o)
		s.mux.HandleFunc(o.method+" "+Prefix+o.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, o) })
	}
}

// ServeHTTP answers a request under Prefix.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path == Prefix+"/openapi.json" && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.document)
		return
	}
	_, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	if _, err := s.foundry.Who(r); err != nil { // who may not be here learns nothing of what is
		s.refuse(w, r, err)
		return
	}
	if allowed := s.allowed(r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		fail(http.StatusMethodNotAllowed, "method_not_allowed", "this path takes "+strings.Join(allowed, ", ")).write(w)
		return
	}
	fail(http.StatusNotFound, "no_route", "there is no such path; GET "+Prefix+"/openapi.json describes those that there are").write(w)
}

// allowed returns the methods that a path takes.
func (s *Server) allowed(r *http.Request) []string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		q := r.Clone(r.Context())
		q.Method = m
		if _, pattern := s.mux.Handler(q); strings.HasPrefix(pattern, m+" ") {
			out = append(out, m)
		}
	}
	return out
}

// operation is one entry of the table.
type operation struct {
	method, path string // the path after Prefix, as http.ServeMux has it
	id, summary  string
	noun         string // of which things; the rights are to them
	verb         verb
	query        []param
	body         map[string]any // the JSON Schema of what is sent; nil where nothing is
	patch        bool           // a JSON merge patch is sent
	answers      map[int]map[string]any
	etag         bool // it takes If-Match or If-None-Match
	serve        func(q *request) (reply, error)
}

// param is a parameter of the query.
type param struct {
	name, doc string
	schema    map[string]any
}

// request is what an operation is given.
type request struct {
	*http.Request
	actor Actor
	reach reach
	body  []byte // what was sent, checked to be JSON
	dry   bool   // only say what would be
	entry *Entry
}

// reply is what it answers.
type reply struct {
	status int
	body   any // nil is nothing; []byte as it stands
	etag   string
	media  string // application/json if left out
}

// most bounds the body of a request.
const most = 16 << 20

// serve answers a request to an operation: who it is, whether they may, what they sent, and the audit of it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, o *operation) {
	e := &Entry{Action: o.id, Noun: o.noun, Config: s.foundry.Snapshot().Version}
	rep, err := s.run(r, o, e)
	if o.verb == write || err != nil {
		e.Status = rep.status
		if err != nil {
			p := problemOf(err)
			e.Status, e.Reason = p.Status, p.Error()
		}
		s.foundry.Audit(*e)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if rep.etag != "" {
		w.Header().Set("ETag", rep.etag)
	}
	if query(r, "dry_run") == "true" {
		w.Header().Set("Plenum-Dry-Run", "true")
	}
	s.send(w, r, rep)
}

func (s *Server) run(r *http.Request, o *operation, e *Entry) (reply, error) {
	actor, err := s.foundry.Who(r)
	e.Actor, e.Name = actor, r.PathValue("name") // also of whom nobody knows: where they came from is told
	if err != nil {
		return reply{}, err
	}
	q := &request{Request: r, actor: actor, entry: e}
	var may bool
	if q.reach, may = actor.reach(o.verb, o.noun); !may {
		return reply{}, fail(http.StatusForbidden, "forbidden", "your roles do not let you "+string(o.verb)+" "+o.noun)
	}
	if err := o.check(q); err != nil {
		return reply{}, err
	}
	if q.body, err = o.read(r); err != nil {
		return reply{}, err
	}
	return s.once(q, o)
}

// check looks at the query: what nobody asks for is refused, for it is mostly mistyped.
func (o *operation) check(q *request) error {
	for name, values := range q.URL.Query() {
		p := o.param(name)
		if p == nil {
			return fail(http.StatusBadRequest, "unknown_parameter", "there is no parameter "+strconv.Quote(name)+" here"+o.known())
		}
		if len(values) != 1 {
			return fail(http.StatusBadRequest, "repeated_parameter", "the parameter "+name+" is given more than once")
		}
	}
	switch v := query(q.Request, "dry_run"); v {
	case "", "false":
	case "true":
		q.dry = true
	default:
		return fail(http.StatusBadRequest, "bad_parameter", "dry_run is true or false")
	}
	return nil
}

func (o *operation) param(name string) *param {
	for i := range o.query {
		if o.query[i].name == name {
			return &o.query[i]
		}
	}
	return nil
}

func (o *operation) known() string {
	if len(o.query) == 0 {
		return "; this path takes none"
	}
	var names []string
	for _, p := range o.query {
		names = append(names, p.name)
	}
	return "; there are " + strings.Join(names, ", ")
}

// read reads the body of a request that has one.
func (o *operation) read(r *http.Request) ([]byte, error) {
	if o.body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, fail(http.StatusBadRequest, "unreadable", "the body could not be read to its end")
	case len(b) > most:
		return nil, fail(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than 16 MiB")
	case len(strings.TrimSpace(string(b))) == 0:
		return nil, fail(http.StatusBadRequest, "empty", "the body is empty; it is JSON")
	case !json.Valid(b):
		return nil, fail(http.StatusBadRequest, "not_json", "the body is not JSON")
	}
	return b, nil
}

func query(r *http.Request, name string) string { return r.URL.Query().Get(name) }

func (s *Server) send(w http.ResponseWriter, r *http.Request, rep reply) {
	if rep.etag != "" && r.Method == http.MethodGet && matches(r.Header.Get("If-None-Match"), rep.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if rep.body == nil {
		w.WriteHeader(rep.status)
		return
	}
	b, ok := rep.body.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(rep.body); err != nil {
			s.refuse(w, r, err)
			return
		}
		b = append(b, '\n')
	}
	media := rep.media
	if media == "" {
		media = "application/json"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(rep.status)
	_, _ = w.Write(b)
}

// refuse tells a problem.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if cause := errors.Unwrap(p); cause != nil && p.Status >= 500 {
		s.log.Error("answering the management API", "method", r.Method, "path", r.URL.Path, "err", cause)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	p.write(w)
}

// matches reports whether a header such as If-Match names a tag.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}
