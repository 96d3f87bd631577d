package anthropic

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// The members that Peek looks for, in the order of peekKeys.
const (
	atModel = iota
	atStream
	atMaxTokens
	atMessages
	atSystem
	atOutput
	atFormat
	peeked
)

func peekKeys() [peeked]string {
	return [peeked]string{"model", "stream", "max_tokens", "messages", "system", "output_config", "output_format"}
}

// spans is where Peek found what EditRequest may change.
type spans struct {
	object splice.Object
	found  [peeked]splice.Member
	names  dialect.Names
}

// Peek implements dialect.Server.
func (c *codec) Peek(in dialect.Inbound, b dialect.Bounds) (dialect.Head, error) {
	s, err := scan(c.names, in.Body, b.MaxDepth)
	if err != nil {
		return dialect.Head{}, err
	}
	h := dialect.Head{Free: !s.found[atOutput].Found() && !s.found[atFormat].Found(), Names: s.names, State: s}
	if h.Model, err = dialect.PeekModel("dialect/anthropic", in.Body, s.found[atModel].Value); err != nil {
		return h, err
	}
	if c.op != llm.OpGenerate {
		return h, nil
	}
	if h.Stream, err = dialect.PeekStream("dialect/anthropic", in.Body, s.found[atStream].Value, false); err != nil {
		return h, err
	}
	h.MaxOut, err = dialect.PeekCap("dialect/anthropic", in.Body, s.found[atMaxTokens].Value, "max_tokens")
	return h, err
}

func scan(names *dialect.Naming, body []byte, depth int) (*spans, error) {
	var s spans
	keys := peekKeys()
	var err error
	s.object, s.names, err = names.Scan(body, depth, keys[:], s.found[:])
	if err != nil {
		return nil, notJSON(err)
	}
	return &s, nil
}

// EditRequest implements dialect.Client.
func (c *codec) EditRequest(in dialect.Inbound, h dialect.Head, s dialect.Shape) (dialect.Outbound, error) {
	if bytes.Contains(in.Body, []byte(`"`+dialect.EnclosedMark)) {
		return c.disowned(in, s)
	}
	st, ok := h.State.(*spans)
	if !ok {
		var err error
		if st, err = scan(nil, in.Body, splice.MaxDepth); err != nil {
			return dialect.Outbound{}, err
		}
	}
	ed := &editor{body: in.Body, spans: st, shape: s, edit: splice.NewEdit(in.Body)}
	ed.model()
	if c.op == llm.OpGenerate {
		ed.cap()
	}
	if err := ed.redact(); err != nil {
		return dialect.Outbound{}, err
	}
	ed.strip()
	body, err := ed.edit.Bytes()
	if err != nil {
		return dialect.Outbound{}, internal("EditRequest", err)
	}
	body, refused, err := dialect.WithoutRefused("dialect/anthropic", body, s)
	if err != nil {
		return dialect.Outbound{}, err
	}
	ed.changed = append(ed.changed, refused...)
	var betas []string
	if s.Offer != nil {
		betas = s.Offer.Traits.Betas
	}
	return dialect.Outbound{Header: ed.headers(in.Header, betas), Body: body, Changed: ed.changed}, nil
}

// disowned says a request again without the reasoning of other vendors that is in it: the vendor refuses what
// it has not signed itself.
func (c *codec) disowned(in dialect.Inbound, s dialect.Shape) (dialect.Outbound, error) {
	var betas []string
	if s.Offer != nil {
		betas = s.Offer.Traits.Betas
	}
	ed := &editor{shape: s}
	h := ed.headers(in.Header, betas)
	return dialect.Again(c, in, s, h, append(ed.changed, "reasoning of another vendor removed")...)
}

// editor changes one request in place.
type editor struct {
	body    []byte
	spans   *spans
	shape   dialect.Shape
	edit    *splice.Edit
	changed []string
}

func (e *editor) model() {
	o := e.shape.Offer
	if o == nil || o.Upstream == "" || e.spans.found[atModel].Value.Equal(e.body, o.Upstream) {
		return
	}
	e.edit.SetString(e.spans.found[atModel].Value, o.Upstream)
}

// cap lowers max_tokens to the least of the caps, or sets it where the caller gave none.
func (e *editor) cap() {
	at := e.spans.found[atMaxTokens].Value
	was, given := at.Int(e.body)
	least, ok := dialect.LeastCap(e.shape.Edits, llm.Opt[int]{V: int(was), Set: given})
	if !ok {
		return
	}
	n := strconv.AppendInt(nil, int64(least.N), 10)
	if at.Found() {
		e.edit.Set(at, n)
	} else {
		e.edit.Insert(e.spans.object.Span, "max_tokens", n)
	}
	e.changed = append(e.changed, least.Changed("max_tokens"))
	e.capThinking(least.N)
}

