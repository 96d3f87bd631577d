package app

import (
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const compacted = `{"id":"resp_c","object":"response.compaction","created_at":1,"output":[{"type":"message","id":"msg_1","role":"user","status":"completed","content":[{"type":"input_text","text":"Hi"}]},
	{"type":"compaction","id":"cmp_1","encrypted_content":"sealed"}],"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":0},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":120}}`

// A conversation is made shorter where the vendor can; the bytes pass, and what it costs is metered.
func TestCompactionPassesWhereTheVendorHasIt(t *testing.T) {
	vendor, other := testkit.NewUpstream(t, testkit.JSON(compacted)), testkit.NewUpstream(t, testkit.JSON(chatText))
	w := newKeeping(t, keeping+responsesTargets+`
  - {name: both, targets: [{connection: an, upstream_model: up}, {connection: rs, upstream_model: up, price: {input_usd_per_million: 1, output_usd_per_million: 10}}]}
`, other.URL, other.URL, vendor.URL)
	resp, got := w.post("/v1/responses/compact", `{"model":"both","input":[{"role":"user","content":"Hi"}], "instructions":"Be brief."}`)
	if resp.StatusCode != http.StatusOK || got != compacted {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	sent := vendor.Last()
	if sent.Path != "/v1/responses/compact" || string(sent.Body) != `{"model":"up","input":[{"role":"user","content":"Hi"}], "instructions":"Be brief."}` {
		t.Errorf("%s was sent %s", sent.Path, sent.Body)
	}
	r := w.records.nth(t, 0)
	if r.Op != "responses.compact" || r.Usage.Input != 100 || r.Usage.Output+r.Usage.Reasoning != 20 || r.Cost != 100+200 || r.Estimated || other.Count() != 0 {
		t.Errorf("the record is %+v", r)
	}
	// What it goes on from is put in, wherever that was said.
	first := w.ask(`{"model":"oa","input":"The capital of France?"}`)
	if resp, got := w.post("/v1/responses/compact", `{"model":"rs","previous_response_id":"`+first["id"].(string)+`"}`); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, got)
	}
	if body := string(vendor.Last().Body); !strings.Contains(body, "The capital of France?") || !strings.Contains(body, "It is Paris.") || strings.Contains(body, "previous_response_id") {
		t.Errorf("sent was %s", body)
	}
	// Elsewhere it is refused: what another model would say instead is no compaction of the vendor's.
	for _, name := range []string{"oa", "an"} {
		resp, got := w.post("/v1/responses/compact", `{"model":"`+name+`","input":"Hi"}`)
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(got, "compaction of conversations") || !strings.Contains(got, `"no_such_operation"`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
	}
}

// Input tokens are counted by the vendor where it can, and else estimated and marked.
func TestInputTokensAreCountedOrEstimated(t *testing.T) {
	vendor := testkit.NewUpstream(t, testkit.JSON(`{"object":"response.input_tokens","input_tokens":11, "odd":1}`))
	claude := testkit.NewUpstream(t, testkit.JSON(`{"input_tokens":12}`))
	chat := testkit.NewUpstream(t, testkit.JSON(chatText))
	w := newKeeping(t, responsesTargets, chat.URL, claude.URL, vendor.URL)
	for name, want := range map[string]string{"rs": `"input_tokens":11, "odd":1`, "oa": `"object":"response.input_tokens"`, "an": `"object":"response.input_tokens"`} {
		resp, got := w.post("/v1/responses/input_tokens", `{"model":"`+name+`","input":"Hi there","instructions":"Be brief."}`)
		if resp.StatusCode != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, got)
		}
		if estimated := strings.Contains(resp.Header.Get("Plenum-Changed"), "estimated"); estimated != (name == "oa") {
			t.Errorf("%s: changed is %q", name, resp.Header.Get("Plenum-Changed"))
		}
	}
	if chat.Count() != 0 || vendor.Last().Path != "/v1/responses/input_tokens" {
		t.Errorf("the models were asked: %d, %s", chat.Count(), vendor.Last().Path)
	}
}
