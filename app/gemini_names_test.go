package app

import (
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// Clients of Gemini name a model in the path; some leave out models/ before a name that has a slash.
func TestAModelOfGeminisClientsMayHaveASlash(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := newWorld(t, Mechanisms{}, `connections: [{name: a, provider: openai-compatible, base_url: "%s/v1"}]
deployments: [{name: xai/grok-4, targets: [{connection: a, upstream_model: grok-4}]}]
`, up.URL)
	for _, path := range []string{"/v1beta/models/xai/grok-4", "/v1beta/xai/grok-4", "/v1beta/models/xai%2Fgrok-4", "/gemini/v1beta/xai/grok-4"} {
		up.Script(testkit.JSON(completionAnswer))
		if resp, body := w.post(path+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}
