package corpus

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/test/sides"
)

// said is what became of one exchange in one dialect.
type said struct {
	parts  int
	losses []dialect.Loss
	refuse string   // why it cannot be said
	silent []string // what is wrong: lost in silence, or a stream that tells something else
}

func (s *said) wrong(form string, args ...any) {
	s.silent = append(s.silent, fmt.Sprintf(form, args...))
}

func (s *said) lose(losses []dialect.Loss) { s.losses = append(s.losses, losses...) }

// crossing is an exchange on its way to another dialect.
type crossing struct {
	said
	x      *exchange
	to     sides.Side
	codec  dialect.Codec
	vars   map[string]string
	caller *llm.Request // the request as a caller of the other dialect would have sent it
	asked  *llm.Request // as it was recorded
}

func shape() dialect.Shape {
	return dialect.Shape{Offer: &plenum.Offer{Upstream: "anthropic.claude-of-the-tests", Traits: plenum.Traits{DefaultMaxOut: 4096}}, Meter: true}
}

func meta() dialect.Meta { return dialect.Meta{CallID: "call", Now: 1700000000, Model: "a-model"} }

// cross takes an exchange to another dialect and back.
func cross(x *exchange, to sides.Side) said {
	c := crossing{x: x, to: to}
	c.codec, c.vars = to.Codec(model, x.streamed)
	c.caller = &llm.Request{Model: "a-model"}
	if x.asked {
		c.request()
	}
	c.caller.Stream, c.caller.StreamUsage = x.streamed, llm.Some(true)
	switch {
	case c.refuse != "":
	case x.status != http.StatusOK:
		c.failure()
	case len(x.reply.Body) == 0:
	case x.streamed:
		c.stream()
	default:
		c.answer()
	}
	return c.said
}

func (c *crossing) request() {
	p, err := c.x.codec.DecodeRequest(c.x.in)
	if err != nil {
		if c.x.status == http.StatusOK {
			c.wrong("the request is not understood: %v", err)
		}
		return
	}
	c.asked = p.(*llm.Request)
	out, losses, err := c.codec.EncodeRequest(p, shape())
	if err != nil {
		c.refuse = llm.AsError(err).Message
		return
	}
	c.parts++
	back, err := c.codec.DecodeRequest(dialect.Inbound{Method: http.MethodPost, Path: c.to.Path(model, c.x.streamed), Vars: c.vars, Header: out.Header, Body: out.Body})
	if err != nil {
		c.wrong("the request as said there is not understood: %v\n%s", err, clip(out.Body))
		return
	}
	c.caller = back.(*llm.Request)
	c.lose(losses)
	named := losses
	for _, ch := range out.Changed {
		word, _, _ := strings.Cut(ch, " ")
		if strings.Contains(ch, "response_format") {
			word = "response_format"
		}
		named = append(named, dialect.Loss{What: word})
	}
	flat := slices.ContainsFunc(losses, func(l dialect.Loss) bool { return strings.HasSuffix(l.What, ".role") })
	c.compare("request", dialecttest.Asked(c.asked, flat), dialecttest.Asked(c.caller, flat), named)
}

func (c *crossing) compare(what string, want, got dialecttest.Meaning, losses []dialect.Loss) {
	for _, s := range want.Silent(got, losses) {
		c.wrong("%s: %s (named: %v)", what, s, losses)
	}
}

// answer says a whole answer to a caller of the other dialect, and reads what he hears; then the same as a
// stream, and what he heard at home again.
func (c *crossing) answer() {
	res, err := c.x.client.DecodeResponse(c.x.reply)
	if err != nil {
		if llm.AsError(err).Upstream == nil {
			c.wrong("the answer is not understood: %v", err)
		}
		return
	}
	r := res.(*llm.Response)
	c.parts++
	heard, losses := c.tell(r)
	if heard == nil {
		return
	}
	c.lose(losses)
	c.compare("answer", dialecttest.Answered(r), dialecttest.Answered(heard), losses)
	var events []llm.Event
	for ev := range llm.Replay(r) {
		events = append(events, ev)
	}
	streamed, more := c.play(events)
	c.agree(heard, streamed, losses, more, r.Usage.Reported)
	c.home(r, heard, losses)
}

// tell says a whole answer in the other dialect and reads it there.
func (c *crossing) tell(r *llm.Response) (*llm.Response, []dialect.Loss) {
	whole, _ := c.to.Codec(model, false)
	req := *c.caller
	req.Stream = false
	out, losses, err := whole.EncodeResponse(&req, r, meta())
	if err != nil {
		c.wrong("the answer cannot be said: %v", err)
		return nil, losses
	}
	back, err := whole.DecodeResponse(out)
	if err != nil {
		c.wrong("the answer as said there is not understood: %v\n%s", err, clip(out.Body))
		return nil, losses
	}
	return back.(*llm.Response), losses
}

