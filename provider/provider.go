// Package provider is the seam to the places that serve models: where they are, how a request to them
// is addressed and signed, and which dialect they speak. A provider never looks inside a body.
package provider

import (
	"context"
	"net/http"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Provider is one configured place that serves models.
type Provider interface {
	// Plan says how to reach an operation of a model here. An operation that the place does not have
	// is an *llm.Error of kind NotFound.
	Plan(model string, op llm.Op, stream bool) (*Plan, error)
	// Sign adds the credential to a request whose body is given.
	Sign(ctx context.Context, r *http.Request, body []byte) error
}

// Polyglot is a Provider that speaks several dialects for the same models.
type Polyglot interface {
	// PlanIn is Plan for a caller of the named dialect: in that dialect if the place speaks it as well.
	PlanIn(dialect, model string, op llm.Op, stream bool) (*Plan, error)
}

// PlanFor says how to reach an operation of a model for a caller of the named dialect. A place that speaks
// it is spoken to in it, so that nothing needs to be translated.
func PlanFor(p Provider, dialect, model string, op llm.Op, stream bool) (*Plan, error) {
	if m, ok := p.(Polyglot); ok {
		return m.PlanIn(dialect, model, op, stream)
	}
	return p.Plan(model, op, stream)
}

// Warner is a Provider that has something to say to its owner that is no error.
type Warner interface {
	// Warnings returns sentences for the log. They hold no secret.
	Warnings() []string
}

// Plan is how one operation is reached. It is shared and must not be changed.
type Plan struct {
	Dialect *dialect.Dialect
	Codec   dialect.Codec
	Method  string
	URL     string
	Framing Framing
	Header  http.Header // sent besides the dialect's own headers; the credential is added by Sign
	// Vendor says that the place is the dialect's own vendor: every header of the dialect's namespace
	// passes. At any other place values like anthropic-beta pass by the offer's allow-list.
	Vendor bool
}

// Framing is how a streamed answer is cut into frames.
type Framing string

// The framings.
const (
	SSE    Framing = "sse"
	NDJSON Framing = "ndjson"
	// EventStream is the binary framing of AWS.
	EventStream Framing = "eventstream"
	// GRPC is messages with a head each, over HTTP/2, with the status in trailers.
	GRPC Framing = "grpc"
)

// Kind is a kind of place: what the registry, the configuration's check, the console's form and the
// documentation are made from.
type Kind struct {
	Name    string // as in the configuration: "xai"
	Title   string // as people write it: "xAI"
	BaseURL string // where the place is if the connection does not say; "" where it must
	Local   bool   // on the owner's own machine by default: it needs no credential
	Fields  []Field
	New     func(Settings) (Provider, error)
	// Dialects are the names of the dialects it speaks; calls are in the first unless a connection
	// chooses another.
	Dialects []string
	// Traits are the ways in which the place differs from the plain dialect, for every model there
	// unless the catalog or the configuration says more.
	Traits plenum.Traits
}

// Field is a setting or a credential of a Kind.
type Field struct {
	Name     string // as in the configuration: "api_key"
	Title    string
	Help     string
	Secret   bool // given under credentials, never shown
	Required bool
	Unless   []string // settings or credentials in whose presence it is not required
	Env      []string // environment variables in which the vendor's own tools look for it
	Default  string
}

// Settings is what a connection gives its provider.
type Settings struct {
	Connection  string
	BaseURL     string
	Credentials map[string]plenum.Secret
	Options     map[string]string // the Fields that are not secret
	Header      http.Header       // sent with every request
}

// Timeouts bound a call to an upstream. Zero is the default.
type Timeouts struct {
	Connect   time.Duration // until connected, TLS included; 5 s
	FirstByte time.Duration // from the request until the first content; 120 s
	Idle      time.Duration // between two pieces of an answer; 60 s
	Total     time.Duration // for all of it; 15 min
}
