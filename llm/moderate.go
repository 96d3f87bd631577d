package llm

// Moderate asks whether texts or images are harmful.
type Moderate struct {
	Model  string
	Inputs []Block
	// Shape is how the inputs stood: "text", "list" of texts, or "parts".
	Shape string
	Extra Extra
}

// Op returns OpModerate.
func (*Moderate) Op() Op   { return OpModerate }
func (*Moderate) payload() {}

// Moderation answers Moderate.
type Moderation struct {
	ID      string
	Model   string
	Results []Verdict
	Usage   Usage
	Extra   Extra
}

func (*Moderation) result() {}

// Consumption implements Measured.
func (m *Moderation) Consumption() Usage { return m.Usage }

// Verdict is what was found about one input.
type Verdict struct {
	Flagged Opt[bool]
	Extra   Extra // the categories and their scores, as the host has them
}
