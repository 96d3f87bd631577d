package llm

// Consumed returns what a call consumed: what the upstream reported, and of what it did not report what
// the request tells of itself, which is marked as an estimate where it is one. A request for an answer
// (OpGenerate) is not counted by it, since its answer tells more than it does.
func Consumed(p Payload, u Usage) (got Usage, estimated bool) {
	switch p := p.(type) {
	case *Embed:
		if u.Reported&InSide == 0 && u.In() == 0 {
			u.Input = EstimateEmbed(p)
			return u, true
		}
	case *Rerank:
		if u.Reported&InSide == 0 && u.In() == 0 && u.Searches == 0 {
			return u.Add(EstimateRerank(p)), true
		}
	}
	return u, false
}

// Measured is a Result that says what it consumed, as reported by the upstream.
type Measured interface{ Consumption() Usage }

// Consumption implements Measured.
func (e *Embeddings) Consumption() Usage { return e.Usage }
