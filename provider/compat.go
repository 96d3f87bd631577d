package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Spec describes a place that speaks a known dialect over plain HTTP with a key in a header, as nearly
// all of them do. One literal is a whole provider: see [Compat].
type Spec struct {
	Name  string // as in the configuration
	Title string // as people write it

	// BaseURL is the address as an SDK of the dialect wants it: with the version for OpenAI's
	// ("https://api.x.ai/v1"), without it for Anthropic's. "" where every connection must give its own.
	BaseURL string
	Local   bool     // on the owner's own machine by default
	Env     []string // environment variables in which the vendor's own tools look for the key

	Dialect func() *dialect.Dialect
	// Paths are below the base URL, by operation; nil are the dialect's usual ones. {model} stands for
	// the model's id, and a query may follow.
	Paths map[llm.Op]string
	// StreamPaths are those of streamed answers, where they differ.
	StreamPaths map[llm.Op]string
	// CountsTokens says that a place with the usual paths counts tokens: Anthropic's count_tokens, or
	// input_tokens of Responses.
	CountsTokens bool
	// Serves lists the operations besides answers that a place with the usual paths has.
	Serves []llm.Op
	// Vendor says that the place is the dialect's own vendor. It holds at any address: whoever puts a
	// proxy of the vendor's API into a connection of the vendor's kind means the vendor.
	Vendor bool

	KeyHeader   string // the header that carries the bare key; "" is Authorization, with Bearer
	KeyOptional bool
	KeyAnywhere bool        // the owner may name the header, by auth_header
	Header      http.Header // sent with every request
	Options     []Option
	Traits      plenum.Traits

	// Also lists further dialects that the place speaks. A connection chooses one by its dialect.
	Also []Face
}

// Face is a place as seen by those who speak another of its dialects. Its fields are those of [Spec].
type Face struct {
	BaseURL      string
	Dialect      func() *dialect.Dialect
	Paths        map[llm.Op]string
	StreamPaths  map[llm.Op]string // where a streamed answer has a path of its own
	CountsTokens bool
	Serves       []llm.Op
	KeyHeader    string
	Header       http.Header
	// Beside says that the dialect is spoken at the same address and with the same key as the place's own,
	// for the same models: callers of it are answered in it where the connection chose no dialect.
	Beside bool
}

// Option is a setting that a place has besides the usual ones.
type Option struct {
	Field
	Header string // the header that it is sent in; "" where it is not
}

// Names of fields that more than one kind has.
const (
	fieldKey     = "api_key"
	fieldBase    = "base_url"
	fieldDialect = "dialect"
	fieldHeader  = "auth_header"
)

// Compat makes a Kind of a Spec.
func Compat(s Spec) Kind {
	k := Kind{Name: s.Name, Title: s.Title, BaseURL: s.BaseURL, Local: s.Local, Traits: s.Traits, Fields: s.fields()}
	for _, f := range s.faces() {
		k.Dialects = append(k.Dialects, f.Dialect().Name)
	}
	if len(k.Dialects) > 1 {
		k.Fields = append(k.Fields, s.dialectField(k.Dialects))
	}
	k.New = func(in Settings) (Provider, error) {
		if err := Check(k.Fields, in); err != nil {
			return nil, err
		}
		return s.open(in)
	}
	return k
}

// dialectField is the setting by which a connection chooses a dialect. It has no default where the caller's
// own dialect decides as long as nothing was chosen.
func (s *Spec) dialectField(names []string) Field {
	f := Field{Name: fieldDialect, Title: "Dialect", Default: names[0]}
	f.Help = "The dialect to call it in: " + strings.Join(names, " or ") + "."
	for _, g := range s.Also {
		if g.Beside {
			f.Default = ""
			f.Help += " Left out it is " + names[0] + ", and " + g.Dialect().Name + " for callers who speak that."
		}
	}
	return f
}

func (s *Spec) fields() []Field {
	fs := []Field{
		{
			Name: fieldKey, Title: "API key", Secret: true, Required: !s.KeyOptional, Env: s.Env,
			Help: "The key for " + s.Title + ".",
		},
		{
			Name: fieldBase, Title: "Base URL", Required: s.BaseURL == "", Default: s.BaseURL,
			Help: "The address, as an SDK of the dialect wants it.",
		},
	}
	if s.KeyAnywhere {
		fs = append(fs, Field{
			Name: fieldHeader, Title: "Key header",
			Help: "The header that carries the bare key; left out it is " + headerText(s.KeyHeader) + ".",
		})
	}
	for _, o := range s.Options {
		fs = append(fs, o.Field)
	}
	return fs
}

