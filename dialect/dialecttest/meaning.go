package dialecttest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Meaning is what a request or an answer says, taken apart: each thing by what it is about. Two say the same
// where their meanings are the same; what only frames or orders the parts of a turn does not count, nor in how
// many pieces a dialect says a text. Whatever else an llm value holds is in it; [Silent] of it says the rest.
type Meaning map[string]string

func (m Meaning) add(key, value string) {
	if value != "" {
		m[key] += value
	}
}

func (m Meaning) set(key string, value any, present bool) {
	if present {
		m[key] = fmt.Sprint(value)
	}
}

func opt[T any](m Meaning, key string, o llm.Opt[T]) { m.set(key, o.V, o.Set) }

// extra puts the members that llm has no word for. Notes tell nothing, nor does null.
func (m Meaning) extra(at string, e llm.Extra) {
	for _, f := range e.Fields {
		if f.Telling() {
			m.add(at+"extra."+f.Key, canonical(f.Raw))
		}
	}
}

// asking takes a request apart.
type asking struct {
	Meaning
	flat  bool
	turn  int
	last  llm.Role
	calls map[string]int
	media map[string]int
}

// Asked returns what a request says. Where flat is set, what the system says is taken for the user's, as
// dialects say it that have no system message in mid-conversation.
func Asked(r *llm.Request, flat bool) Meaning {
	a := asking{Meaning: Meaning{}, flat: flat, turn: -1, calls: map[string]int{}, media: map[string]int{}}
	for _, m := range r.Messages {
		a.message(m)
	}
	for i, t := range r.Tools {
		a.tool(i, t)
	}
	a.choice(r)
	a.format(r.Output)
	a.thinking(r.Thinking)
	opt(a.Meaning, "temperature", r.Temperature)
	a.set("top_p", r.TopP.V, r.TopP.Set && r.TopP.V != 1)
	opt(a.Meaning, "top_k", r.TopK)
	a.set("frequency_penalty", r.FrequencyPenalty.V, r.FrequencyPenalty.Set && r.FrequencyPenalty.V != 0)
	a.set("presence_penalty", r.PresencePenalty.V, r.PresencePenalty.Set && r.PresencePenalty.V != 0)
	opt(a.Meaning, "seed", r.Seed)
	opt(a.Meaning, "max_tokens", r.MaxOut)
	a.set("n", r.N.V, r.N.Set && r.N.V != 1)
	a.set("logprobs", true, r.Logprobs.V)
	a.set("top_logprobs", r.TopLogprobs.V, r.TopLogprobs.Set && r.TopLogprobs.V > 0)
	a.set("stop", strings.Join(r.Stop, "|"), len(r.Stop) > 0)
	a.tier(r.Tier)
	a.add("user", r.User)
	a.add("cache_key", r.CacheKey)
	a.mark(r.Cache)
	for _, f := range r.Metadata {
		a.add("metadata."+f.Key, canonical(f.Raw))
	}
	a.extra("", r.Extra)
	return a.Meaning
}

func (a *asking) message(m llm.Message) {
	role := m.Role
	switch role {
	case llm.System, llm.Developer:
		if !a.flat {
			a.blocks("system", m)
			return
		}
		role = llm.User
	case llm.ToolRole:
		role = llm.User
	}
	if role != a.last {
		a.turn, a.last = a.turn+1, role
	}
	at := fmt.Sprintf("turn[%d]", a.turn)
	n := len(a.Meaning)
	if a.blocks(at, m); len(a.Meaning) > n {
		a.Meaning[at+".role"] = string(role)
	}
}

func (a *asking) blocks(at string, m llm.Message) {
	a.add(at+".name", m.Name)
	a.extra(at+".", m.Extra)
	for _, b := range m.Blocks {
		a.block(at, b)
	}
}

