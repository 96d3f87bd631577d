package dialecttest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

// CrossRequests checks that recorded requests of one dialect can be said in another: what comes out is
// read there, and every word of the caller is in it or something is named as lost.
func CrossRequests(t *testing.T, from, to dialect.Codec, xs testkit.Exchanges, vars func(*testkit.Exchange) map[string]string) {
	n, lossy := 0, 0
	offer := &plenum.Offer{Upstream: "upstream-model", Traits: plenum.Traits{DefaultMaxOut: 4096}}
	for i := range xs {
		x := &xs[i]
		p, err := from.DecodeRequest(Inbound(x, vars(x)))
		if err != nil {
			continue
		}
		n++
		out, losses, err := to.EncodeRequest(p, dialect.Shape{Offer: offer, Meter: true})
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		if len(losses) > 0 {
			lossy++
		}
		again, twice, _ := to.EncodeRequest(p, dialect.Shape{Offer: offer, Meter: true})
		if !bytes.Equal(out.Body, again.Body) || !cmp.Equal(losses, twice) {
			t.Errorf("%s: said differently the second time", x.Name())
		}
		if _, err := to.DecodeRequest(dialect.Inbound{Body: out.Body}); err != nil {
			t.Errorf("%s: not read: %v\n%s", x.Name(), err, out.Body)
		}
		once(t, x.Name(), losses)
		r, _ := p.(*llm.Request)
		for _, w := range requestWords(r) {
			if len(losses) == 0 && len(out.Changed) == 0 && !contains(out.Body, w) {
				t.Errorf("%s: lost in silence: %q", x.Name(), w)
			}
		}
	}
	t.Logf("%d requests, %d with losses", n, lossy)
}

// CrossAnswers checks that recorded answers of one dialect, whole or streamed, can be said in another.
func CrossAnswers(t *testing.T, from, to dialect.Codec, xs testkit.Exchanges, req llm.Payload) {
	n := 0
	for _, x := range Answers(xs) {
		res, err := from.DecodeResponse(Reply(&x))
		r, ok := res.(*llm.Response)
		if err != nil || !ok {
			continue
		}
		n++
		out, losses, err := to.EncodeResponse(req, res, dialect.Meta{CallID: "c", Now: 1})
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		once(t, x.Name(), losses)
		back, err := to.DecodeResponse(out)
		if err != nil {
			t.Errorf("%s: not read: %v\n%s", x.Name(), err, out.Body)
			continue
		}
		said(t, x.Name(), r, back.(*llm.Response), losses)
	}
	for _, x := range Streams(xs) {
		whole := Decode(from, Frames(x.Response.Body), dialect.Want{})
		e := to.NewEncoder(req, dialect.Meta{CallID: "c", Now: 1})
		out, err := Encode(e, whole.Events, whole.Fault())
		if err != nil {
			t.Errorf("%s: %v", x.Name(), err)
			continue
		}
		n++
		once(t, x.Name(), e.Losses())
		back := Decode(to, Frames(out), dialect.Want{})
		if (whole.Fault() != nil) != (back.Fault() != nil) {
			t.Errorf("%s: ended with %v, said as %v", x.Name(), whole.Fault(), back.Fault())
			continue
		}
		if s := Grammar(back.Events, back.Fault() != nil); s != "" {
			t.Errorf("%s: %s\n%s", x.Name(), s, out)
		}
		if whole.Fault() == nil {
			said(t, x.Name(), whole.Fold(), back.Fold(), e.Losses())
		}
	}
	t.Logf("%d answers", n)
}

// Across checks what crosses from a dialect to others: requests, and the answers to them. Vars gives the variables of
// the route that a request came by.
func Across(t *testing.T, name string, c dialect.Codec, others map[string]dialect.Codec, xs testkit.Exchanges, vars func(*testkit.Exchange) map[string]string) {
	t.Helper()
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	for other, o := range others {
		t.Run(name+" to "+other, func(t *testing.T) {
			CrossRequests(t, c, o, xs, vars)
			CrossAnswers(t, c, o, xs, req)
		})
	}
}

// AcrossFrom checks what crosses to a dialect from the recordings of others, by the name under which they are recorded.
func AcrossFrom(t *testing.T, others map[string]dialect.Codec, name string, c dialect.Codec) {
	t.Helper()
	all := testkit.Corpus(t)
	deployment := func(*testkit.Exchange) map[string]string { return map[string]string{"deployment": "d"} }
	for other, o := range others {
		xs := all.Dialect(other).Filter(func(x *testkit.Exchange) bool { return x.Op() != "messages.count_tokens" })
		Across(t, other, o, map[string]dialect.Codec{name: c}, xs, deployment)
	}
}

