package route

import (
	"bytes"
	"errors"
	"net/http"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/structured"
)

// shaped returns what is to be done so that a target's answer has the shape that the caller asks for; nil where
// that is nothing. The request is read only where it may ask for one and the target does not answer for it.
func shaped(c *gateway.Call, o *plenum.Offer) (*structured.Job, bool, error) {
	if c.Op != llm.OpGenerate || c.Bare || c.Head.Free && len(o.Traits.SchemaRefuses) == 0 {
		return nil, false, nil
	}
	if c.Dialect.Streams != dialect.GRPC && !mayAsk(c.In.Body, o) {
		return nil, false, nil
	}
	codec, same, err := c.Speaks(o)
	if err != nil {
		return nil, false, nil //nolint:nilerr // dispatch says it
	}
	t := &o.Traits
	can := dialect.ShapesOf(codec)
	if t.Capabilities.Schema == plenum.Yes && len(t.SchemaRefuses) == 0 && can.Schema && can.JSON {
		return nil, same, nil
	}
	p, err := c.Payload()
	if err != nil {
		return nil, same, err
	}
	r, ok := p.(*llm.Request)
	if !ok {
		return nil, same, nil
	}
	host := structured.Host{Offer: o, Schema: can.Schema, JSON: can.JSON, Tools: can.Tools}
	j, err := structured.Plan(r, host, structured.Rules{Way: c.Deployment.Structured, Params: c.Deployment.Parameters})
	return j, same, err
}

// mayAsk reports whether a body of JSON may ask for a shape, in any dialect: whether a key of it ends like those
// that do. It looks at what stands before each quote, in one pass, because bodies may be long and all calls come by.
func mayAsk(body []byte, o *plenum.Offer) bool {
	for at := 0; ; at++ {
		i := bytes.IndexByte(body[at:], '"')
		if i < 0 {
			return false
		}
		at += i
		if at == 0 || body[at-1] != 't' && body[at-1] != 'e' {
			continue
		}
		key := body[:at]
		switch {
		case endsIn(key, "ormat"), endsIn(key, "responseMimeType"), endsIn(key, "response_mime_type"):
			return true
		case endsIn(key, `"strict`) && len(o.Traits.SchemaRefuses) > 0:
			return true
		}
	}
}

func endsIn(b []byte, word string) bool {
	return len(b) >= len(word) && string(b[len(b)-len(word):]) == word
}

// shape makes an attempt's call ask for the shape.
func shape(a *gateway.Call, j *structured.Job, same bool) {
	if j == nil {
		return
	}
	a.Trail.Change(j.Changed()...)
	a.Understand = true
	next, rewritten := j.Request()
	if !rewritten {
		return
	}
	if was, is, only := j.Reduced(); same && only && a.Respell(was, is) {
		return
	}
	a.Rewrite(next)
}

// whole gathers an attempt's answer, which is not said before it was looked at.
type whole struct {
	head *gateway.Head
	fold *llm.Folder
	got  *llm.Response
	text int
}

var _ gateway.Out = (*whole)(nil)

// Begin keeps the head.
func (w *whole) Begin(h gateway.Head) error {
	w.head, w.fold = &h, llm.NewFolder()
	return nil
}

// Chunk gathers a piece.
func (w *whole) Chunk(ch dialect.Chunk) error {
	w.text += ch.Text
	if r, ok := ch.Result.(*llm.Response); ok {
		w.got = r
		return nil
	}
	for _, ev := range ch.Events {
		w.fold.Add(ev)
	}
	return nil
}

func (w *whole) response() *llm.Response {
	if w.got == nil && w.fold != nil {
		w.got = w.fold.Response()
	}
	return w.got
}

// say looks at the answer and says it, if it has its shape.
func (w *whole) say(j *structured.Job, out gateway.Out) error {
	got := w.response()
	if got == nil {
		return nil
	}
	right, err := j.Read(got)
	if err != nil {
		return misshapen(err)
	}
	h := gateway.Head{Status: http.StatusOK, Header: w.head.Header, Codec: w.head.Codec}
	if err := out.Begin(h); err != nil {
		return err
	}
	ch := dialect.Chunk{Result: right, Text: w.text, Events: []llm.Event{llm.UsageReport{Usage: right.Usage}}}
	if len(right.Choices) > 0 {
		ch.Events = append(ch.Events, llm.Finish{Stop: right.Choices[0].Stop})
	}
	return out.Chunk(ch)
}

// misshapen is the error of an answer that has not the shape that was asked for. Another target may do better.
func misshapen(err error) error {
	var m *structured.Mismatch
	if !errors.As(err, &m) {
		return err
	}
	return &llm.Error{
		Kind: llm.BadUpstream, Op: "route", Code: "structured_output", Param: "response_format", Err: m,
		Message:  "the model did not answer in the shape that was asked for: " + m.Error() + "; ask again, ask for a simpler shape, or use a model that has structured output by itself",
		Upstream: &llm.Upstream{Status: http.StatusOK, NoRetry: true},
	}
}

// check holds an answer to its schema while it passes. What does not match cannot be taken back, and is named.
type check struct {
	next  gateway.Out
	trail *gateway.Trail
	job   *structured.Job
	fold  *llm.Folder
	done  bool
}

var _ gateway.Out = (*check)(nil)

// Begin passes the head on.
func (k *check) Begin(h gateway.Head) error {
	k.fold = llm.NewFolder()
	return k.next.Begin(h)
}

// Chunk looks at a piece and passes it on. The last piece is judged before it goes.
func (k *check) Chunk(ch dialect.Chunk) error {
	if r, ok := ch.Result.(*llm.Response); ok {
		k.judge(r)
		return k.next.Chunk(ch)
	}
	for _, ev := range ch.Events {
		k.fold.Add(ev)
		if _, end := ev.(llm.End); end {
			k.judge(k.fold.Response())
		}
	}
	return k.next.Chunk(ch)
}

func (k *check) judge(r *llm.Response) {
	if k.done {
		return
	}
	k.done = true
	for _, c := range r.Choices {
		if wrong := k.job.Judge(c); wrong != "" {
			k.trail.Lose([]dialect.Loss{{What: "response_format.schema: " + wrong}})
		}
	}
}