func (a *asking) block(at string, b llm.Block) {
	switch b := b.(type) {
	case llm.Text:
		a.add(at+".text", words(b.Text))
		a.seal(at+".signature", b.Signature)
		a.mark(b.Cache)
		a.extra(at+".", b.Extra)
		for i, c := range b.Citations {
			a.cite(at+".citations", i, c)
		}
	case llm.Refusal:
		a.add(at+".text", words(b.Text))
		a.extra(at+".", b.Extra)
	case llm.Media:
		a.medium(fmt.Sprintf("%s.media[%d]", at, a.media[at]), b)
		a.mark(b.Cache)
		a.media[at]++
	case llm.Thought:
		a.thought(at+".", b)
	case llm.ToolUse:
		a.calls[b.ID] = len(a.calls)
		here := fmt.Sprintf("%s.call[%d]", at, a.calls[b.ID])
		a.set(here, b.Name+" "+canonical(orObject(b.Args)), true)
		a.set(here+".kind", b.Kind, b.Kind != llm.ToolFunction)
		a.seal(here+".signature", b.Signature)
		a.mark(b.Cache)
		a.extra(here+".", b.Extra)
	case llm.ToolDone:
		a.result(at, b)
	case llm.Opaque:
		a.add(at+".opaque", b.Type+" "+canonical(b.Raw))
	}
}

func (a *asking) result(at string, b llm.ToolDone) {
	n, ok := a.calls[b.ID]
	if !ok {
		n = -1
	}
	here := fmt.Sprintf("%s.result[%d]", at, n)
	a.set(here+".failed", true, b.IsError.V)
	a.mark(b.Cache)
	a.extra(here+".", b.Extra)
	for _, x := range b.Blocks {
		switch x := x.(type) {
		case llm.Text:
			// That it failed is said in its text where there is no other word for it, and told by that word's absence.
			a.add(here+".text", words(canonical(strings.TrimPrefix(x.Text, "Error: "))))
			a.extra(here+".", x.Extra)
		case llm.Media:
			a.medium(fmt.Sprintf("%s.media[%d]", here, a.media[here]), x)
			a.media[here]++
			a.mark(x.Cache)
		default:
			a.block(here, x)
		}
	}
}

func (m Meaning) medium(at string, b llm.Media) {
	kind := b.Kind
	if kind == llm.File {
		kind = llm.Document
	}
	m[at] = fmt.Sprintf("%s %s", kind, b.Data+b.URL+b.FileID+b.Text)
	for i, x := range b.Blocks {
		if t, ok := x.(llm.Text); ok {
			m.add(at, t.Text)
		} else {
			m.add(at, fmt.Sprintf("%d %#v", i, x))
		}
	}
	m.set(at+".mime", b.MIME, b.MIME != "" && b.Data != "")
	m.add(at+".name", fileName(b.Name))
	m.add(at+".context", b.Context)
	m.set(at+".detail", b.Detail, b.Detail != "" && b.Detail != "auto")
	m.add(at+".format", b.Format)
	m.set(at+".cite", true, b.Cite.V)
	m.extra(at+".", b.Extra)
}

// fileName returns a name as the narrowest dialect has it: without what tells the type, and of letters alone.
func fileName(s string) string {
	s, _, _ = strings.Cut(s, ".")
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, s)
}

// thought takes reasoning apart: dialects differ in how many pieces it is in.
func (m Meaning) thought(at string, t llm.Thought) {
	m.add(at+"thought.text", words(t.Text))
	m.carried(t.Sealed)
	m.seal(at+"thought.seal", t.Signature+t.Sealed)
	m.extra(at+"thought.", t.Extra)
}

// carried notes the signature of a text that a block of reasoning of the Responses dialect brings home.
func (m Meaning) carried(sealed string) {
	raw, ok := strings.CutPrefix(sealed, "plenum1.")
	if !ok {
		return
	}
	var e struct{ Signature string }
	if b, err := base64.RawURLEncoding.DecodeString(raw); err == nil && json.Unmarshal(b, &e) == nil {
		m.seal("carried", e.Signature)
		m.add("carried", " ")
	}
}

