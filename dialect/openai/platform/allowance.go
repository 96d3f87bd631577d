package platform

import (
	"net/http"
	"strconv"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Allow says what limits leave to the caller, as the vendor does: of requests, and of tokens whichever are counted.
func Allow(h http.Header, as []plenum.Allowance, now time.Time) {
	allow(h, "Requests", now, as, "requests")
	allow(h, "Tokens", now, as, "tokens", "input_tokens", "output_tokens")
}

func allow(h http.Header, what string, now time.Time, as []plenum.Allowance, counts ...string) {
	a, ok := plenum.Tightest(as, counts...)
	if !ok {
		return
	}
	h.Set("X-Ratelimit-Limit-"+what, strconv.FormatInt(a.Limit, 10))
	h.Set("X-Ratelimit-Remaining-"+what, strconv.FormatInt(a.Left, 10))
	h.Del("X-Ratelimit-Reset-" + what) // that of an upstream
	if !a.Resets.IsZero() {
		h.Set("X-Ratelimit-Reset-"+what, max(0, a.Resets.Sub(now)).Round(time.Millisecond).String())
	}
}
