package anthropic

import (
	"fmt"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Budgets of thinking for words of effort, in tokens. A host that takes the words themselves is told them.
const (
	leastBudget  = 1024
	lowBudget    = 2048
	mediumBudget = 8192
	highBudget   = 24576
	mostBudget   = 32000
)

// planThinking says how hard to think in the words of the host: effort, or a budget of tokens.
func (e *requestEncoder) planThinking() {
	p := &e.params
	if p.thinking == nil {
		return
	}
	e.extra("reasoning", p.thinking.Extra)
	t := &llm.Thinking{Mode: p.thinking.Mode, Budget: p.thinking.Budget, Display: p.thinking.Display}
	word := p.effort
	p.thinking, p.effort = nil, ""
	switch {
	case t.Mode == llm.ThinkOff || word == "none":
		p.thinking = &llm.Thinking{Mode: llm.ThinkOff}
		return
	case e.shape.Offer != nil && e.shape.Offer.Traits.Effort:
		e.adaptive(t, word)
		return
	case !t.Budget.Set && word == "" && t.Mode == llm.ThinkUnset:
		if t.Display != "" {
			e.Add("thinking.display", "")
		}
		return
	case e.unsigned():
		e.Add(thinkingPath(word), "the history has no signed thinking for a tool turn")
		return
	}
	if t.Mode == llm.ThinkAdaptive && word == "" {
		word = "medium"
	}
	e.budget(t, word)
}

func thinkingPath(word string) string {
	if word != "" {
		return "reasoning_effort"
	}
	return "thinking"
}

// adaptive leaves the amount to the model, and passes the word for it.
func (e *requestEncoder) adaptive(t *llm.Thinking, word string) {
	switch word {
	case "minimal":
		e.Add("reasoning_effort", "minimal is said as low")
		word = "low"
	case "":
		if t.Budget.Set {
			word = dialect.EffortOf(t.Budget.V)
		}
	}
	e.params.thinking = &llm.Thinking{Mode: llm.ThinkAdaptive, Display: t.Display}
	e.params.effort = word
	e.calm(false)
}

// unsigned reports whether the turn being answered has a tool call that no signed thinking precedes;
// with a budget of thinking the vendor refuses such a history.
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
func (e *requestEncoder) budget(t *llm.Thinking, word string) {
	n := t.Budget.V
	if !t.Budget.Set {
		n = budgetOf(word)
	}
	n = max(n, leastBudget)
	switch {
	case n < e.params.maxOut || e.op != llm.OpGenerate:
	case !e.r.MaxOut.Set && e.raise(n):
	case e.params.maxOut >= 2*leastBudget:
		n = e.params.maxOut / 2
		e.Add(thinkingPath(word), fmt.Sprintf("limited to %d tokens by max_tokens", n))
	default:
		e.Add(thinkingPath(word), "max_tokens leaves no room for it")
		return
	}
	e.params.thinking = &llm.Thinking{Mode: llm.ThinkOn, Budget: llm.Some(n), Display: t.Display}
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

// raise lifts a cap that the caller did not set above a budget, as far as offer and edits allow.
func (e *requestEncoder) raise(budget int) bool {
	want := budget + defaultMaxOut
	if o := e.shape.Offer; o != nil && o.MaxOutput > 0 && want > o.MaxOutput {
		return false
	}
	for _, x := range e.shape.Edits {
		if c, ok := x.(dialect.Cap); ok && want > c.N {
			return false
		}
	}
	e.params.maxOut = want
	e.changed = append(e.changed, fmt.Sprintf("max_tokens %d set", want))
	return true
}

// calm takes out what the vendor refuses beside thinking.
func (e *requestEncoder) calm(budgeted bool) {
	p := &e.params
	const why = "refused together with thinking"
	if p.temperature.Set && p.temperature.V != 1 {
		e.Add("temperature", why)
		p.temperature = llm.Opt[float64]{}
	}
	if p.topP.Set && (p.topP.V < 0.95 || p.topP.V > 1) {
		e.Add("top_p", why)
		p.topP = llm.Opt[float64]{}
	}
	if p.topK.Set {
		e.Add("top_k", why)
		p.topK = llm.Opt[int]{}
	}
	if budgeted && (p.choose.Mode == llm.ChooseAny || p.choose.Mode == llm.ChooseTool) {
		e.Add("tool_choice", "a tool cannot be forced together with thinking")
		p.choose = llm.ToolChoice{Mode: llm.ChooseAuto}
	}
}

// capThinking does for a request of this dialect what editor.capThinking does for its bytes.
func (e *requestEncoder) capThinking() {
	p := &e.params
	if p.thinking == nil || e.op != llm.OpGenerate || e.r.MaxOut.Or(p.maxOut) == p.maxOut || p.thinking.Budget.Or(0) < p.maxOut {
		return
	}
	if p.maxOut < 2*leastBudget {
		p.thinking = &llm.Thinking{Mode: llm.ThinkOff}
		e.changed = append(e.changed, "thinking turned off (max_tokens leaves no room for it)")
		return
	}
	p.thinking.Budget.V = p.maxOut / 2
	e.changed = append(e.changed, fmt.Sprintf("thinking.budget_tokens %d set", p.maxOut/2))
}
