package plenum

import (
	"iter"
	"slices"

	"github.com/plenum-foundry/plenum/llm"
)

// Record is what is kept of one call: the one wide event that the log line, the usage record and the
// audit entry are made from. It holds no content and no secret.
type Record struct {
	ID         string `json:"id"`
	Parent     string `json:"parent,omitempty"` // the call that made this one
	Start      int64  `json:"start_us"`         // Unix microseconds
	End        int64  `json:"end_us,omitempty"`
	Op         llm.Op `json:"op,omitempty"`
	Dialect    string `json:"dialect,omitempty"` // the caller's
	Method     string `json:"method,omitempty"`
	Path       string `json:"path,omitempty"` // without its query
	Remote     string `json:"remote,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
	KeyID      string `json:"key,omitempty"`
	Project    string `json:"project,omitempty"`
	Member     string `json:"member,omitempty"` // whom the key is of
	Tags       string `json:"tags,omitempty"`   // what the caller says that the call is for: see [ParseTags]
	Asked      string `json:"model,omitempty"`  // what the caller put in `model`
	Deployment string `json:"deployment,omitempty"`
	Config     string `json:"config,omitempty"` // the configuration snapshot's version
	Stream     bool   `json:"stream,omitempty"`

	Status    int       `json:"status,omitempty"`
	Outcome   Outcome   `json:"outcome,omitempty"`
	ErrorKind llm.Kind  `json:"error_kind,omitempty"`
	Error     string    `json:"error,omitempty"`         // for the operator; scrubbed
	FirstByte int64     `json:"first_byte_us,omitempty"` // microseconds after Start, the first content
	Stop      string    `json:"stop,omitempty"`
	Usage     Tokens    `json:"usage"`
	Cost      Micros    `json:"cost_micros"`
	Priced    bool      `json:"priced"` // false: no price was known, Cost is 0 for that reason
	Estimated bool      `json:"estimated,omitempty"`
	Target    string    `json:"target,omitempty"` // id of the offer that answered
	Attempts  []Attempt `json:"attempts,omitempty"`
	Lost      []string  `json:"lost,omitempty"`
	Changed   []string  `json:"changed,omitempty"`
	Cache     string    `json:"cache,omitempty"`
	Guardrail string    `json:"guardrail,omitempty"`
	Policy    string    `json:"policy,omitempty"` // the rule that decided, with the version of the policies
	Notes     []string  `json:"notes,omitempty"`
	BytesIn   int64     `json:"bytes_in,omitempty"`
	BytesOut  int64     `json:"bytes_out,omitempty"`
	Raw       bool      `json:"raw,omitempty"` // the bytes passed within one dialect
	Charges   []Charge  `json:"charges,omitempty"`
	// Held is what budgets hold for the call at the moment, and HeldOf of which accounts. It is not kept.
	Held   Micros   `json:"-"`
	HeldOf []Charge `json:"-"`
}

// Charge is what a call spent of an account, such as a budget's: micro-dollars, or whatever the account counts.
type Charge struct {
	Account string `json:"account"`
	Slot    int64  `json:"slot"` // in which part of the account's window: see [Window.Slot]
	Amount  int64  `json:"amount"`
}

// Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	OutcomeOK       Outcome = "ok"
	OutcomeError    Outcome = "error"
	OutcomeRefused  Outcome = "refused"  // by Plenum, before any upstream was called
	OutcomeCanceled Outcome = "canceled" // the caller went away
	OutcomeLost     Outcome = "lost"     // the node died in the middle; settled at the next start
)

// Attempt is one try at one target. A call is billed by attempt: one that consumed tokens is paid for,
// whether or not its answer reached the caller.
type Attempt struct {
	N         int      `json:"n"` // from 1
	Target    string   `json:"target"`
	Provider  string   `json:"provider,omitempty"`
	Upstream  string   `json:"upstream,omitempty"` // the model's id at the connection
	Model     string   `json:"model,omitempty"`    // publisher/name in the catalog
	Region    string   `json:"region,omitempty"`
	Start     int64    `json:"start_us"`
	End       int64    `json:"end_us,omitempty"`
	Status    int      `json:"status,omitempty"`
	RequestID string   `json:"request_id,omitempty"` // the upstream's
	ErrorKind llm.Kind `json:"error_kind,omitempty"`
	Error     string   `json:"error,omitempty"`
	Usage     Tokens   `json:"usage"`
	Cost      Micros   `json:"cost_micros"`
	Costs     Costs    `json:"costs,omitzero"` // the parts of Cost
	Priced    bool     `json:"priced"`
	Estimated bool     `json:"estimated,omitempty"`
	Won       bool     `json:"won,omitempty"`
	Charges   []Charge `json:"-"` // they are kept with the call
}

// Tokens is a usage as it is recorded: the classes, without what a dialect added.
type Tokens struct {
	Input        int64 `json:"input,omitempty"`
	CacheRead    int64 `json:"cache_read,omitempty"`
	CacheWrite5m int64 `json:"cache_write_5m,omitempty"`
	CacheWrite1h int64 `json:"cache_write_1h,omitempty"`
	InputAudio   int64 `json:"input_audio,omitempty"`
	InputImage   int64 `json:"input_image,omitempty"`
	Output       int64 `json:"output,omitempty"`
	Reasoning    int64 `json:"reasoning,omitempty"`
	OutputAudio  int64 `json:"output_audio,omitempty"`
	OutputImage  int64 `json:"output_image,omitempty"`
	Searches     int64 `json:"searches,omitempty"`
	Images       int64 `json:"images,omitempty"`
	Characters   int64 `json:"characters,omitempty"`
	Seconds      int64 `json:"seconds,omitempty"`
}

// Costs are the parts of a cost by the class of usage that each is for, in micro-dollars. They add up to it exactly.
type Costs Tokens

// TokensOf returns the classes of a usage.
func TokensOf(u llm.Usage) Tokens {
	return Tokens{
		u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.InputAudio, u.InputImage,
		u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.Searches,
		u.Images, u.Characters, u.Seconds,
	}
}

// Add adds an attempt and what it consumed. A call is priced if every attempt that consumed anything is.
func (r *Record) Add(a Attempt) {
	consumed := a.Usage != Tokens{}
	switch {
	case len(r.Attempts) == 0:
		r.Priced = a.Priced
	case consumed:
		r.Priced = r.Priced && a.Priced
	}
	r.Attempts = append(r.Attempts, a)
	r.Usage = r.Usage.Add(a.Usage)
	r.Cost += a.Cost
	r.Estimated = r.Estimated || a.Estimated
	r.Charges = AddCharges(r.Charges, a.Charges)
}

// AddCharges adds charges to a list that has one for each account and slot.
func AddCharges(list, more []Charge) []Charge {
	for _, c := range more {
		i := slices.IndexFunc(list, func(o Charge) bool { return o.Account == c.Account && o.Slot == c.Slot })
		if i < 0 {
			list = append(list[:len(list):len(list)], c)
			continue
		}
		list = slices.Clone(list)
		list[i].Amount += c.Amount
	}
	return list
}

// Classes yields every class with its count, in a fixed order, zeros included.
func (t Tokens) Classes() iter.Seq2[llm.Class, int64] {
	return llm.Usage{
		Input: t.Input, CacheRead: t.CacheRead, CacheWrite5m: t.CacheWrite5m, CacheWrite1h: t.CacheWrite1h,
		InputAudio: t.InputAudio, InputImage: t.InputImage, Output: t.Output, Reasoning: t.Reasoning,
		OutputAudio: t.OutputAudio, OutputImage: t.OutputImage, Searches: t.Searches,
		Images: t.Images, Characters: t.Characters, Seconds: t.Seconds,
	}.Classes()
}

// Add returns the sum of two.
func (t Tokens) Add(u Tokens) Tokens {
	return Tokens{
		t.Input + u.Input, t.CacheRead + u.CacheRead, t.CacheWrite5m + u.CacheWrite5m, t.CacheWrite1h + u.CacheWrite1h,
		t.InputAudio + u.InputAudio, t.InputImage + u.InputImage, t.Output + u.Output, t.Reasoning + u.Reasoning,
		t.OutputAudio + u.OutputAudio, t.OutputImage + u.OutputImage, t.Searches + u.Searches,
		t.Images + u.Images, t.Characters + u.Characters, t.Seconds + u.Seconds,
	}
}
