package dialect

import (
	"net/http"
	"strings"
)

// Laned is a codec of answers that can be asked for on a WebSocket as well: each message of the caller's is a
// request, and each event of an answer is a message. Answers that are asked for in different lanes are given
// side by side, those of one lane one after the other.
type Laned interface {
	Keeper
	// ReadOrder reads a message of a caller's. Where it returns an error, the order has the lane as far as it is known.
	ReadOrder(message []byte, b Bounds) (Order, error)
	// AppendMessage appends the message that says a frame of a stream; nothing for one that has no place there.
	AppendMessage(dst []byte, f Frame, lane string) []byte
	// Ends says which end of an answer a frame is.
	Ends(f Frame) Ending
	// Whole returns the message that says what has come whole instead of as events, which mostly is a refusal.
	Whole(r Reply, lane string) []byte
	// Remark returns the last message of an answer with what is said of it in headers over HTTP.
	Remark(last []byte, about Remark) []byte
	// Again returns items of an answer that nobody keeps as a later request can say them.
	Again(items []Item) []Item
}

// Order is what a caller's message asks for.
type Order struct {
	Lane string
	Warm bool   // nothing is to be answered yet: what is said will be gone on from
	Body []byte // the request, as it would be sent over HTTP
	// Say is what is said at once, in place of an answer, where that is all.
	Say []byte
}

// Ending is the place of a frame in its answer.
type Ending int

// The endings.
const (
	Goes  Ending = iota // more is to come
	Fault               // an error, after which the end may be said yet
	Ended               // nothing comes after it
)

// Remark is what headers tell of an answer over HTTP.
type Remark struct {
	CallID, Deployment, Target string
	Lost, Changed              []string
}

// Upgrading reports whether a request is to become a WebSocket. It is the Match of routes that only are for those.
func Upgrading(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") }
