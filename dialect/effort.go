package dialect

// EffortOf returns the word for how hard to think that a budget of tokens stands for.
func EffortOf(budget int) string {
	switch {
	case budget < 4096:
		return "low"
	case budget < 16384:
		return "medium"
	}
	return "high"
}
