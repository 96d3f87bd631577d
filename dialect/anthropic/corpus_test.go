package anthropic_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// exchange is one recorded request and its answer. Request is nil where only the answer was kept.
type exchange struct {
	name     string
	count    bool
	request  []byte
	status   int
	header   http.Header
	response []byte
	stream   bool
}

func (x exchange) codec() dialect.Codec {
	if x.count {
		return anthropic.Dialect().Codec(llm.OpCountTokens)
	}
	return anthropic.Dialect().Codec(llm.OpGenerate)
}

// corpus returns every recorded exchange of the dialect, from whichever vendor.
func corpus(t testing.TB) []exchange {
	t.Helper()
	all := corpusOrNone(t)
	if len(all) == 0 {
		t.Skip("no recorded messages: set PLENUM_CORPUS to a directory that holds some")
	}
	return all
}

func corpusOrNone(t testing.TB) []exchange {
	t.Helper()
	dir, err := testkit.FindCorpus()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange
	for i := range xs {
		if x := &xs[i]; ours(x) {
			out = append(out, exchange{
				name: x.Name(), count: x.Op() == "messages.count_tokens", request: x.Request.Body,
				status: x.Response.Status, header: x.Response.Header, response: x.Response.Body, stream: x.Stream(),
			})
		}
	}
	return out
}

// ours reports whether an exchange is in this dialect. Hosts that carry it name the version in the body.
func ours(x *testkit.Exchange) bool {
	if len(x.Response.Body) == 0 {
		return false
	}
	switch x.Op() {
	case "messages", "messages.count_tokens":
		return true
	case "rawPredict":
		return bytes.Contains(x.Request.Body, []byte("anthropic_version"))
	case "invoke":
		return bytes.Contains(x.Request.Body, []byte("anthropic_version")) && bytes.Contains(x.Response.Body, []byte(`"role"`))
	}
	return false
}

// inbound makes the exchange's request one of this dialect: hosts that name the model in the path have
// none in the body.
func (x exchange) inbound() dialect.Inbound {
	body := x.request
	if !bytes.Contains(body, []byte(`"model"`)) {
		body = append([]byte(`{"model":"m",`), bytes.TrimSpace(body)[1:]...)
	}
	return dialect.Inbound{Method: "POST", Path: "/v1/messages", Header: http.Header{}, Body: body}
}

func TestCorpusIsNotEmpty(t *testing.T) {
	streams, wholes := 0, 0
	for _, x := range corpus(t) {
		if x.stream {
			streams++
		} else {
			wholes++
		}
	}
	t.Logf("%d streams, %d whole answers", streams, wholes)
	if streams == 0 || wholes == 0 {
		t.Errorf("%d streams and %d whole answers: the corpus is not read right", streams, wholes)
	}
}

// Law: what is decoded and encoded again in its own dialect is the same.
func TestEveryRecordedRequestSurvives(t *testing.T) {
	for _, x := range corpus(t) {
		if x.request == nil {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			in := x.inbound()
			p, err := x.codec().DecodeRequest(in)
			if err != nil {
				t.Fatal(err)
			}
			out, lost, err := x.codec().EncodeRequest(p, dialect.Shape{})
			if err != nil {
				t.Fatal(err)
			}
			if len(lost) > 0 {
				t.Errorf("lost within the dialect: %v", lost)
			}
			sameJSON(t, in.Body, out.Body)
		})
	}
}

func TestEveryRecordedAnswerSurvives(t *testing.T) {
	for _, x := range corpus(t) {
		if x.stream || x.status != 200 {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			c := x.codec()
			res, err := c.DecodeResponse(dialect.Reply{Status: 200, Body: x.response})
			if err != nil {
				t.Fatal(err)
			}
			reply, lost, err := c.EncodeResponse(nil, res, dialect.Meta{})
			if err != nil || len(lost) > 0 {
				t.Fatalf("lost %v, error %v", lost, err)
			}
			sameJSON(t, x.response, reply.Body)
			if r, ok := res.(*llm.Response); ok {
				again, err := llm.Collect(llm.Replay(r))
				if d := cmp.Diff(r, again); err != nil || d != "" {
					t.Errorf("the fold of its stream differs: %v\n%s", err, d)
				}
				checkGist(t, c, x.response, r)
			}
		})
	}
}

