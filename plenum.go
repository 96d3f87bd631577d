// Package plenum holds the nouns of Plenum, an AI foundry that you own: deployments and the offers
// that they bind, keys, prices, secrets and the record of a call. It says what things are; the
// packages beside it say what is done with them.
//
// It imports the standard library and llm, and nothing else of the project.
package plenum

import "time"

// Product is the name and Version the version that the binary reports of itself.
const (
	Product = "plenum"
	Version = "0.1.0"
)

// DefaultProject is the project of whoever names none.
const DefaultProject = "default"

// Offer is one model at one connection: where the truth about limits, quirks and price lives. The same
// model at four hosts is four offers.
type Offer struct {
	ID         string // stable: "connection/upstream_model"
	Connection string // name of the configured connection
	Provider   string // kind of the connection: "xai", "azure", ...
	Model      string // publisher/name in the catalog, such as "xai/grok-4.7"; "" where unknown
	Upstream   string // the model's id at the connection
	Region     string
	// Terms names the terms of use that a project accepts before it is served here; "" is none.
	Terms string
	// License is that of the model's weights, where it is declared; "" leaves it to the catalog.
	License string

	Context   int // most tokens of input and output together; 0 is unknown
	MaxOutput int // most tokens of output; 0 is unknown

	Traits Traits
	Price  Price
}

// Traits are the ways in which a host's version of a dialect differs from the plain one. They are data
// on the offer, so that no codec asks which provider it talks to. The zero Traits is the vendor's own
// dialect.
type Traits struct {
	// MaxTokensField names the field for the cap on output where a host or model knows only one of
	// them: "max_tokens" or "max_completion_tokens". "" leaves the codec its default.
	MaxTokensField string
	// DefaultMaxOut is the cap set where the dialect needs one (Anthropic) and the caller gave none.
	DefaultMaxOut int
	// Refuses lists parameters that the host answers with an error, by their names in its dialect.
	Refuses []string
	// NoStreamUsage says that the host refuses stream_options; usage is then estimated.
	NoStreamUsage bool
	// NoDeveloper says that the host knows no developer role; such messages are sent as system ones.
	NoDeveloper bool
	// ReasoningField is the field in which the host shows reasoning in chat completions:
	// "reasoning_content" (default) or "reasoning".
	ReasoningField string
	// Betas lists the anthropic-beta values that a host other than the vendor accepts; nil passes all.
	Betas []string
	// Effort says that the host takes how hard to think as a word (Anthropic's output_config.effort with
	// adaptive thinking) and not only as a number of tokens.
	Effort bool
	// Unsigned says that the host takes thinking without a signature back. Anthropic itself refuses it,
	// so that such thinking, which another vendor made, is left out.
	Unsigned bool
	// NoState says that a host which speaks Responses keeps no answers, so that Plenum does where it may.
	NoState bool
	// PlainSchema says that the host takes schemas only in the subset of OpenAPI's that Gemini began with,
	// and not as JSON Schema.
	PlainSchema bool
	// SchemaRefuses lists words of JSON Schema that the host refuses in the shape of an answer and in the tools
	// whose arguments it holds to their schema. "minItems>1" is refused where it is more than 1.
	SchemaRefuses []string
	// LeakedCalls says that the host leaves calls of tools in the model's text, where they are to be looked for.
	LeakedCalls bool
	// NoForcedWithThinking and the like are found out by probing; see Capabilities.
	Capabilities Capabilities
}

// Capabilities are what an offer can do, as declared or probed. Unknown is neither yes nor no.
type Capabilities struct {
	Tools, Images, Documents, Audio, Schema, Thinking, Streaming, Logprobs Tri
}

// Tri is yes, no or unknown. The zero Tri is unknown.
type Tri int8

// The values of a Tri.
const (
	Unknown Tri = iota
	Yes
	No
)

// Target is an offer as a deployment uses it.
type Target struct {
	Offer    Offer
	Weight   int
	Priority int // lower is tried first
}