// play says events in the other dialect and reads them there.
func (c *crossing) play(events []llm.Event) (*llm.Response, []dialect.Loss) {
	streaming, _ := c.to.Codec(model, true)
	req := *c.caller
	req.Stream, req.StreamUsage = true, llm.Some(true)
	e := streaming.NewEncoder(&req, meta())
	wire, err := dialecttest.Encode(e, events, nil)
	if err != nil {
		c.wrong("the stream cannot be said: %v", err)
		return nil, nil
	}
	back := dialecttest.Decode(streaming, frames(c.to, wire), dialect.Want{})
	if err := back.Fault(); err != nil {
		c.wrong("the stream as said there ends in %v\n%s", err, wire)
		return nil, nil
	}
	if s := dialecttest.Grammar(back.Events, false); s != "" {
		c.wrong("the stream as said there: %s", s)
	}
	return back.Fold(), e.Losses()
}

// agree checks that a stream tells what the whole answer does, with the same losses.
func (c *crossing) agree(whole, streamed *llm.Response, losses, more []dialect.Loss, reported llm.Side) {
	if whole == nil || streamed == nil {
		return
	}
	a, b := dialecttest.Answered(whole), dialecttest.Answered(streamed)
	for k := range union(a, b) {
		if strings.HasPrefix(k, "usage.") && reported != llm.InSide|llm.OutSide { // a stream must tell, and estimates
			continue
		}
		if a[k] != b[k] && !strings.Contains(k, "extra.") {
			c.wrong("whole and streamed: %s: %.160q and %.160q", k, a[k], b[k])
		}
	}
	if x, y := kinds(losses), kinds(more); !slices.Equal(x, y) {
		c.wrong("whole and streamed: lost %v and %v", x, y)
	}
}

// waits reports whether an answer is still to be made: nothing is said in it, and nothing was used for it.
func waits(r *llm.Response) bool {
	return r.Usage.Zero() && !slices.ContainsFunc(r.Choices, func(c llm.Choice) bool { return len(c.Blocks) > 0 })
}

// home says what was heard in the dialect that it came from. One that waits has no word for that elsewhere, and comes
// back as one that is over and says nothing, which nobody takes for an answer.
func (c *crossing) home(r, heard *llm.Response, losses []dialect.Loss) {
	if waits(r) {
		return
	}
	own, _ := c.x.side.Codec(model, false)
	out, more, err := own.EncodeResponse(c.asked0(), heard, meta())
	if err != nil {
		c.wrong("on the way back: %v", err)
		return
	}
	back, err := own.DecodeResponse(out)
	if err != nil {
		c.wrong("on the way back not understood: %v\n%s", err, clip(out.Body))
		return
	}
	c.lose(more)
	c.compare("there and back", dialecttest.Answered(r), dialecttest.Answered(back.(*llm.Response)), slices.Concat(losses, more))
}

func (c *crossing) asked0() llm.Payload {
	if c.asked == nil {
		return &llm.Request{StreamUsage: llm.Some(true)}
	}
	return c.asked
}

func (c *crossing) stream() {
	s := dialecttest.Decode(c.x.client, frames(c.x.side, c.x.reply.Body), dialect.Want{})
	c.parts++
	if s.Err != nil {
		c.wrong("the stream is not understood: %v", s.Err)
		return
	}
	if err := s.Fault(); err != nil {
		c.broken(s, err)
		return
	}
	r := s.Fold()
	heard, losses := c.play(s.Events)
	if heard == nil {
		return
	}
	c.lose(losses)
	c.compare("stream", dialecttest.Answered(r), dialecttest.Answered(heard), losses)
	whole, more := c.tell(r)
	c.agree(whole, heard, more, losses, r.Usage.Reported)
	c.home(r, heard, losses)
}

// broken says a stream that ended in an error.
func (c *crossing) broken(s dialecttest.Said, fault error) {
	e := c.codec.NewEncoder(c.caller, meta())
	wire, err := dialecttest.Encode(e, s.Events, fault)
	if err != nil {
		c.wrong("the broken stream cannot be said: %v", err)
		return
	}
	back := dialecttest.Decode(c.codec, frames(c.to, wire), dialect.Want{}).Fault()
	if c.to.Name == "xaigrpc" && back != nil { // what ends it is in the trailers
		return
	}
	c.failed(llm.AsError(fault), llm.AsError(back))
}