// said checks that an answer came through: what it consumed, why it ended, and its first choice's words,
// unless something is named as lost.
func said(t *testing.T, name string, want, got *llm.Response, losses []dialect.Loss) {
	t.Helper()
	want, got = Plain(want), Plain(got)
	if want.Usage.In() != got.Usage.In() && want.Usage.In() > 0 || want.Usage.Out() != got.Usage.Out() && want.Usage.Out() > 0 {
		t.Errorf("%s: usage %+v, said as %+v", name, want.Usage, got.Usage)
	}
	if len(want.Choices) == 0 || len(got.Choices) == 0 {
		t.Errorf("%s: %d choices, said as %d", name, len(want.Choices), len(got.Choices))
		return
	}
	if hasLoss(losses, "content") || hasLoss(losses, "message") {
		return
	}
	if d := cmp.Diff(unsigned(want.Choices[0].Blocks), unsigned(got.Choices[0].Blocks)); d != "" {
		t.Errorf("%s (losses %v): %s", name, losses, d)
	}
}

// unsigned drops blocks of reasoning without a text, which not all dialects can tell from none, and joins
// the rest.
func unsigned(blocks []llm.Block) map[string]string {
	out := map[string]string{}
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.Text:
			out["text"] += b.Text
		case llm.Refusal:
			out["text"] += b.Text
		case llm.Thought:
			if b.Text != "" {
				out["reasoning"] += b.Text
			}
		case llm.ToolUse:
			out["call "+b.Name] += compact(b.Args)
		}
	}
	return out
}

func compact(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func hasLoss(losses []dialect.Loss, word string) bool {
	for _, l := range losses {
		if strings.Contains(l.What, word) {
			return true
		}
	}
	return false
}

// once checks that no loss is named twice.
func once(t *testing.T, name string, losses []dialect.Loss) {
	t.Helper()
	seen := map[dialect.Loss]bool{}
	for _, l := range losses {
		if seen[l] || l.What == "" {
			t.Errorf("%s: loss %q named twice, or without a place", name, l)
		}
		seen[l] = true
	}
}

// requestWords returns the words of a request that must not get lost.
func requestWords(r *llm.Request) []string {
	if r == nil {
		return nil
	}
	var out []string
	for _, m := range r.Messages {
		out = blockWords(out, m.Blocks)
	}
	for _, t := range r.Tools {
		out = append(out, t.Description)
	}
	return out
}

func blockWords(out []string, blocks []llm.Block) []string {
	for _, b := range blocks {
		switch b := b.(type) {
		case llm.Text:
			out = append(out, b.Text)
		case llm.Refusal:
			out = append(out, b.Text)
		case llm.ToolUse:
			out = append(out, b.Name)
		case llm.ToolDone:
			out = blockWords(out, b.Blocks) // ids may be made to fit
		case llm.Media:
			out = append(out, mediaWords(&b)...)
		}
	}
	return out
}

// mediaWords returns what must be found of media. A document that is a text may be said as one.
func mediaWords(m *llm.Media) []string {
	if plain, err := base64.StdEncoding.DecodeString(m.Data); err == nil && strings.HasPrefix(m.MIME, "text/") {
		return []string{strings.SplitN(string(plain), "\n", 2)[0], m.URL}
	}
	return []string{m.Data, m.URL}
}

// contains reports whether a text stands in a JSON body, as a string or a part of one.
func contains(body []byte, text string) bool {
	q, _ := json.Marshal(text)
	var buf bytes.Buffer
	_ = json.Compact(&buf, body)
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text)
	for _, s := range [][]byte{q, bytes.TrimSpace(plain.Bytes())} {
		if bytes.Contains(buf.Bytes(), s[1:len(s)-1]) {
			return true
		}
	}
	var v any
	return json.Unmarshal(body, &v) == nil && within(v, strings.TrimRight(text, " \t\r\n"))
}

func within(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, text)
	case []any:
		for _, x := range v {
			if within(x, text) {
				return true
			}
		}
	case map[string]any:
		for k, x := range v {
			if k == text || within(x, text) {
				return true
			}
		}
	}
	return false
}
