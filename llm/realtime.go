package llm

// The operations of a session that stays open and in which both sides speak. The session is a call, so that who
// may have one is decided once; each answer within it is a call of its own, so that limits, money and the record
// are as for any other.
const (
	OpRealtime Op = "realtime"
	OpTurn     Op = "realtime.turn"
)

// Realtime is the payload of a session and of its turns. What was said before a turn only the upstream knows.
type Realtime struct{ What Op }

// Op returns the operation.
func (r *Realtime) Op() Op { return r.What }
func (*Realtime) payload() {}