func (c *crossing) failure() {
	c.parts++
	e := c.x.client.DecodeError(c.x.reply)
	out := c.codec.EncodeError(e)
	c.failed(e, c.codec.DecodeError(out))
	if want := llm.Of(e.Kind).Status; c.to.Name != "xaigrpc" && out.Status/100 != want/100 {
		c.wrong("an error of kind %s has status %d", e.Kind, out.Status)
	}
}

// failed compares an error with what a caller of the other dialect understands.
func (c *crossing) failed(e, got *llm.Error) {
	if got == nil {
		c.wrong("the error does not arrive: %v", e)
		return
	}
	own := slices.Contains([]llm.Kind{llm.UpstreamAuth, llm.Payment, llm.Unauthorized, llm.Forbidden}, e.Kind)
	if !own && (e.Message == "" || !strings.Contains(got.Message, e.Message)) {
		c.wrong("the error says %q, and there %q", e.Message, got.Message)
	}
	want := c.codec.DecodeError(c.codec.EncodeError(&llm.Error{Kind: e.Kind, Message: e.Message}))
	if want.Kind != got.Kind && c.x.status != http.StatusOK { // in a stream some dialects have only the words
		c.wrong("an error of kind %s is one of kind %s there and not %s", e.Kind, got.Kind, want.Kind)
	}
}

// own says an exchange again in its own dialect. It returns what differs.
func own(x *exchange) said {
	c := crossing{x: x, to: x.side, codec: x.client}
	if x.asked && (x.status < http.StatusBadRequest || x.status == http.StatusUnauthorized) {
		c.requestAgain()
	}
	switch {
	case x.status != http.StatusOK:
		c.failureAgain()
	case len(x.reply.Body) == 0:
	case x.streamed:
		c.streamAgain()
	default:
		c.answerAgain()
	}
	return c.said
}

func (c *crossing) requestAgain() {
	c.parts++
	p, err := c.x.codec.DecodeRequest(c.x.in)
	if err != nil {
		c.wrong("request: %v", err)
		return
	}
	out, losses, err := c.x.writer.EncodeRequest(p, dialect.Shape{})
	if err != nil || len(losses) > 0 {
		c.wrong("request: losses %v, %v", losses, err)
		return
	}
	c.same("request", c.x.in.Body, out.Body, p.(*llm.Request).Model)
}

// same compares bytes: as JSON but for the model, which may stand in the address, or as messages of gRPC.
func (c *crossing) same(what string, want, got []byte, model string) {
	if d := differ(c.x.side.Name, want, got, model); d != "" {
		c.wrong("%s: %.600s", what, d)
	}
}

func (c *crossing) answerAgain() {
	res, err := c.x.client.DecodeResponse(c.x.reply)
	if err != nil {
		if llm.AsError(err).Upstream == nil { // an error that was recorded with status 200
			c.wrong("answer: %v", err)
		}
		return
	}
	c.parts++
	out, losses, err := c.x.client.EncodeResponse(nil, res, dialect.Meta{})
	if err != nil || len(losses) > 0 {
		c.wrong("answer: losses %v, %v", losses, err)
	}
	c.same("answer", c.x.reply.Body, out.Body, "")
}

func (c *crossing) streamAgain() {
	c.parts++
	s := dialecttest.Decode(c.x.client, frames(c.x.side, c.x.reply.Body), dialect.Want{})
	if s.Err != nil {
		c.wrong("stream: %v", s.Err)
		return
	}
	if s.Fault() != nil {
		return
	}
	own, _ := c.x.side.Codec(model, true)
	e := own.NewEncoder(&llm.Request{Stream: true, StreamUsage: llm.Some(true)}, meta())
	wire, err := dialecttest.Encode(e, s.Events, nil)
	if err != nil || len(e.Losses()) > 0 {
		c.wrong("stream: losses %v, %v", e.Losses(), err)
	}
	again := dialecttest.Decode(own, frames(c.x.side, wire), dialect.Want{})
	if again.Err != nil {
		c.wrong("stream: %v", again.Err)
		return
	}
	c.compare("stream", dialecttest.Answered(s.Fold()), dialecttest.Answered(again.Fold()), nil)
}

func (c *crossing) failureAgain() {
	c.parts++
	e := c.x.client.DecodeError(c.x.reply)
	out := c.x.codec.EncodeError(e)
	if slices.Contains([]llm.Kind{llm.UpstreamAuth, llm.Payment}, e.Kind) {
		return // said in our own words: it is our credential that was refused
	}
	if string(out.Body) != string(c.x.reply.Body) || out.Status != c.x.status {
		c.wrong("error: %d %s, said as %d %s", c.x.status, clip(c.x.reply.Body), out.Status, clip(out.Body))
	}
}

func clip(b []byte) string {
	if len(b) > 400 {
		b = b[:400]
	}
	return string(b)
}

func union(a, b dialecttest.Meaning) map[string]bool {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}