func checkGist(t *testing.T, c dialect.Codec, body []byte, r *llm.Response) {
	t.Helper()
	g := c.Gist(body)
	want := dialect.Gist{ID: r.ID, Model: r.Model, Usage: r.Usage, Stop: r.Choices[0].Stop.Reason, Text: g.Text, Tier: r.Tier}
	if d := cmp.Diff(want, g); d != "" {
		t.Errorf("Gist differs from the decoded answer:\n%s", d)
	}
	if g.Text == 0 && len(r.Choices[0].Blocks) > 0 {
		t.Error("Gist counts no text")
	}
}

func TestEveryRecordedStreamSurvives(t *testing.T) {
	for _, x := range corpus(t) {
		if !x.stream {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			c := x.codec()
			events, err := decode(c, x.response, dialect.Want{})
			if err != nil {
				t.Fatal(err)
			}
			checkEvents(t, events)
			want := fold(t, events)
			enc := c.NewEncoder(nil, dialect.Meta{})
			wire := encode(t, enc, events)
			if len(enc.Losses()) > 0 {
				t.Errorf("lost within the dialect: %v", enc.Losses())
			}
			checkGrammar(t, wire)
			again, err := decode(c, wire, dialect.Want{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, fold(t, again)); d != "" {
				t.Errorf("encoded and decoded again it differs:\n%s", d)
			}
			checkMeter(t, c, x.response, events)
		})
	}
}

// checkMeter compares what metering hears of a stream with the whole of it.
func checkMeter(t *testing.T, c dialect.Codec, wire []byte, all []llm.Event) {
	t.Helper()
	few, err := decode(c, wire, dialect.Want{Meter: true})
	if err != nil {
		t.Fatal(err)
	}
	a, b := fold(t, all), fold(t, few)
	if d := cmp.Diff(a.Usage, b.Usage); d != "" {
		t.Errorf("metering hears another usage:\n%s", d)
	}
	if a.ID != b.ID || a.Model != b.Model || a.Choices[0].Stop.Reason != b.Choices[0].Stop.Reason {
		t.Errorf("metering hears %q %q %v, not %q %q %v", b.ID, b.Model, b.Choices[0].Stop, a.ID, a.Model, a.Choices[0].Stop)
	}
}

func TestEveryRecordedErrorIsUnderstood(t *testing.T) {
	for _, x := range corpus(t) {
		if x.status == 200 {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			e := x.codec().DecodeError(dialect.Reply{Status: x.status, Header: x.header, Body: x.response})
			if e.Message == "" || e.Kind == llm.Internal || e.Kind == llm.BadUpstream {
				t.Errorf("got %q: %q", e.Kind, e.Message)
			}
			r := x.codec().EncodeError(e)
			if x.status == 401 || x.status == 403 {
				if r.Status != 502 || bytes.Equal(r.Body, x.response) {
					t.Errorf("an error about our credential went to the caller: %d %s", r.Status, r.Body)
				}
				return
			}
			if r.Status != x.status || !bytes.Equal(r.Body, x.response) {
				t.Errorf("got %d %s, want it unchanged: %d %s", r.Status, r.Body, x.status, x.response)
			}
		})
	}
}

func sameJSON(t *testing.T, want, got []byte) {
	t.Helper()
	if d := cmp.Diff(parse(t, want), parse(t, got)); d != "" {
		t.Errorf("differs (-want +got):\n%s", d)
	}
}

// parse reads JSON for comparison.
func parse(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	return v
}
