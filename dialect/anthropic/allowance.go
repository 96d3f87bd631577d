package anthropic

import (
	"net/http"
	"strconv"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// allow says what limits leave to the caller, as the vendor does.
func allow(h http.Header, as []plenum.Allowance, _ time.Time) {
	for _, l := range [...]struct{ counts, name string }{
		{"requests", "Anthropic-Ratelimit-Requests-"},
		{"tokens", "Anthropic-Ratelimit-Tokens-"},
		{"input_tokens", "Anthropic-Ratelimit-Input-Tokens-"},
		{"output_tokens", "Anthropic-Ratelimit-Output-Tokens-"},
	} {
		a, ok := plenum.Tightest(as, l.counts)
		if !ok {
			continue
		}
		h.Set(l.name+"Limit", strconv.FormatInt(a.Limit, 10))
		h.Set(l.name+"Remaining", strconv.FormatInt(a.Left, 10))
		h.Del(l.name + "Reset") // that of an upstream
		if !a.Resets.IsZero() {
			h.Set(l.name+"Reset", a.Resets.UTC().Truncate(time.Second).Format(time.RFC3339))
		}
	}
}
