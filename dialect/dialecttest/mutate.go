package dialecttest

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

// Mutations changes requests at random, n times, and checks that each is either refused, as the caller's
// fault with status 400, or edited and encoded into valid JSON; and that nothing panics.
func Mutations(t *testing.T, c dialect.Codec, seeds [][]byte, n int) {
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range n {
		body := Mutate(rng, seeds[rng.IntN(len(seeds))])
		if !holds(t, c, body) {
			refused++
		}
	}
	t.Logf("%d of %d refused", refused, n)
}

// Mutate returns a changed copy of a JSON text: some bytes of it, or some of its values.
func Mutate(rng *rand.Rand, seed []byte) []byte {
	var v any
	if rng.IntN(2) == 0 && json.Unmarshal(seed, &v) == nil {
		out, _ := json.Marshal(mutateValue(rng, v, 3))
		return out
	}
	out := append([]byte(nil), seed...)
	for range 1 + rng.IntN(3) {
		if len(out) == 0 {
			break
		}
		i := rng.IntN(len(out))
		switch rng.IntN(4) {
		case 0:
			out[i] = "{}[]\",:0nt\\\x00\xff"[rng.IntN(13)]
		case 1:
			out = append(out[:i], out[min(len(out), i+1+rng.IntN(8)):]...)
		case 2:
			j := min(len(out), i+rng.IntN(20))
			out = append(out[:j:j], out[i:]...)
		case 3:
			out = out[:i]
		}
	}
	return out
}

// mutateValue replaces about one in odds of the values within by something else.
func mutateValue(rng *rand.Rand, v any, odds int) any {
	if rng.IntN(12*odds) == 0 {
		return []any{
			nil, true, 1.5, -7.0, 1e300, "", "x", "\x00",
			[]any{},
			map[string]any{},
			[]any{nil},
			[]any{"x"},
			map[string]any{"type": "text"},
			map[string]any{"type": 1.0},
		}[rng.IntN(14)]
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = mutateValue(rng, v[i], odds)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			if rng.IntN(20*odds) == 0 {
				continue
			}
			out[k] = mutateValue(rng, x, odds)
		}
		return out
	}
	return v
}

// holds checks what must hold for any body, and reports whether it was taken as a request.
func holds(t *testing.T, c dialect.Codec, body []byte) bool {
	t.Helper()
	in := dialect.Inbound{Body: body}
	shape := dialect.Shape{
		Meter: true,
		Edits: []dialect.Edit{dialect.Cap{N: 10}},
		Offer: &plenum.Offer{Upstream: "up", Traits: plenum.Traits{Refuses: []string{"temperature"}, NoDeveloper: true}},
	}
	head, err := c.Peek(in, dialect.Bounds{})
	mustBeInvalid(t, body, err)
	if err == nil {
		out, err := c.EditRequest(in, head, shape)
		mustBeInvalid(t, body, err)
		// Peek looks at the structure alone, and so lets strings pass that a parser refuses.
		if err == nil && json.Valid(body) && !json.Valid(out.Body) {
			t.Errorf("%q\nedited to %q", body, out.Body)
		}
	}
	p, err := c.DecodeRequest(in)
	mustBeInvalid(t, body, err)
	if err != nil {
		return false
	}
	for _, s := range []dialect.Shape{{}, shape} {
		out, _, err := c.EncodeRequest(p, s)
		if err != nil || !json.Valid(out.Body) {
			t.Errorf("%q\nencoded to %q, %v", body, out.Body, err)
		}
	}
	return true
}

func mustBeInvalid(t *testing.T, body []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e := llm.AsError(err)
	if e.Kind != llm.Invalid || e.Message == "" {
		t.Errorf("%q: %v", body, err)
	}
}
