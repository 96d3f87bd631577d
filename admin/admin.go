// Package admin is the management API, /admin/v1: what is declared, keys, what was called and what it cost.
//
// Its operations are one table, which the routes, the checks of who may do what, and the OpenAPI document are made
// from. What a file declares is read here and cannot be changed here; everything else that a file can declare one by
// one can be declared here as well, in the same words, and is checked whole before anything is kept.
package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/desk"
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
	// Catalog returns what is known of models.
	Catalog() *catalog.Catalog
	// Left tells of items that are kept and not in force, and why.
	Left() config.Problems
	// Who returns who sends a request, or a *Problem.
	Who(r *http.Request) (Actor, error)
	// Seal and Open keep secrets in the store.
	Seal(plain string) (string, error)
	Open(sealed string) (string, error)
	// NewKey makes the secret of a key.
	NewKey(k plenum.Key) (plenum.Secret, plenum.Key, error)
	// ImportKey makes a key of the SHA-256 of a secret that another gateway made.
	ImportKey(k plenum.Key, sum [32]byte) plenum.Key
	// Rotate makes another secret of a key; what it had stays good for the overlap.
	Rotate(k plenum.Key, overlap time.Duration) (plenum.Secret, plenum.Key, error)
	// AWSSecret returns what the SDKs of AWS sign with, whose access key is the key's id.
	AWSSecret(k *plenum.Key) plenum.Secret
	// Uses returns when keys were last used, in Unix milliseconds by their ids.
	Uses(ctx context.Context) (map[string]int64, error)
	// Balances returns the state of budgets and limits, by their accounts.
	Balances(ctx context.Context, a Asked) ([]Balance, error)
	// Carry puts on an account of a budget what was spent before it was here, and returns its state and what it was charged.
	Carry(ctx context.Context, c *Carried) (Balance, []plenum.Charge, error)
	// Probe finds out what the targets of a deployment can do, in calls of a key.
	Probe(ctx context.Context, deployment, capabilities, key string) (*Probed, error)
	// Explain says what policies decide on a call, and Retry what they would have decided on those of a time.
	Explain(ctx context.Context, q *Question) (*Explanation, error)
	Retry(ctx context.Context, t *Trial) (*Retrial, error)
	// Sessions returns who is signed in, and EndSession signs somebody out, or returns store.ErrNotFound.
	Sessions(ctx context.Context, member string) ([]Session, error)
	EndSession(ctx context.Context, id string) error
	// Intend writes down what somebody is about to do, and gives the entry its id. Where it fails nothing is done.
	Intend(e *Entry) error
	// Audit writes down what somebody did.
	Audit(e Entry) error
	// Desk is the vendor desk.
	Desk() *desk.Desk
}

// Entry is what the audit is told of a request.
type Entry struct {
	ID     string // as Intend gave it; "" where nothing was meant before
	Actor  Actor
	Action string // such as "create"
	Noun   string
	Name   string
	// Project is whose business it is, where neither Before nor After says so.
	Project string
	Status  int
	Reason  string // why it was refused
	Config  string // the version in force before
	// Charges are what it put on the accounts of budgets.
	Charges []plenum.Charge
	Before  []byte // as JSON, without secrets; nil where there was nothing
	After   []byte
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
	v.add(v.transcripts()...)
	v.add(v.catalogOperations()...)
	v.add(v.balances()...)
	v.add(v.reports()...)
	v.add(v.policies()...)
	v.add(v.probes()...)
	v.add(v.declarations()...)
	v.add(v.cards()...)
	v.add(v.people()...)
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
	anyone       bool                   // whoever may use this API may
	etag         bool                   // it takes If-Match or If-None-Match
	tells        func(q *request) error // it is written down before it is done though it changes nothing, with what this adds
	csv          bool                   // it answers with a table in text, in the place of JSON or beside it
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
	body   any // nil is nothing; []byte as it stands; func(io.Writer) error writes as much as there is
	etag   string
	media  string // application/json if left out
}

// most bounds the body of a request.
const most = 16 << 20

// serve answers a request to an operation: who it is, whether they may, what they sent, and the audit of it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, o *operation) {
	e := &Entry{Action: o.id, Noun: o.noun, Config: s.foundry.Snapshot().Version}
	rep, err := s.run(r, o, e)
	if o.verb == write || o.tells != nil || err != nil {
		e.Status = rep.status
		if err != nil {
			p := problemOf(err)
			e.Status, e.Reason = p.Status, p.Error()
		}
		if told := s.foundry.Audit(*e); told != nil && err == nil && e.ID != "" {
			err = untold(told)
		}
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
	if q.reach, may = actor.reach(s.foundry.Snapshot(), o.verb, o.noun); !may && !o.anyone {
		return reply{}, fail(http.StatusForbidden, "forbidden", "your roles do not let you "+string(o.verb)+" "+o.noun+hint(o))
	}
	if err := o.check(q); err != nil {
		return reply{}, err
	}
	if q.body, err = o.read(r); err != nil {
		return reply{}, err
	}
	if o.tells != nil {
		if err := o.tells(q); err != nil {
			return reply{}, err
		}
	}
	if (o.verb == write || o.tells != nil) && !q.dry {
		if err := s.foundry.Intend(e); err != nil {
			return reply{}, unwritable(err)
		}
	}
	return s.once(q, o)
}

// hint says whom to ask, where that is not plain.
func hint(o *operation) string {
	if o.noun == transcripts && o.verb == read {
		return ": who has the role reader may, and an owner gives it to members"
	}
	return ""
}

// unwritable refuses what cannot be written down.
func unwritable(err error) error {
	p := fail(http.StatusServiceUnavailable, "unrecorded", "what is done here cannot be written down at the moment (is the disk full?), and so nothing was done; try again")
	p.cause = err
	return p
}

// untold says that something was done of which only the beginning could be written down.
func untold(err error) error {
	p := fail(http.StatusServiceUnavailable, "half_recorded", "it was done, and the ledger has that it was begun; what came of it could not be written down (is the disk full?)")
	p.cause = err
	return p
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
	if write, ok := rep.body.(func(io.Writer) error); ok {
		s.stream(w, r, rep, write)
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

// stream sends what is written piece by piece. What goes wrong before the first piece is told as a problem; after it, the
// connection is cut: nobody shall take a part for the whole.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, rep reply, write func(io.Writer) error) {
	begun := &beginning{w: w, rep: rep}
	piece := bufio.NewWriterSize(begun, 1<<16)
	err := write(piece)
	if err == nil {
		err = piece.Flush()
	}
	switch {
	case err == nil:
		begun.begin() // where there was nothing to write
	case !begun.done:
		s.refuse(w, r, err)
	default:
		s.log.Warn("an answer of the management API was cut off", "path", r.URL.Path, "err", err)
		panic(http.ErrAbortHandler)
	}
}

// beginning writes the head of an answer before its first piece.
type beginning struct {
	w    http.ResponseWriter
	rep  reply
	done bool
}

func (b *beginning) begin() {
	if b.done {
		return
	}
	b.done = true
	media := b.rep.media
	if media == "" {
		media = "application/json"
	}
	b.w.Header().Set("Content-Type", media)
	b.w.WriteHeader(b.rep.status)
}

// Write sends a piece.
func (b *beginning) Write(p []byte) (int, error) {
	b.begin()
	return b.w.Write(p)
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