// Has reports whether anything is said whose key begins in one of these ways.
func (m Meaning) Has(starts ...string) bool {
	for k := range m {
		if slices.ContainsFunc(starts, func(start string) bool { return strings.HasPrefix(k, start) }) {
			return true
		}
	}
	return false
}

// Differ returns how two answers to one caller differ, whole and streamed say. Members that Plenum has no word for do
// not count, as a stream has others than a whole answer.
func (m Meaning) Differ(other Meaning) []string {
	keys := maps.Clone(m)
	maps.Copy(keys, other)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if m[k] != other[k] && !strings.Contains(k, "extra.") {
			out = append(out, fmt.Sprintf("%s: %.160q and %.160q", k, m[k], other[k]))
		}
	}
	return out
}

// envelope is what names the maker of a signature, on its way through a dialect that knows one maker.
var envelope = regexp.MustCompile(`^plenum/[a-z]+/`)

func (m Meaning) seal(at, seal string) {
	if home, ok := dialect.Disclose(seal); ok {
		seal = home.Signature + home.Sealed
	}
	m.add(at, strings.TrimRight(dialect.StandardBase64(envelope.ReplaceAllString(seal, "")), "="))
}

// tier puts the service tier, where it is not the one that is meant when nothing is said.
func (m Meaning) tier(tier string) {
	if !slices.Contains([]string{"auto", "default", "standard", "on_demand"}, strings.ToLower(tier)) {
		m.add("tier", tier)
	}
}

func (m Meaning) cite(at string, n int, c llm.Citation) {
	at = fmt.Sprintf("%s[%d]", at, n)
	m.add(at+".title", c.Title)
	m.add(at+".url", c.URL)
	m.add(at+".quote", c.Quote)
	m.set(at, "cited", true)
}

func (m Meaning) mark(c *llm.CacheMark) {
	if c == nil {
		return
	}
	m.add("marks", strings.TrimSuffix("x"+c.TTL, "5m"))
	m.extra("marks.", c.Extra)
}

func (m Meaning) tool(i int, t llm.Tool) {
	at := "tools." + t.Name
	if t.Name == "" {
		at = "tools." + t.Opaque.Type + strconv.Itoa(i)
	}
	m[at] = string(t.Kind)
	if t.Kind != llm.ToolFunction {
		m.add(at, " "+canonical(t.Opaque.Raw))
		return
	}
	m.add(at+".description", strings.TrimSpace(t.Description))
	m.add(at+".schema", canonical(orSchema(t.Schema)))
	m.set(at+".strict", true, t.Strict.V)
	m.mark(t.Cache)
	m.extra(at+".", t.Extra)
}

func (m Meaning) choice(r *llm.Request) {
	c := r.Choose
	if c.Mode == llm.ChooseTool && len(r.Tools) == 1 { // the only one
		c.Mode, c.Name = llm.ChooseAny, ""
	}
	if c.Mode != llm.ChooseUnset && c.Mode != llm.ChooseAuto {
		m["tool_choice"] = strings.TrimSpace(string(c.Mode) + " " + c.Name)
	}
	m.set("tool_choice.allowed", strings.Join(c.Allowed, " "), len(c.Allowed) > 0)
	m.add("tool_choice.opaque", canonical(c.Opaque.Raw))
	m.extra("tool_choice.", c.Extra)
	m.set("parallel", false, r.Parallel.Set && !r.Parallel.V)
}

func (m Meaning) format(f llm.Format) {
	m.set("format", f.Kind, f.Kind != llm.FormatUnset && f.Kind != llm.FormatText)
	m.add("format.description", f.Description)
	m.add("format.schema", canonical(f.Schema))
	m.extra("format.", f.Extra)
}

