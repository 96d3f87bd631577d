package llm

// The operations on what callers own. No model answers them: Plenum does by itself. They go through the
// pipeline like all others, so that who may do what, and what was done, is decided and kept in one place.
const (
	OpFileCreate   Op = "file.create"
	OpFileList     Op = "file.list"
	OpFileGet      Op = "file.get"
	OpFileContent  Op = "file.content"
	OpFileDelete   Op = "file.delete"
	OpBatchCreate  Op = "batch.create"
	OpBatchList    Op = "batch.list"
	OpBatchGet     Op = "batch.get"
	OpBatchCancel  Op = "batch.cancel"
	OpBatchResults Op = "batch.results"
	OpBatchDelete  Op = "batch.delete"
	OpClientSecret Op = "realtime.secret"
	OpKeyInfo      Op = "key"  // the key that is called with
	OpKept         Op = "kept" // an answer or a conversation that is kept: to see, change, cancel or delete it
	// OpSession is a WebSocket on which answers are asked for: each is a call of its own, made for this one.
	OpSession Op = "responses.session"
)

// OpCompact asks for a conversation in fewer tokens, in a form that only its vendor can read.
const OpCompact Op = "responses.compact"

// OpWarm is an answer that is only prepared: what is said in it will be gone on from.
const OpWarm Op = "responses.warmup"

// Own reports whether an operation is answered by Plenum itself, out of what it keeps for its callers.
func (o Op) Own() bool {
	switch o {
	case OpFileCreate, OpFileList, OpFileGet, OpFileContent, OpFileDelete,
		OpBatchCreate, OpBatchList, OpBatchGet, OpBatchCancel, OpBatchResults, OpBatchDelete, OpKept, OpKeyInfo, OpClientSecret, OpSession:
		return true
	}
	return false
}

// OnOwn is the payload of an operation on what a caller owns. What it asks for stands in its path, its query
// and its body, and is read where it is answered.
type OnOwn struct{ What Op }

// Op returns the operation.
func (o *OnOwn) Op() Op { return o.What }
func (*OnOwn) payload() {}
