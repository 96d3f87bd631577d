package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const opaqueDeployments = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
deployments:
  - name: m
    lifecycle: %s
    opaque: %s
    targets: [{connection: a, upstream_model: up%s}]
`

// opaqueCalls are operations that a guardrail cannot read.
func opaqueCalls() map[string][3]string {
	ct, sound := form("model", "m", "file", "RIFF")
	return map[string][3]string{
		"images":        {"/v1/images/generations", `{"model":"m","prompt":"x"}`, "application/json"},
		"image edits":   {"/v1/images/edits", `{"model":"m","prompt":"x","images":[{"image_url":"data:image/png;base64,AA=="}]}`, "application/json"},
		"transcription": {"/v1/audio/transcriptions", sound, ct},
		"translation":   {"/v1/audio/translations", sound, ct},
		"a lifecycle":   {"/v1/vector_stores", `{}`, "application/json"},
	}
}

func opaqueWorld(t *testing.T, m Mechanisms, lifecycle, opaque, price string) (*world, *testkit.Upstream) {
	t.Helper()
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		switch {
		case strings.Contains(r.Path, "images"):
			return testkit.JSON(`{"created":1,"data":[{"b64_json":"AA=="}]}`)
		case strings.Contains(r.Path, "audio"):
			return testkit.JSON(`{"text":"hi"}`)
		case strings.Contains(r.Path, "chat"):
			return testkit.JSON(plainAnswer)
		}
		return testkit.JSON(`{"id":"vs_1aaaaaa"}`)
	})
	m.Owners = owners{openDB(t, t.TempDir()+"/plenum.db")}
	return newWorld(t, m, opaqueDeployments, up.URL, lifecycle, opaque, price), up
}

func TestWhatAGuardrailCannotReadIsRefusedUnlessTheDeploymentAllowsIt(t *testing.T) {
	w, up := opaqueWorld(t, Mechanisms{Guard: &censor{"secret plan"}}, "refuse", "refuse", "")
	for name, x := range opaqueCalls() {
		resp, got := w.post(x[0], x[1], "Content-Type", x[2])
		if resp.StatusCode != 403 || !strings.Contains(got, "guardrail_cannot_read") && !strings.Contains(got, "lifecycle_not_allowed") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
	if up.Count() != 0 {
		t.Errorf("%d reached the upstream", up.Count())
	}
	w, _ = opaqueWorld(t, Mechanisms{Guard: &censor{"secret plan"}}, "allow", "allow", "")
	for name, x := range opaqueCalls() {
		if resp, got := w.post(x[0], x[1], "Content-Type", x[2]); resp.StatusCode != 200 {
			t.Errorf("%s, allowed: %d %s", name, resp.StatusCode, got)
		}
	}
	// A deployment's consent to lifecycle calls is none to images.
	w, _ = opaqueWorld(t, Mechanisms{Guard: &censor{"secret plan"}}, "allow", "refuse", "")
	for name, want := range map[string]int{"images": 403, "a lifecycle": 200} {
		x := opaqueCalls()[name]
		if resp, got := w.post(x[0], x[1], "Content-Type", x[2]); resp.StatusCode != want {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
}

func TestASessionThatAGuardrailCannotReadIsRefused(t *testing.T) {
	v := newVoice(t, chatty, hello)
	w := newWorld(t, Mechanisms{Guard: &censor{"secret plan"}}, oneTarget, v.URL)
	if _, resp, err := w.open(map[string][]string{"Authorization": {"Bearer " + worldKey}}); err == nil || resp.StatusCode != 403 {
		t.Errorf("%v %v", resp, err)
	}
	if len(v.said()) != 0 {
		t.Error("the upstream was asked")
	}
}

func TestWhatABudgetCannotPriceIsRefusedUnlessTheDeploymentAllowsIt(t *testing.T) {
	tokens := ", price: {input_usd_per_million: 1, output_usd_per_million: 0}"
	for name, x := range map[string]struct {
		price, call, opaque string
		want                int
	}{
		"no price":                      {"", "chat", "refuse", 429},
		"no price, allowed":             {"", "chat", "allow", 200},
		"a price":                       {tokens, "chat", "refuse", 200},
		"images, and none for them":     {tokens, "images", "refuse", 429},
		"images, allowed":               {tokens, "images", "allow", 200},
		"images with a price":           {strings.Replace(tokens, "}", ", image_usd_per_thousand: 40}", 1), "images", "refuse", 200},
		"sound, priced by its tokens":   {tokens, "transcription", "refuse", 200},
		"all of it free":                {strings.Replace(tokens, "1", "0", 1), "images", "refuse", 200},
		"what passes on as it is":       {tokens, "a lifecycle", "refuse", 200}, // lifecycle: allow
		"images without any price":      {"", "images", "refuse", 429},
		"transcription without a price": {"", "transcription", "refuse", 429},
	} {
		p := &purse{left: 1 << 20}
		w, up := opaqueWorld(t, Mechanisms{Budgets: p}, "allow", x.opaque, x.price)
		call := [3]string{"/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "application/json"}
		if x.call != "chat" {
			call = opaqueCalls()[x.call]
		}
		resp, got := w.post(call[0], call[1], "Content-Type", call[2])
		if resp.StatusCode != x.want || x.want != 200 && !strings.Contains(got, "price_unknown") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
		if reached := up.Count() > 0; reached != (x.want == 200) {
			t.Errorf("%s: the upstream was asked: %v", name, reached)
		}
		if p.holds != p.settled || x.want != 200 && p.holds > 0 {
			t.Errorf("%s: %+v", name, fmt.Sprint(p.holds, p.settled))
		}
	}
}