// Deployment is the name that a caller puts in `model`, and what it binds.
type Deployment struct {
	Name       string
	Aliases    []string // names, or patterns with * that stand for any run of characters
	Model      string
	Strategy   Strategy
	Targets    []Target
	Parameters ParamPolicy
	Structured Structured
	RefuseLoss bool // lossy: refuse
	Guardrail  string
	// Lifecycle lets calls on what the upstream keeps pass, which can be neither priced nor screened.
	Lifecycle bool
	// Opaque lets operations pass that a guardrail cannot read or a budget cannot price.
	Opaque bool
	// UnknownIDs lets requests name things at the vendor that Plenum knows nothing of; SharedIDs are those that
	// everyone may name, or their beginnings followed by a star.
	UnknownIDs bool
	SharedIDs  []string
	Retry      Retry
	Keep       Tri    // whether what is said through it may be kept; unknown leaves that to the whole
	Declared   string // the file that declares it; "" where it is kept in the store
}

// Strategy is how a deployment chooses among its targets.
type Strategy string

// The strategies.
const (
	Ordered  Strategy = "ordered"
	Weighted Strategy = "weighted"
	Latency  Strategy = "latency"
	Cost     Strategy = "cost"
	Headroom Strategy = "headroom"
	Affinity Strategy = "affinity"
)

// ParamPolicy is what is done with a parameter that the target refuses.
type ParamPolicy string

// The parameter policies.
const (
	ParamStrict ParamPolicy = "strict" // refuse the call
	ParamReport ParamPolicy = "report" // leave the parameter out and name it in plenum-changed
	ParamDrop   ParamPolicy = "drop"   // leave it out silently
	ParamPass   ParamPolicy = "pass"   // send it all the same
)

// Structured is how an answer gets the shape that its caller asks for (a JSON Schema, or any JSON object) where
// the host does not answer for it.
type Structured string

// The ways. Hosts that are known to hold to a schema are asked for it in each of them.
const (
	StructuredAuto   Structured = "auto"   // ask a host of which nothing is known; from one that cannot, get it by a tool, else by retry
	StructuredNative Structured = "native" // ask the host for it, whatever is known of it
	StructuredTool   Structured = "tool"   // force a tool whose input is the answer
	StructuredRetry  Structured = "retry"  // tell the model, check, and tell it what was wrong
	StructuredRefuse Structured = "refuse" // refuse the call where the host cannot
)

// Retry bounds how often and how long a call is tried again.
type Retry struct {
	Attempts int           // over all targets; 0 is the default
	MaxWait  time.Duration // the longest wait before an attempt; 0 is the default
}

// Principal is who makes a call.
type Principal struct {
	KeyID        string
	KeyName      string
	Project      string
	Organization string // that the project belongs to; "" is none, or not looked up yet
	Member       string
	Groups       []string // what policies may go by
	Admin        bool
	Scope        *Scope // what the key is good for; nil is for all
}

// Key is a caller's key as it is kept: its secret only as a MAC.
type Key struct {
	ID       string
	Name     string
	Project  string
	Member   string
	Groups   []string
	Prefix   string // the first characters of the secret, to tell keys apart in a list
	MAC      []byte // HMAC-SHA-256 of the secret under the node's pepper
	Before   []byte // the MAC of the secret that it had before it was rotated; nil where it had none
	Overlap  int64  // Unix milliseconds: until when that one is good as well
	Created  int64  // Unix milliseconds
	Expires  int64  // Unix milliseconds; 0 is never
	Revoked  int64  // Unix milliseconds; 0 is not
	Admin    bool   // opens the management API rather than models
	Scope    *Scope // what it is good for; nil is for all
	Declared string // the file that declares it; "" where it is kept in the store
}

// Principal returns who a call with this key is made by.
func (k *Key) Principal() Principal {
	return Principal{KeyID: k.ID, KeyName: k.Name, Project: k.Project, Member: k.Member, Groups: k.Groups, Admin: k.Admin, Scope: k.Scope}
}
