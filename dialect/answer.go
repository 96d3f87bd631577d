package dialect

import "github.com/plenum-foundry/plenum/llm"

// Estimated returns the usage of an answer with an estimate for a side that the upstream did not report: of the
// request, and of as many bytes of answer as were said.
func Estimated(u llm.Usage, r *llm.Request, said int) llm.Usage {
	if u.Reported&llm.InSide == 0 && u.In() == 0 {
		u.Input = llm.EstimateRequest(r)
	}
	if u.Reported&llm.OutSide == 0 && u.Out() == 0 {
		u.Output = llm.EstimateText(said)
	}
	return u
}

// TextSize counts the bytes of answer in events.
func TextSize(events []llm.Event) int {
	n := 0
	for _, ev := range events {
		switch e := ev.(type) {
		case llm.TextDelta:
			n += len(e.Text)
		case llm.ThoughtDelta:
			n += len(e.Text)
		case llm.ArgsDelta:
			n += len(e.JSON)
		}
	}
	return n
}
