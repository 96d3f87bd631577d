package gemini

import (
	"strings"

	"github.com/plenum-foundry/plenum/internal/jsonw"
	"github.com/plenum-foundry/plenum/llm"
)

// Budgets of thinking for words of effort, in tokens, and the least and most that the larger models take.
const (
	minimalBudget = 512
	lowBudget     = 1024
	mediumBudget  = 8192
	highBudget    = 24576
	leastPro      = 128
)

// planThinking says how hard to think: in words from Gemini 3 on, in tokens before that.
func (e *requestEncoder) planThinking() {
	was := e.params.thinking
	e.params.thinking = nil
	if was == nil {
		return
	}
	e.extra("reasoning", was.Extra)
	if was.Mode == llm.ThinkUnset && !was.Budget.Set && was.Effort == "" {
		return
	}
	if e.model.generation == 1 || e.model.generation == 2 && !e.model.thinks(e.shape.Upstream(e.r.Model)) {
		if !isOff(was) {
			e.Add(thinkingPath(was), "the model does not think")
		}
		return
	}
	t := &llm.Thinking{Display: was.Display}
	e.params.thinking = t
	switch {
	case isOff(was):
		e.thinkOff(was, t)
	case was.Budget.Set:
		t.Mode, t.Budget = llm.ThinkOn, llm.Some(e.fitBudget(was.Budget.V))
	case was.Effort != "":
		e.thinkWord(was, t)
	default:
		t.Mode = llm.ThinkAdaptive
		if e.model.word {
			t.Mode = llm.ThinkUnset
		}
	}
	if t.Display == "" && !isOff(was) {
		t.Display = "summarized"
	}
	if isOff(was) {
		t.Display = ""
	}
}

func isOff(t *llm.Thinking) bool { return t.Mode == llm.ThinkOff || t.Effort == "none" }

// thinks tells the models of the second generation that think, which are those from 2.5 on.
func (model) thinks(id string) bool {
	return !strings.Contains(id, "gemini-2.0")
}

func thinkingPath(t *llm.Thinking) string {
	if t.Effort != "" {
		return "reasoning_effort"
	}
	return "thinking"
}

// thinkOff asks for no reasoning, or for the least where the model cannot do without.
func (e *requestEncoder) thinkOff(was, t *llm.Thinking) {
	switch {
	case e.model.word && e.model.flash:
		t.Effort = "minimal"
	case e.model.word:
		t.Effort = "low"
	case e.model.pro:
		t.Mode, t.Budget = llm.ThinkOn, llm.Some(leastPro)
	default:
		t.Mode = llm.ThinkOff
		return
	}
	e.Add(thinkingPath(was), "the model always thinks: it is asked for the least")
}

func (e *requestEncoder) fitBudget(n int) int {
	least := 1
	if e.model.pro {
		least = leastPro
	}
	most := highBudget
	if e.model.pro || e.model.word {
		most = 32768
	}
	if fit := min(max(n, least), most); fit != n {
		e.Add("thinking.budget_tokens", itoa(fit)+" is the nearest here")
		return fit
	}
	return n
}

func (e *requestEncoder) thinkWord(was, t *llm.Thinking) {
	word := was.Effort
	if e.model.word {
		switch {
		case word == "minimal" && e.model.pro:
			t.Effort = "low"
		case word == "minimal", word == "low", word == "medium", word == "high":
			t.Effort = word
		default: // xhigh, max
			t.Effort = "high"
		}
		if t.Effort != word {
			e.Add("reasoning_effort", word+" is said as "+t.Effort)
		}
		return
	}
	t.Mode = llm.ThinkOn
	switch word {
	case "minimal":
		t.Budget = llm.Some(minimalBudget)
	case "low":
		t.Budget = llm.Some(lowBudget)
	case "medium":
		t.Budget = llm.Some(mediumBudget)
	default:
		t.Budget = llm.Some(highBudget)
	}
}

// encodeThinking writes how much to think and whether to show it.
func (e *requestEncoder) encodeThinking(w *jsonw.Writer, outer object, x llm.Extra) {
	t := e.params.thinking
	if t == nil {
		return
	}
	var in jsonw.Writer
	o := begin(&in, x)
	empty := len(in.Buf)
	switch {
	case t.Mode == llm.ThinkOff:
		o.int("thinkingBudget", 0)
	case t.Budget.Set:
		o.optInt("thinkingBudget", t.Budget)
	case t.Mode == llm.ThinkAdaptive:
		o.int("thinkingBudget", -1)
	}
	o.optStr("thinkingLevel", strings.ToUpper(t.Effort))
	switch t.Display {
	case "summarized":
		o.raw("includeThoughts", "true")
	case "omitted":
		o.raw("includeThoughts", "false")
	}
	said := len(in.Buf) > empty || !x.Empty()
	o.End()
	if said {
		outer.key("thinkingConfig")
		w.Raw(in.String())
	}
}