func (m Meaning) thinking(t *llm.Thinking) {
	if t == nil {
		return
	}
	off := t.Mode == llm.ThinkOff || t.Effort == "none" || t.Budget.Set && t.Budget.V == 0
	m.set("thinking", map[bool]string{true: "off", false: "on"}[off], off || t.Mode != "" || t.Effort != "" || t.Budget.Set)
	if !off {
		m.set("thinking.budget", t.Budget.V, t.Budget.Set && t.Budget.V > 0)
		m.add("thinking.effort", t.Effort)
	}
	m.add("thinking.display", t.Display)
	m.extra("thinking.", t.Extra)
}

// Answered returns what an answer says.
func Answered(r *llm.Response) Meaning {
	m := Meaning{}
	m.tier(r.Tier)
	m.extra("", r.Extra)
	for _, c := range r.Choices {
		at := ""
		if c.Index > 0 {
			at = fmt.Sprintf("choice[%d].", c.Index)
		}
		m.answer(at, c)
	}
	for class, n := range r.Usage.Classes() {
		m.set("usage."+string(class), n, n > 0)
	}
	m.set("usage.read", r.Usage.In(), r.Usage.In() > 0)
	m.set("usage.written", r.Usage.Out(), r.Usage.Out() > 0)
	m.extra("usage.", r.Usage.Extra)
	return m
}

func (m Meaning) answer(at string, c llm.Choice) {
	calls, media, cites, refused := 0, 0, 0, false
	for _, b := range c.Blocks {
		switch b := b.(type) {
		case llm.Text:
			m.add(at+"text", b.Text)
			m.seal(at+"signature", b.Signature)
			m.extra(at, b.Extra)
			for _, x := range b.Citations {
				m.cite(at+"citations", cites, x)
				cites++
			}
		case llm.Refusal:
			m.add(at+"text", b.Text)
			m.extra(at, b.Extra)
			refused = true
		case llm.Thought:
			m.thought(at, b)
		case llm.ToolUse:
			here := fmt.Sprintf("%scall[%d]", at, calls)
			m.set(here, b.Name+" "+canonical(orObject(b.Args)), true)
			m.set(here+".id", b.ID, !strings.HasPrefix(b.ID, "call_gemini_")) // made of the call where there is none
			m.set(here+".kind", b.Kind, b.Kind != llm.ToolFunction)
			m.seal(here+".signature", b.Signature)
			m.extra(here+".", b.Extra)
			calls++
		case llm.ToolDone:
			m.set(fmt.Sprintf("%sresult[%s]", at, b.ID), fmt.Sprint(b.Blocks), true)
		case llm.Media:
			m.medium(fmt.Sprintf("%smedia[%d]", at, media), b)
			media++
		case llm.Opaque:
			m.add(at+"opaque", b.Type+" "+canonical(b.Raw)+";")
		}
	}
	stop := c.Stop.Reason
	if refused {
		stop = llm.StopRefusal
	}
	m.add(at+"stop", string(stop))
	m.add(at+"stop.sequence", c.Stop.Sequence)
	m.extra(at+"stop.", c.Stop.Extra)
	m.logprobs(at+"logprobs", c.Logprobs)
	m.extra(at, c.Extra)
	m.extra(at, c.Message)
}

func (m Meaning) logprobs(at string, l *llm.Logprobs) {
	if l == nil {
		return
	}
	for _, p := range l.Content {
		m.logprob(at+".content", p)
	}
	for _, p := range l.Refusal {
		m.logprob(at+".refusal", p)
	}
	m.extra(at+".", l.Extra)
}

func (m Meaning) logprob(at string, p llm.Logprob) {
	m.add(at, p.Token+" "+decimal(p.Value)+";")
	m.extra(at+".", p.Extra)
	for _, top := range p.Top {
		m.logprob(at+".top_logprobs", top)
	}
}

// decimal returns a number with as many digits as the narrowest dialect has.
func decimal(s string) string {
	f, err := strconv.ParseFloat(s, 32)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(f, 'g', 5, 32)
}

// words returns a text without its space, which dialects put between the parts of a message.
func words(s string) string { return strings.Join(strings.Fields(s), "") }

