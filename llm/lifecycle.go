package llm

// OpLifecycle is an operation on what an upstream keeps for a caller: vector stores, fine-tunes, containers and
// the like. Nobody translates these; they pass as they are, within one dialect, to the place that has them.
const OpLifecycle Op = "lifecycle"

// Lifecycle is the payload of OpLifecycle. What it means only the upstream knows: a stage that must read or
// price what passes refuses it, unless the deployment lets such calls pass.
type Lifecycle struct{}

// Op returns OpLifecycle.
func (*Lifecycle) Op() Op   { return OpLifecycle }
func (*Lifecycle) payload() {}
