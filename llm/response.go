package llm

// Response is a model's whole answer.
type Response struct {
	ID      string
	Model   string // what the upstream says it ran
	Created int64  // Unix seconds; 0 where the dialect has none
	Choices []Choice
	Usage   Usage
	Tier    string
	Extra   Extra
}

func (*Response) result() {}

// Choice is one of the answers to a request: there is one, unless more were asked for.
type Choice struct {
	Index    int
	Blocks   []Block
	Stop     Stop
	Logprobs *Logprobs
	Extra    Extra // members of the choice
	Message  Extra // members of the choice's message
}

// Stop says why an answer ended.
type Stop struct {
	Reason   StopReason
	Sequence string // the stop sequence met, where the vendor says
	Raw      string // the vendor's own word, where Reason alone would not bring it back
	Extra    Extra  // details beside the reason (Anthropic's stop_details)
}

// StopReason is why a model stopped.
type StopReason string

// The reasons to stop. StopUnset is an answer that was cut off.
const (
	StopUnset    StopReason = ""
	StopEnd      StopReason = "end"
	StopLength   StopReason = "length"
	StopSequence StopReason = "sequence"
	StopTool     StopReason = "tool"
	StopFilter   StopReason = "filter"  // a content filter of the host
	StopRefusal  StopReason = "refusal" // the model declined
	StopPause    StopReason = "pause"   // a long turn to be continued by sending it back
	StopContext  StopReason = "context" // the context window is full
	StopError    StopReason = "error"
	StopOther    StopReason = "other"
)

// Logprobs are the log probabilities of the tokens of an answer.
type Logprobs struct {
	Content []Logprob
	Refusal []Logprob
	// Null tells which of the lists was null and not absent on the wire: "content", "refusal".
	Null  []string
	Extra Extra
}

// Logprob is one token's log probability with its nearest rivals. Bytes is nil where not given.
type Logprob struct {
	Token string
	Value string // the number as it stood: its precision is the vendor's
	Bytes []int
	Top   []Logprob
	Extra Extra
}

// TokenCount answers CountTokens.
type TokenCount struct {
	Input int64
	Extra Extra
}

func (*TokenCount) result() {}
