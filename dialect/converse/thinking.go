package converse

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// Budgets of thinking for words of effort, in tokens.
const (
	leastBudget  = 1024
	lowBudget    = 2048
	mediumBudget = 8192
	highBudget   = 24576
	mostBudget   = 32000
)

// planThinking says how hard to think in the words of the model's maker.
func (e *requestEncoder) planThinking() {
	was := e.params.thinking
	if was == nil {
		return
	}
	e.params.thinking = nil
	e.extra("reasoning", was.Extra)
	t := &llm.Thinking{Mode: was.Mode, Budget: was.Budget, Effort: was.Effort, Extra: home()}
	off := t.Mode == llm.ThinkOff || t.Effort == "none"
	if !off && t.Mode == llm.ThinkUnset && !t.Budget.Set && t.Effort == "" {
		if was.Display != "" {
			e.Add("thinking.display", "")
		}
		return
	}
	switch e.family {
	case familyClaude:
		t.Display = was.Display
		e.claudeThinking(t, off)
	case familyNova:
		e.novaThinking(t, off)
	case familyOpenAI:
		if off {
			return
		}
		if t.Effort = e.effort(t); t.Effort != "" {
			t.Extra.Note(Name, atEffort)
			e.params.thinking = t
		}
	default:
		if !off {
			e.Add(thinkingPath(t.Effort), "the model has no words for it here")
		}
	}
}

func thinkingPath(word string) string {
	if word != "" {
		return "reasoning_effort"
	}
	return "thinking"
}

// effort returns the word for how hard to think, where there is one or a number that stands for it.
func (e *requestEncoder) effort(t *llm.Thinking) string {
	switch {
	case t.Effort != "":
		return t.Effort
	case !t.Budget.Set:
		return "medium"
	}
	return dialect.EffortOf(t.Budget.V)
}

func (e *requestEncoder) novaThinking(t *llm.Thinking, off bool) {
	t.Extra.Note(Name, atNova)
	if off {
		e.params.thinking = &llm.Thinking{Mode: llm.ThinkOff, Extra: t.Extra}
		return
	}
	word := e.effort(t)
	switch word {
	case "minimal":
		word = "low"
	case "xhigh", "max":
		word = "high"
	}
	if word != e.effort(t) {
		e.Add(thinkingPath(t.Effort), t.Effort+" is said as "+word)
	}
	e.params.thinking = &llm.Thinking{Mode: llm.ThinkOn, Effort: word, Extra: t.Extra}
	if word == "high" { // which the vendor wants alone
		e.drop("temperature", &e.params.temperature)
		e.drop("top_p", &e.params.topP)
	}
}

func (e *requestEncoder) drop(name string, o *llm.Opt[float64]) {
	if o.Set {
		e.Add(name, "refused together with thinking")
		*o = llm.Opt[float64]{}
	}
}

func (e *requestEncoder) claudeThinking(t *llm.Thinking, off bool) {
	t.Extra.Note(Name, atThinking)
	if off {
		e.params.thinking = &llm.Thinking{Mode: llm.ThinkOff, Extra: t.Extra}
		return
	}
	if e.shape.Offer != nil && e.shape.Offer.Traits.Effort {
		t.Effort = e.effort(t)
		if t.Effort == "minimal" {
			e.Add("reasoning_effort", "minimal is said as low")
			t.Effort = "low"
		}
		t.Mode, t.Budget = llm.ThinkAdaptive, llm.Opt[int]{}
		t.Extra.Note(Name, noteOutEffort)
		e.params.thinking = t
		e.calm(false)
		return
	}
	if e.unsigned() {
		e.Add(thinkingPath(t.Effort), "the history has no signed thinking for a tool turn")
		return
	}
	e.budget(t)
}

// unsigned reports whether the turn being answered has a tool call that no signed thinking precedes;
// with a budget of thinking Claude refuses such a history.
func (e *requestEncoder) unsigned() bool {
	for i := len(e.turns) - 1; i >= 0; i-- {
		if e.turns[i].role != llm.Assistant {
			continue
		}
		return dialect.Unsigned(e.turns[i].blocks)
	}
	return false
}

