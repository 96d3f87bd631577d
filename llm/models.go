package llm

// ListModels asks which deployments the caller may use; with an ID, for that one alone.
type ListModels struct{ ID string }

// Op returns OpModels.
func (*ListModels) Op() Op   { return OpModels }
func (*ListModels) payload() {}

// ModelList answers ListModels.
type ModelList struct{ Models []Model }

func (*ModelList) result() {}

// Model is an entry of a ModelList.
type Model struct {
	ID      string
	Owner   string // the publisher
	Created int64  // Unix seconds; 0 where unknown
}