func headerText(name string) string {
	if name == "" {
		return "Authorization, with Bearer"
	}
	return name
}

// faces returns the dialects of the place, the Spec's own first.
func (s *Spec) faces() []Face {
	own := Face{
		BaseURL: s.BaseURL, Dialect: s.Dialect, Paths: s.Paths, StreamPaths: s.StreamPaths, CountsTokens: s.CountsTokens,
		Serves: s.Serves, KeyHeader: s.KeyHeader, Header: s.Header,
	}
	return append([]Face{own}, s.Also...)
}

// face returns the one that a connection chose.
func (s *Spec) face(name string) (Face, bool, error) {
	faces := s.faces()
	if name == "" {
		return faces[0], true, nil
	}
	for i, f := range faces {
		if f.Dialect().Name == name {
			return f, i == 0, nil
		}
	}
	return Face{}, false, fmt.Errorf("dialect: %s does not speak %q", s.Title, name)
}

// open makes the provider of a connection whose settings have been checked.
func (s *Spec) open(in Settings) (Provider, error) {
	f, own, err := s.face(in.Options[fieldDialect])
	if err != nil {
		return nil, err
	}
	if in.BaseURL == "" || trimSlash(in.BaseURL) == trimSlash(s.BaseURL) {
		in.BaseURL = f.BaseURL // the kind's own address stands for that of the chosen dialect
	}
	base, err := ParseBaseURL(in.BaseURL)
	if err != nil {
		return nil, err
	}
	at := newAddress(base, f.BaseURL, f.paths()[llm.OpGenerate])
	p := &place{title: s.Title, beside: map[string]map[call]*Plan{}}
	if p.plans, err = s.plans(f, at, own); err != nil {
		return nil, err
	}
	for _, g := range s.Also {
		if !g.Beside || in.Options[fieldDialect] != "" {
			continue
		}
		if p.beside[g.Dialect().Name], err = s.plans(g, at, own); err != nil {
			return nil, err
		}
	}
	if !own && f.Beside {
		err = s.rest(p, at)
	}
	if err != nil {
		return nil, err
	}
	p.header, err = s.signature(f, in)
	p.warnings = warnings(base, in)
	return p, err
}

// rest adds the operations that the place has in its own dialect alone, for a connection that chose another
// at the same address.
func (s *Spec) rest(p *place, at address) error {
	own, err := s.plans(s.faces()[0], at, true)
	for c, plan := range own {
		if _, has := p.plans[c]; !has {
			p.plans[c] = plan
		}
	}
	return err
}

// paths returns the paths of a face's operations.
func (f *Face) paths() map[llm.Op]string {
	if f.Paths != nil {
		return f.Paths
	}
	paths, name := usualPaths(f.Dialect().Name, f.CountsTokens), f.Dialect().Name
	for _, op := range f.Serves {
		if path := usualPath(name, op); path != "" {
			paths[op] = path
		}
	}
	return paths
}

// plans makes the plans of a face. own tells whether the dialect is the vendor's own.
func (s *Spec) plans(f Face, at address, own bool) (map[call]*Plan, error) {
	d := f.Dialect()
	plans := map[call]*Plan{}
	for op, path := range f.paths() {
		c := d.Codec(op)
		if c == nil {
			return nil, fmt.Errorf("%s: the dialect %s has no %s", s.Name, d.Name, op)
		}
		plan := Plan{
			Dialect: d, Codec: c, Method: http.MethodPost, URL: at.join(path), Framing: framing(d),
			Header: f.Header.Clone(), Vendor: s.Vendor && (own || f.Beside),
		}
		for _, stream := range []bool{false, true} {
			shared := plan
			if path := f.StreamPaths[op]; stream && path != "" {
				shared.URL = at.join(path)
			}
			plans[call{op, stream}] = &shared
		}
	}
	if len(plans) == 0 {
		return nil, fmt.Errorf("%s: no paths are known for the dialect %s", s.Name, d.Name)
	}
	return plans, nil
}

