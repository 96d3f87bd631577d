package llm

import "unicode/utf8"

// Measured is a Result that says what it consumed, as reported by the upstream.
type Measured interface{ Consumption() Usage }

// Consumption implements Measured.
func (e *Embeddings) Consumption() Usage { return e.Usage }

// Consumed returns what a call consumed: what the upstream reported, and of what it did not report what
// the request tells of itself. Where that is a guess the usage is an estimate. Which classes have a price is
// told by bills: nothing is guessed that nobody pays for. A request for an answer (OpGenerate) is not counted
// by it, since its answer tells more than it does.
func Consumed(p Payload, u Usage, bills func(Class) bool) (got Usage, estimated bool) {
	silent := u.Reported == 0 && u.In() == 0 && u.Out() == 0
	switch p := p.(type) {
	case *Embed:
		if silent {
			u.Input, estimated = EstimateEmbed(p), true
		}
	case *Rerank:
		if silent && u.Searches == 0 {
			return u.Add(EstimateRerank(p)), true
		}
	case *Moderate:
		if silent {
			u.Input, estimated = estimateBlocks(p.Inputs), true
		}
	case *Speak:
		return spoken(p, u, silent && bills(ClassOutputAudio))
	case *Transcribe:
		return heard(p, u, silent && bills(ClassInputAudio))
	case *Draw:
		if silent && bills(ClassInput) {
			u.Input, estimated = EstimateText(len(p.Prompt)), true
		}
		if u.Images == 0 {
			u.Images, estimated = int64(max(1, p.N.Or(1))), true
		}
	}
	return u, estimated
}

// spoken counts the letters, of which every host has the same, and guesses the tokens.
func spoken(p *Speak, u Usage, guess bool) (Usage, bool) {
	u.Characters = int64(utf8.RuneCountInString(p.Text))
	if guess {
		u.Input = EstimateText(len(p.Text) + len(p.How))
		u.OutputAudio = u.Characters * 7 / 5
	}
	return u, guess
}

// heard counts the seconds, and guesses the tokens.
func heard(p *Transcribe, u Usage, guess bool) (Usage, bool) {
	estimated := guess
	if u.Seconds == 0 {
		n, exact := p.Sound.Duration()
		u.Seconds, estimated = n, estimated || !exact && u.Reported == 0
	}
	if guess {
		u.InputAudio = u.Seconds * soundTokensPerSecond
	}
	return u, estimated
}