// capThinking keeps a budget of thinking below the cap, as the vendor requires; where there is no room
// for any, thinking is turned off.
func (e *editor) capThinking(most int) {
	at, _ := splice.Get(e.body, e.spans.object.Span, "thinking")
	budget, _ := splice.Get(e.body, at, "budget_tokens")
	n, ok := budget.Int(e.body)
	if !ok || n < int64(most) {
		return
	}
	if most < 2*leastBudget {
		e.edit.Set(at, []byte(`{"type":"disabled"}`))
		e.change("thinking turned off (max_tokens leaves no room for it)")
		return
	}
	e.edit.Set(budget, []byte(fmt.Sprint(most/2)))
	e.change(fmt.Sprintf("thinking.budget_tokens %d set", most/2))
}

// strip takes out what this vendor is known to refuse and can only have come from another, through a
// gateway: thinking with an empty signature, citations with an empty index.
func (e *editor) strip() {
	if !hasEmpty(e.body) {
		return
	}
	unsigned := !e.unsignedTaken()
	// The body passed Scan: walking it does not fail.
	_ = wire.At(e.body, e.spans.found[atMessages].Value).Elems(func(_ int, m wire.Value) error {
		e.stripMessage(m, unsigned)
		return nil
	})
}

func (e *editor) unsignedTaken() bool {
	return e.shape.Offer != nil && e.shape.Offer.Traits.Unsigned
}

// hasEmpty is a quick look whether there is an empty string anywhere. It jumps from quote to quote:
// searching for the two at once is slower on the long texts that bodies are made of.
func hasEmpty(body []byte) bool {
	for {
		i := bytes.IndexByte(body, '"')
		if i < 0 || i+1 == len(body) {
			return false
		}
		if body[i+1] == '"' {
			return true
		}
		body = body[i+1:]
	}
}

func (e *editor) stripMessage(m wire.Value, unsigned bool) {
	content := m.Get("content")
	if m.Kind() != '{' || content.Kind() != '[' || m.Get("role").Text() != "assistant" {
		return
	}
	var gone []splice.Span
	n := 0
	_ = content.Elems(func(_ int, b wire.Value) error {
		n++
		if b.Kind() != '{' {
			return nil
		}
		switch b.Get("type").Text() {
		case "thinking":
			if unsigned && b.Get("signature").Is("") {
				gone = append(gone, b.Span())
			}
		case "text":
			e.stripCitations(b)
		}
		return nil
	})
	if len(gone) == 0 {
		return
	}
	e.change("unsigned thinking removed")
	if len(gone) == n {
		e.edit.DeleteElem(m.Span())
		return
	}
	for _, at := range gone {
		e.edit.DeleteElem(at)
	}
}

func (e *editor) stripCitations(b wire.Value) {
	cites := b.Get("citations")
	if cites.Kind() != '[' {
		return
	}
	_ = cites.Elems(func(_ int, c wire.Value) error {
		if c.Kind() == '{' && c.Get("encrypted_index").Is("") {
			e.edit.DeleteElem(c.Span())
			e.change("citations of another vendor removed")
		}
		return nil
	})
}

func (e *editor) change(what string) {
	if !slices.Contains(e.changed, what) {
		e.changed = append(e.changed, what)
	}
}

// headers returns what is said to the upstream of the caller's headers.
func (e *editor) headers(in http.Header, allowed []string) http.Header {
	h := headers(in, allowed)
	if allowed == nil {
		return h
	}
	for _, b := range betas(in) {
		if !betaAllowed(b, allowed) {
			e.change("anthropic-beta " + b + " removed (not known to the host)")
		}
	}
	return h
}

// headers returns the caller's headers of the dialect's namespace, with the version that the vendor
// requires and the betas that the host takes; nil takes all.
func headers(in http.Header, allowed []string) http.Header {
	h := make(http.Header, 4)
	ns := namespace()
	for k, v := range in {
		if strings.EqualFold(k, "anthropic-beta") || !hasPrefixFold(k, "anthropic-") || !ns.Holds(k) {
			continue
		}
		h[http.CanonicalHeaderKey(k)] = v
	}
	var keep []string
	for _, b := range betas(in) {
		if allowed == nil || betaAllowed(b, allowed) {
			keep = append(keep, b)
		}
	}
	if len(keep) > 0 {
		h.Set("Anthropic-Beta", strings.Join(keep, ","))
	}
	if h.Get("Anthropic-Version") == "" {
		h.Set("Anthropic-Version", version)
	}
	h.Set("Content-Type", "application/json")
	return h
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// betas returns the values of every anthropic-beta header, however it is spelt, each once.
func betas(in http.Header) []string {
	var names []string
	for k := range in {
		if strings.EqualFold(k, "anthropic-beta") {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var out []string
	for _, k := range names {
		for _, line := range in[k] {
			for b := range strings.SplitSeq(line, ",") {
				b = strings.TrimSpace(b)
				if b != "" && !slices.ContainsFunc(out, func(x string) bool { return strings.EqualFold(x, b) }) {
					out = append(out, b)
				}
			}
		}
	}
	return out
}

// betaAllowed looks a beta up in an allow-list, whose entries may end in * for any rest.
func betaAllowed(beta string, allowed []string) bool {
	for _, a := range allowed {
		if prefix, any := strings.CutSuffix(a, "*"); any && hasPrefixFold(beta, prefix) || strings.EqualFold(a, beta) {
			return true
		}
	}
	return false
}
