package llm

import "iter"

// Event is a step of an answer. The set is sealed. Events of blocks carry the choice and the block's
// index within it, so that several choices and interleaved blocks are ordinary.
//
// A well-formed stream is: one Start; then for each block BlockStart, deltas, BlockEnd (blocks may
// overlap, but an index is started once, ended once, and has no delta outside); a Finish for each
// choice; Usage and Ping anywhere after Start; End last. A stream that breaks off ends with an error
// from the iterator, or with a Fault where the upstream said one.
type Event interface{ event() }

// Stream yields the events of one answer. An error ends it.
type Stream = iter.Seq2[Event, error]

// Start opens an answer.
type Start struct {
	ID      string
	Model   string
	Created int64
	Tier    string
	Extra   Extra
}

// BlockStart opens block Index of Choice. Block holds what is known of it at the start: its kind, a
// tool call's id and name, text or arguments that came along with it.
type BlockStart struct {
	Choice, Index int
	Block         Block
}

// TextDelta adds to a Text or Refusal block, and to no other.
type TextDelta struct {
	Choice, Index int
	Text          string
}

// ThoughtDelta adds to a Thought block: to its Text, its Signature or its Sealed part.
type ThoughtDelta struct {
	Choice, Index int
	Text          string
	Signature     string
	Sealed        string
}

// ArgsDelta adds to the arguments of a ToolUse block.
type ArgsDelta struct {
	Choice, Index int
	JSON          string
}

// CiteDelta adds a citation to a Text block.
type CiteDelta struct {
	Choice, Index int
	Citation      Citation
}

// MediaDelta adds base64 data to a Media block (audio answers).
type MediaDelta struct {
	Choice, Index int
	Data          string
}

// OpaqueDelta is a delta that has no word here, as it stood.
type OpaqueDelta struct {
	Choice, Index int
	Opaque        Opaque
}

// BlockEnd closes a block. Block, where it is not nil, is the block in its final form and replaces
// what the deltas built (a vendor's `.done` repeats it whole).
type BlockEnd struct {
	Choice, Index int
	Block         Block
}

// LogprobsDelta adds log probabilities to a choice.
type LogprobsDelta struct {
	Choice   int
	Logprobs Logprobs
}

// Finish ends a choice. Extra and Message hold members of the choice and of its message that have no
// word here.
type Finish struct {
	Choice  int
	Stop    Stop
	Extra   Extra
	Message Extra
}

// UsageReport tells what the call has consumed so far, all of it: the last report is the truth.
type UsageReport struct{ Usage Usage }

// Ping keeps the line open.
type Ping struct{}

// Fault is an error that the upstream said within the stream.
type Fault struct{ Err *Error }

// OpaqueEvent is an event that has no word here, as it stood.
type OpaqueEvent struct{ Opaque Opaque }

// End closes an answer. Extra and Tier say late what the upstream says late.
type End struct {
	Tier  string
	Extra Extra
}

func (Start) event()         {}
func (BlockStart) event()    {}
func (TextDelta) event()     {}
func (ThoughtDelta) event()  {}
func (ArgsDelta) event()     {}
func (CiteDelta) event()     {}
func (MediaDelta) event()    {}
func (OpaqueDelta) event()   {}
func (BlockEnd) event()      {}
func (LogprobsDelta) event() {}
func (Finish) event()        {}
func (UsageReport) event()   {}
func (Ping) event()          {}
func (Fault) event()         {}
func (OpaqueEvent) event()   {}
func (End) event()           {}

// IsContent reports whether ev carries a part of the answer itself. The first content event commits
// the answer to its target: before it a call may still move to another unseen, after it never.
func IsContent(ev Event) bool {
	switch e := ev.(type) {
	case BlockStart:
		return holdsContent(e.Block)
	case TextDelta:
		return e.Text != ""
	case ThoughtDelta:
		return e.Text != "" || e.Signature != "" || e.Sealed != ""
	case ArgsDelta, CiteDelta, MediaDelta, OpaqueDelta, Finish, LogprobsDelta:
		return true
	case BlockEnd:
		return e.Block != nil
	default:
		return false
	}
}

func holdsContent(b Block) bool {
	switch b := b.(type) {
	case Text:
		return b.Text != "" || len(b.Citations) > 0
	case Refusal:
		return b.Text != ""
	case Thought:
		return !b.Empty()
	default:
		return true
	}
}