// framing tells how a dialect's streams are cut into frames.
func framing(d *dialect.Dialect) Framing {
	switch d.Streams {
	case dialect.NDJSON:
		return NDJSON
	case dialect.EventStream:
		return EventStream
	case dialect.GRPC:
		return GRPC
	}
	return SSE
}

// usualPaths returns the paths of a dialect's operations below a base URL as its own SDKs want it.
func usualPaths(name string, counts bool) map[llm.Op]string {
	switch {
	case name == "openai":
		return map[llm.Op]string{llm.OpGenerate: "/chat/completions"}
	case name == "responses" && counts:
		return map[llm.Op]string{llm.OpGenerate: "/responses", llm.OpCountTokens: "/responses/input_tokens"}
	case name == "responses":
		return map[llm.Op]string{llm.OpGenerate: "/responses"}
	case name == "anthropic" && counts:
		return map[llm.Op]string{llm.OpGenerate: "/v1/messages", llm.OpCountTokens: "/v1/messages/count_tokens"}
	case name == "anthropic":
		return map[llm.Op]string{llm.OpGenerate: "/v1/messages"}
	}
	return nil
}

// signature returns a function that puts the credential, the options and the connection's own headers
// into a request. The values live in the function alone, where nothing that prints or walks a provider
// comes upon them.
func (s *Spec) signature(f Face, in Settings) (func(http.Header), error) {
	values := http.Header{}
	name := f.KeyHeader
	if s.KeyAnywhere && in.Options[fieldHeader] != "" {
		name = in.Options[fieldHeader]
	}
	if !token(name) && name != "" {
		return nil, errors.New(fieldHeader + " is not the name of a header")
	}
	if key := in.Credentials[fieldKey]; !key.Empty() && name == "" {
		values.Set("Authorization", "Bearer "+key.Reveal())
	} else if !key.Empty() {
		values.Set(name, key.Reveal())
	}
	for _, o := range s.Options {
		if v := in.Options[o.Name]; v != "" && o.Header != "" {
			values.Set(o.Header, v)
		}
	}
	for name, v := range in.Header { // last: what the owner says in so many words holds
		values[http.CanonicalHeaderKey(name)] = slices.Clip(slices.Clone(v))
	}
	return func(h http.Header) { maps.Copy(h, values) }, nil
}

// Check reports the first fault of a connection's settings: a required field without a value, a field
// that the kind does not have, or a value that no header can carry. It never repeats a value.
func Check(fields []Field, in Settings) error {
	known := map[string]bool{}
	for _, f := range fields {
		known[f.Name] = true
		if err := f.check(in); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Credentials)) {
		if !known[name] {
			return fmt.Errorf("credentials.%s: there is no such credential", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Options)) {
		if !known[name] {
			return fmt.Errorf("%s: there is no such setting", name)
		}
	}
	return nil
}

func (f *Field) check(in Settings) error {
	path, value := f.Name, in.Options[f.Name]
	switch {
	case f.Secret:
		path, value = "credentials."+f.Name, in.Credentials[f.Name].Reveal()
	case f.Name == fieldBase:
		value = in.BaseURL
	}
	switch {
	case value == "" && f.Required && f.Default == "" && !f.excused(in):
		return fmt.Errorf("%s is missing%s", path, fromEnv(f.Env))
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%s holds a line break or another control character", path)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("%s begins or ends with a space", path)
	}
	return nil
}

// excused reports whether a field that is required is not, for what else was given.
func (f *Field) excused(in Settings) bool {
	return slices.ContainsFunc(f.Unless, func(other string) bool {
		return in.Options[other] != "" || !in.Credentials[other].Empty()
	})
}

// fromEnv shows how to take a field from the environment.
func fromEnv(names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, 0, len(names))
	for _, n := range names {
		quoted = append(quoted, `"${env:`+n+`}"`)
	}
	return "; it can be taken from the environment: " + strings.Join(quoted, " or ")
}

func token(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return s != ""
}

// warnings says what is unwise about a connection without being wrong.
func warnings(base *url.URL, in Settings) []string {
	if base.Scheme != "http" || private(base.Hostname()) {
		return nil
	}
	return []string{
		"the connection " + in.Connection + " goes over plain http to another network: the key and every prompt can be read on the way; use https",
	}
}
