package dialect

import (
	"github.com/plenum-foundry/plenum/llm"
)

// Keeper is a codec of a dialect in which answers are kept: a later request goes on from one by its id, and
// whom it belongs to asks for it, cancels it or has it deleted. What is kept, where and for whom the codec
// does not know; it only knows how all that is said.
type Keeper interface {
	Codec
	// Refers reads what a request refers to, and what it wants to be kept of itself.
	Refers(Inbound, Head) (Reference, error)
	// Recall returns the body of a request that says by itself what it only referred to.
	Recall(Inbound, Head, Recalled) ([]byte, error)
	// Items returns the items of a request's input. Those without an id get one that is made of the call's.
	Items(body []byte, callID string) ([]Item, error)
	// Sums reports whether an event of a stream tells the whole answer at its end, and for "" whether the dialect's
	// streams have such an event. Else an answer is put together of what its events mean.
	Sums(event string) bool
	// Said reads an answer, or an event that says one as far as it has come; false for other events.
	Said(answer []byte) (Said, bool)
	// State returns an answer without any items: one that waits, was cancelled, or has failed.
	State(p llm.Payload, m Meta, status string, failure error) []byte
	// Asks reads what is asked of what is kept.
	Asks(Inbound) (Asking, error)
	// Show says an answer that is kept, as it was said or as State says it, to whoever asks for it; or that it waits.
	Show(a Asking, status string, answer []byte) ([]byte, error)
	// Tell answers what else was asked.
	Tell(Asking, Told) []byte
}

// Refuser is a codec of calls that a dialect has and Plenum does not serve. What they say is not read.
type Refuser interface {
	Codec
	// Refuse says what to use in the place of the call.
	Refuse(Inbound) error
}

// The states of an answer that is kept.
const (
	StateQueued     = "queued"
	StateInProgress = "in_progress"
	StateCompleted  = "completed"
	StateIncomplete = "incomplete"
	StateFailed     = "failed"
	StateCancelled  = "cancelled"
)

// Kept is what an answer says of itself when Plenum keeps it.
type Kept struct {
	Previous     string // the answer that it goes on from
	Conversation string
	Background   bool
}

// Reference is what a request refers to, and what it wants to be kept.
type Reference struct {
	Previous     string   // the answer that it goes on from
	Conversation string   // the conversation that it is a turn of
	Items        []string // the items that its input only names
	Unstored     bool     // its answer is not to be kept
	Background   bool     // its answer is asked for later
	Later        bool     // it can be asked for later alone: where nothing is kept, it cannot be had
}

// Empty reports whether nothing is referred to.
func (r *Reference) Empty() bool {
	return r.Previous == "" && r.Conversation == "" && len(r.Items) == 0
}

// Recalled is what is put into a request in place of its references.
type Recalled struct {
	Before []Item            // comes first in the input
	Named  map[string]string // the items that were only named, by id
	// Unstored says that the upstream need not keep the answer: Plenum does.
	Unstored bool
	// Streamed asks for a stream whatever the request says.
	Streamed bool
}

// Item is one item of what was said.
type Item struct {
	ID   string `json:"id"`
	JSON string `json:"json"` // as it was said, perhaps without its id
}

// Said is what an answer says of itself.
type Said struct {
	ID     string
	Status string
	Answer []byte // the whole answer
	Items  []Item // what it added to the conversation
}

// Ask is what is asked of what is kept.
type Ask string

// What can be asked.
const (
	AskAnswer       Ask = "answer"
	AskQueued       Ask = "queued" // what is said at once of an answer that is to be made in the background
	AskDelete       Ask = "delete"
	AskCancel       Ask = "cancel"
	AskInput        Ask = "input_items"
	AskBegin        Ask = "conversation.create"
	AskConversation Ask = "conversation"
	AskChange       Ask = "conversation.update"
	AskEnd          Ask = "conversation.delete"
	AskItems        Ask = "conversation.items"
	AskAdd          Ask = "conversation.items.create"
	AskItem         Ask = "conversation.item"
	AskDrop         Ask = "conversation.item.delete"
)

// Asking is a question about what is kept.
type Asking struct {
	Ask  Ask
	ID   string // of the answer or the conversation
	Item string
	// Of a list: from after which item, how many, and whether the latest comes first.
	After      string
	Limit      int
	Descending bool
	// Of an answer: as a stream, of the events with higher numbers than From.
	Stream bool
	From   int64

	Items    []Item // to be added
	Metadata string // of a conversation; "" where it is not said
}

// Told is what the answer to an Asking holds.
type Told struct {
	Items    []Item
	More     bool
	Metadata string
	Created  int64 // Unix seconds
}