func orObject(s string) string {
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	return s
}

func orSchema(s string) string {
	if strings.TrimSpace(s) == "" {
		return `{"properties":{},"type":"object"}`
	}
	return s
}

// canonical returns JSON in one form, so that order and space do not count; what is none stays as it is.
func canonical(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// Silent returns what of a meaning did not arrive as it was and is not named among the losses, each with what
// was said and what came. What arrives besides is silent as well, where it is content.
func (m Meaning) Silent(got Meaning, losses []dialect.Loss) []string {
	keys := map[string]bool{}
	for k := range m {
		keys[k] = true
	}
	for k := range got {
		if content(k) {
			keys[k] = true
		}
	}
	var out []string
	for k := range keys {
		if m[k] == got[k] || m.converted(k, got) || slices.ContainsFunc(losses, func(l dialect.Loss) bool { return excuses(l, k) }) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: said %.160q, came as %.160q", k, m[k], got[k]))
	}
	slices.Sort(out)
	return out
}

// content reports whether a key is of what a conversation or an answer consists of.
func content(key string) bool {
	return !strings.Contains(key, "extra.") && !strings.HasSuffix(key, ".mime") && (strings.HasPrefix(key, "turn[") || strings.HasPrefix(key, "choice[") ||
		slices.Contains([]string{"system.text", "text", "stop", "opaque", "thought.text"}, key) || strings.HasPrefix(key, "call["))
}

// converted reports whether a thing is said by its other word: an effort as a budget of tokens.
func (m Meaning) converted(key string, got Meaning) bool {
	switch {
	case strings.HasSuffix(key, "].quote"): // with more around it
		return m[key] != "" && strings.Contains(got[key], m[key])
	case strings.HasSuffix(key, "].name"): // one that a vendor wants for each document
		return m[key] == "" && got[key] == "document"
	}
	switch key {
	case "thinking.effort":
		return m["thinking.budget"] == "" && got["thinking.budget"] != ""
	case "thinking.budget":
		return m["thinking.effort"] == "" && got["thinking.effort"] != ""
	case "thinking": // where models cannot be told not to, nobody asked them to
		return m[key] == "off" && got[key] == ""
	case "marks":
		return len(got[key]) >= len(m[key])
	case "parallel": // of no tools, or of none that may be called
		return m["tool_choice"] == "none" || !got.Has("tools.")
	case "tool_choice": // none of no tools
		return m[key] == "none" && !got.Has("tools.")
	case "stop.sequence": // as Claude says it on Bedrock
		return strings.Contains(got["extra.additionalModelResponseFields"]+got["stop.extra.additionalModelResponseFields"], m[key])
	case "signature": // brought home by a block of reasoning
		return slices.Contains(strings.Fields(got["carried"]), m[key])
	}
	return false
}

// abouts are the words of which one comes last in the name of a loss that is about a thing. The first that
// fits a key counts.
var abouts = []struct {
	key   *regexp.Regexp
	words string
}{
	{regexp.MustCompile(`^turn.*(name)$`), "name title filename content"},
	{regexp.MustCompile(`marks$`), "cachecontrol content"},
	{regexp.MustCompile(`detail$`), "detail content"},
	{regexp.MustCompile(`\.context$`), "context content"},
	{regexp.MustCompile(`\.cite$|citations\[`), "citations annotations content groundingmetadata"},
	{regexp.MustCompile(`\.(mime|format)$`), "format content"},
	{regexp.MustCompile(`failed$`), "iserror content"},
	{regexp.MustCompile(`signature$`), "signature content"},
	{regexp.MustCompile(`thought`), "signature content reasoningcontent reasoning thinking"},
	{regexp.MustCompile(`call\[\d+\]`), "content arguments toolcalls"},
	{regexp.MustCompile(`media\[`), "content audio"},
	{regexp.MustCompile(`^turn|^system`), "content role messages"},
	{regexp.MustCompile(`^tool_choice`), "toolchoice allowedtools"},
	{regexp.MustCompile(`^parallel`), "paralleltoolcalls disableparalleltooluse"},
	{regexp.MustCompile(`^thinking`), "thinking budgettokens reasoningeffort effort display includethoughts"},
	{regexp.MustCompile(`^format`), "responseformat format"},
	{regexp.MustCompile(`stop\.sequence$`), "stopsequence additionalmodelresponsefields"},
	{regexp.MustCompile(`(^|\.)stop$`), "finishreason stopreason refusal stop stopsequence status"},
	{regexp.MustCompile(`logprobs`), "logprobs toplogprobs"},
	{regexp.MustCompile(`^tier$`), "servicetier"},
	{regexp.MustCompile(`^cache_key$`), "promptcachekey"},
	{regexp.MustCompile(`^max_tokens$`), "maxtokens maxoutputtokens maxcompletiontokens numpredict"},
	{regexp.MustCompile(`^(text|opaque)$`), "content"},
	{regexp.MustCompile(`^choice\[`), "choices"},
}

// plainWord returns a word as all dialects write it: the same in snake and camel case.
func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

var numbers = regexp.MustCompile(`\[[^\]]*\]`)

// excuses reports whether a loss is about what a key stands for. A loss of a whole excuses its parts; one of a
// part does not excuse the whole.
func excuses(l dialect.Loss, key string) bool {
	path := strings.Split(plainWord(numbers.ReplaceAllString(l.What, "")), ".")
	last := path[len(path)-1]
	if _, extra, ok := strings.Cut(key, "extra."); ok {
		name := plainWord(numbers.ReplaceAllString(extra, ""))
		if strings.Contains(key, "logprobs") && last == "logprobs" {
			return true
		}
		return strings.HasSuffix("."+strings.Join(path, "."), "."+name) || slices.Contains(path, name) || ofWhole(last, key)
	}
	if strings.Contains(l.Why, "leaving out") && strings.HasPrefix(key, "tools.") {
		return true
	}
	if strings.HasPrefix(key, "tools.") {
		part := key[strings.LastIndexByte(key, '.')+1:]
		return path[0] == "tools" && (last == "tools" || last == part || part == "schema" || part == "marks") || last == "cachecontrol" && part == "marks"
	}
	if strings.HasPrefix(key, "choice[") && last == "choices" {
		return true
	}
	if class, ok := strings.CutPrefix(key, "usage."); ok && path[0] == "usage" {
		return ofUsage(last, class, l.Why)
	}
	if strings.HasPrefix(key, "metadata.") {
		return path[0] == "metadata"
	}
	for _, a := range abouts {
		if a.key.MatchString(key) {
			return slices.Contains(strings.Fields(a.words), last) || strings.HasPrefix(key, "format") && path[0] == "responseformat"
		}
	}
	return last == plainWord(key)
}

// ofUsage reports whether a loss is about a class of usage: itself, or one that is counted with it.
func ofUsage(last, class, why string) bool {
	switch {
	case class == "read" || class == "written":
		return false
	case last == plainWord(class), last == "cache" && strings.HasPrefix(class, "cache_"):
		return true
	case class == "input":
		return why != "" && (strings.HasPrefix(last, "input") || strings.HasPrefix(last, "cache"))
	case class == "output":
		return why != "" && (last == "reasoning" || strings.HasPrefix(last, "output"))
	case class == "cache_write_5m":
		return why != "" && last == "cachewrite1h"
	}
	return false
}

// ofWhole reports whether a loss is of a whole part of a conversation that an unknown member stands in.
func ofWhole(last, key string) bool {
	switch {
	case strings.HasPrefix(key, "turn["), strings.HasPrefix(key, "system"):
		return last == "content" || last == "messages"
	case strings.HasPrefix(key, "tools."):
		return last == "tools"
	case strings.HasPrefix(key, "choice["):
		return last == "choices"
	}
	return false
}
