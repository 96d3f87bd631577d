package plenum

import "time"

// Allowance is what a limit leaves to a caller, for headers that say so.
type Allowance struct {
	Counts string // requests, tokens, input_tokens or output_tokens
	Limit  int64
	Left   int64
	Resets time.Time // when some of what was used counts no more
}

// Tightest returns of the allowances that count one of some things the one that leaves least; false where there is none.
func Tightest(as []Allowance, counts ...string) (least Allowance, ok bool) {
	for _, a := range as {
		for _, c := range counts {
			if a.Counts == c && (!ok || a.Left < least.Left) {
				least, ok = a, true
			}
		}
	}
	return least, ok
}