// budget gives thinking a number of tokens, which must stay below the cap on the whole answer.
func (e *requestEncoder) budget(t *llm.Thinking) {
	n := t.Budget.V
	if !t.Budget.Set {
		n = budgetOf(t.Effort)
	}
	n = max(n, leastBudget)
	p := &e.params
	switch {
	case e.op != llm.OpGenerate:
	case !p.maxOut.Set: // the host's own cap may be lower than the budget
		p.maxOut = llm.Some(n + 4096)
		if o := e.shape.Offer; o != nil && o.MaxOutput > 0 {
			p.maxOut = llm.Some(min(p.maxOut.V, o.MaxOutput))
			n = min(n, max(p.maxOut.V/2, leastBudget))
		}
		e.changed = append(e.changed, fmt.Sprintf("maxTokens %d set", p.maxOut.V))
	case n < p.maxOut.V:
	case p.maxOut.V >= 2*leastBudget:
		n = p.maxOut.V / 2
		e.Add(thinkingPath(t.Effort), fmt.Sprintf("limited to %d tokens by max_tokens", n))
	default:
		e.Add(thinkingPath(t.Effort), "max_tokens leaves no room for it")
		return
	}
	p.thinking = &llm.Thinking{Mode: llm.ThinkOn, Budget: llm.Some(n), Display: t.Display, Extra: t.Extra}
	e.calm(true)
}

func budgetOf(word string) int {
	switch word {
	case "minimal":
		return leastBudget
	case "low":
		return lowBudget
	case "high":
		return highBudget
	case "xhigh", "max":
		return mostBudget
	}
	return mediumBudget
}

// calm takes out what Claude refuses beside thinking.
func (e *requestEncoder) calm(budgeted bool) {
	p := &e.params
	if p.temperature.Set && p.temperature.V != 1 {
		e.drop("temperature", &p.temperature)
	}
	if p.topP.Set && (p.topP.V < 0.95 || p.topP.V > 1) {
		e.drop("top_p", &p.topP)
	}
	if p.topK.Set {
		e.Add("top_k", "refused together with thinking")
		p.topK = llm.Opt[int]{}
	}
	if budgeted && (p.choose.Mode == llm.ChooseAny || p.choose.Mode == llm.ChooseTool) {
		e.Add("tool_choice", "a tool cannot be forced together with thinking")
		p.choose = llm.ToolChoice{Mode: llm.ChooseAuto}
	}
}

// encodeMore writes what goes to the model in its maker's words, and what the caller said there besides.
func (e *requestEncoder) encodeMore(w *jsonw.Writer, rest string) {
	p := &e.params
	topK := e.topKName()
	t := p.thinking
	said := t != nil && (noted(t, atThinking) || noted(t, atReasoning) || noted(t, atNova) || noted(t, atEffort))
	if topK == "" && !said && rest == "" {
		if e.r.Extra.Noted(Name, noteFieldsNone) {
			w.KeyRaw(fieldsMore, "{}")
		}
		return
	}
	w.KeyOpen(fieldsMore, '{')
	if said {
		appendThinking(w, t)
	}
	if topK != "" {
		w.KeyInt(topK, int64(p.topK.V))
	}
	wire.AppendMembers(w, rest)
	w.Close('}')
}

// topKName returns what top_k is called among the fields for the model, or "" where it is not said there.
func (e *requestEncoder) topKName() string {
	switch {
	case !e.params.topK.Set, e.home && e.r.Extra.Noted(Name, noteTopK), !e.home && e.family == familyNova:
		return ""
	case !e.home && e.family == familyCohere:
		return "k"
	}
	return "top_k"
}

func noted(t *llm.Thinking, where string) bool { return t.Extra.Noted(Name, where) }

func appendThinking(w *jsonw.Writer, t *llm.Thinking) {
	switch {
	case noted(t, atEffort):
		w.KeyStr(atEffort, t.Effort)
		return
	case noted(t, atNova):
		w.Key(atNova)
	case noted(t, atReasoning):
		w.Key(atReasoning)
	default:
		w.Key(atThinking)
	}
	o := wire.Begin(w, t.Extra.In(Name))
	o.OptStr("type", string(t.Mode))
	o.OptInt("budget_tokens", t.Budget)
	if noted(t, atNova) {
		o.OptStr("maxReasoningEffort", t.Effort)
	}
	o.OptStr("display", t.Display)
	o.End()
}
