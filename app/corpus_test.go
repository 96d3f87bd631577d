package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

const anyModel = `
connections:
  - {name: a, provider: openai-compatible, base_url: "%s/v1"}
  - {name: b, provider: anthropic-compatible, base_url: "%s"}
deployments:
  - name: to-openai
    aliases: ["openai/*"]
    retry: {attempts: 1}
    targets: [{connection: a, upstream_model: "*"}]
  - name: to-anthropic
    aliases: ["anthropic/*"]
    retry: {attempts: 1}
    targets: [{connection: b, upstream_model: "*"}]
`

// Every recorded exchange of a dialect goes through the whole gateway: what the client sent reaches the
// upstream byte for byte, but for the deployment's name and the usage that metering asks for, and what
// the vendor answered reaches the client byte for byte.
func TestRecordedExchangesPassByteForByte(t *testing.T) {
	xs := testkit.Corpus(t)
	up := testkit.NewUpstream(t, testkit.JSON("{}"))
	w := newWorld(t, Mechanisms{}, anyModel, up.URL, up.URL)
	whole, streamed, errors := 0, 0, 0
	for _, d := range []struct{ name, op, path, prefix string }{
		{"openai", "chat.completions", "/v1/chat/completions", "openai/"},
		{"anthropic", "messages", "/v1/messages", "anthropic/"},
	} {
		for _, x := range xs.Op(d.op) {
			body, ok := renamed(x.Request.Body, d.prefix)
			if !x.Request.Found || !ok || x.Response.Status == 0 || x.Response.Framing != testkit.None && x.Response.Framing != testkit.Events {
				continue
			}
			if x.Stream() && !bytes.Contains(bytes.ReplaceAll(body, []byte(" "), nil), []byte(`"stream":true`)) {
				continue // the recorder left out that a stream was asked for
			}
			answer := testkit.Text(x.Response.Status, x.Response.Header.Get("Content-Type"), string(x.Response.Body))
			if x.Stream() {
				answer = testkit.Stream(x.Response.Body)
			}
			up.Script(answer)
			status, got := w.send(d.path, body)
			switch {
			case x.Response.Status == 401 || x.Response.Status == 402 || x.Response.Status == 403:
				if status != 502 {
					t.Errorf("%s: an upstream's %d reached the caller as %d", x.Name(), x.Response.Status, status)
				}
				errors++
				continue
			case x.Response.Status == 200 && status >= 400 && saysError(x.Response.Body):
				errors++
				// An error that came with status 200 reaches the caller as what it is, in its own bytes.
			case status != x.Response.Status && !(x.Stream() && status == 200):
				t.Errorf("%s: status %d, recorded %d: %.300s", x.Name(), status, x.Response.Status, got)
				continue
			case status >= 400:
				errors++
			case x.Stream():
				streamed++
			default:
				whole++
			}
			if want := x.Response.Body; !bytes.Equal(got, want) && !sameStream(got, want) {
				t.Errorf("%s: the caller got\n%.600s\nrecorded\n%.600s", x.Name(), got, want)
			}
			if sent := up.Last().Body; !sameRequest(sent, x.Request.Body) {
				t.Errorf("%s: the upstream got\n%.600s\nrecorded\n%.600s", x.Name(), sent, x.Request.Body)
			}
		}
	}
	t.Logf("%d whole answers, %d streams and %d errors passed", whole, streamed, errors)
	if whole+streamed < 50 {
		t.Errorf("only %d exchanges were checked", whole+streamed)
	}
}

// Every recorded request crosses to the other dialect: the upstream gets JSON, and nothing is a fault of
// ours.
func TestRecordedRequestsCross(t *testing.T) {
	xs := testkit.Corpus(t)
	up := testkit.NewUpstream(t, testkit.JSON("{}"))
	w := newWorld(t, Mechanisms{}, strings.ReplaceAll(anyModel, "    retry:", "    structured: native\n    retry:"), up.URL, up.URL)
	claude := `{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`
	n, lossy := 0, 0
	for _, d := range []struct{ op, path, prefix, answer string }{
		{"chat.completions", "/v1/chat/completions", "anthropic/", claude},
		{"messages", "/v1/messages", "openai/", strings.Replace(wholeAnswer, "up", "x", 1)},
	} {
		for _, x := range xs.Op(d.op) {
			body, ok := renamed(x.Request.Body, d.prefix)
			if !x.Request.Found || !ok || x.Response.Status != 200 {
				continue
			}
			up.Script(testkit.JSON(d.answer))
			resp, got := w.post(d.path, string(body))
			if resp.StatusCode != 200 {
				t.Errorf("%s: %d %.400s", x.Name(), resp.StatusCode, got)
				continue
			}
			if !json.Valid(up.Last().Body) {
				t.Errorf("%s: the upstream got %.400s", x.Name(), up.Last().Body)
			}
			n++
			if resp.Header.Get("Plenum-Lost") != "" {
				lossy++
			}
		}
	}
	t.Logf("%d requests crossed, %d with losses that were named", n, lossy)
	if n < 50 {
		t.Errorf("only %d requests crossed", n)
	}
}

const wholeAnswer = whole

// renamed puts a deployment's prefix before the model's name; false where there is none.
func renamed(body []byte, prefix string) ([]byte, bool) {
	i := bytes.Index(body, []byte(`"model"`))
	if i < 0 {
		return nil, false
	}
	j := bytes.IndexByte(body[i+7:], '"')
	if j < 0 {
		return nil, false
	}
	at := i + 7 + j + 1
	return append(append(bytes.Clone(body[:at]), prefix...), body[at:]...), true
}

func (w *world) send(path string, body []byte) (int, []byte) {
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+worldKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Errorf("reading after %.200s: %v", text, err)
	}
	return resp.StatusCode, text
}

// sameRequest compares requests less the usage that metering asks for.
func sameRequest(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	const added = `,"stream_options":{"include_usage":true}`
	if bytes.Equal(bytes.Replace(got, []byte(added), nil, 1), want) {
		return true
	}
	var g, w map[string]any
	if json.Unmarshal(got, &g) != nil || json.Unmarshal(want, &w) != nil {
		return false
	}
	// A caller's own stream_options may have been set to ask for usage.
	delete(g, "stream_options")
	delete(w, "stream_options")
	a, _ := json.Marshal(g)
	b, _ := json.Marshal(w)
	return bytes.Equal(a, b)
}

// sameStream compares streams less what a caller does not get: what follows the end, a frame of usage
// that it did not ask for, and, where the recording was cut off, the error that says so.
func sameStream(got, want []byte) bool {
	usage := 0
	g := got
	for line := range bytes.SplitSeq(want, []byte("\n\n")) {
		line = append(bytes.Clone(line), '\n', '\n')
		rest, ok := bytes.CutPrefix(g, line)
		switch {
		case ok:
			g = rest
		case bytes.Contains(line, []byte(`"usage"`)) && usage == 0:
			usage++
		case len(g) == 0 || len(bytes.TrimSpace(line)) == 0:
		default:
			return false
		}
	}
	return len(g) == 0
}

// saysError reports whether a whole answer is an error, whatever its status says.
func saysError(body []byte) bool {
	var v struct {
		Error   json.RawMessage `json:"error"`
		Choices json.RawMessage `json:"choices"`
	}
	return json.Unmarshal(body, &v) == nil && len(v.Error) > 0 && v.Error[0] == '{' && v.Choices == nil
}
