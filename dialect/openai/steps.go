package openai

import (
	"iter"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/internal/wire"
	"github.com/plenum-foundry/plenum/llm"
)

// steps reads streams of typed events, as speech, transcriptions and images come in: pieces, and at the end an
// event that says what was consumed. The events pass within the dialect and in no other are they said.
type steps struct {
	usage func(usage wire.Value) llm.Usage
	last  func(kind string) bool // which events end a whole part of the answer
	many  bool                   // there may be several such parts
}

// decode implements dialect.Client's DecodeStream.
func (s steps) decode(frames iter.Seq2[dialect.Frame, error]) iter.Seq2[dialect.Chunk, error] {
	return func(yield func(dialect.Chunk, error) bool) {
		done := false
		for f, err := range frames {
			if err != nil {
				yield(dialect.Chunk{}, dialect.StreamBroken(where, err))
				return
			}
			ch, last, err := s.chunk(f)
			done = done || last
			if last && !s.many {
				ch.Events = append(ch.Events, llm.End{})
			}
			if !yield(ch, err) || err != nil || last && !s.many {
				return
			}
		}
		if !done {
			yield(dialect.Chunk{}, badUpstream(nil, "the upstream's stream ended before its end"))
			return
		}
		yield(dialect.Chunk{Events: []llm.Event{llm.End{}}}, nil)
	}
}

func (s steps) chunk(f dialect.Frame) (ch dialect.Chunk, last bool, err error) {
	ch = dialect.Chunk{Frame: f, More: f.More}
	if len(f.Data) == 0 || string(f.Data) == "[DONE]" {
		return ch, false, nil
	}
	found := make([]splice.Member, 3)
	if _, err := splice.Scan(f.Data, splice.MaxDepth, []string{"type", "usage", "error"}, found); err != nil {
		return ch, false, badUpstream(err, "the upstream's stream has an event that is not JSON")
	}
	kind, _ := found[0].Value.String(f.Data)
	if e := found[2].Value; kind == "error" || e.Found() && !e.IsNull(f.Data) {
		ch.Events = []llm.Event{llm.Fault{Err: inStream(f.Data)}}
		return ch, false, nil
	}
	ch.Text = len(f.Data)
	if !s.last(kind) {
		return ch, false, nil
	}
	if found[1].Found() {
		ch.Events = append(ch.Events, llm.UsageReport{Usage: s.usage(wire.At(f.Data, found[1].Value))})
	}
	return ch, true, nil
}

// stepEncoder says the end of such a stream where that is an error.
type stepEncoder struct{}

// Observe implements dialect.Encoder.
func (stepEncoder) Observe(llm.Event) {}

// Encode says nothing: there is no event of another dialect that means something here.
func (stepEncoder) Encode(llm.Event) ([]dialect.Frame, error) { return nil, nil }

// Close implements dialect.Encoder.
func (stepEncoder) Close(err error) []dialect.Frame {
	if err == nil {
		return nil
	}
	return []dialect.Frame{{Event: "error", Data: errorBody(llm.AsError(err))}}
}

// Losses implements dialect.Encoder.
func (stepEncoder) Losses() []dialect.Loss { return nil }

// mediaUsage reads a usage object in which tokens stand by what they are of: text, images, sound.
func mediaUsage(v wire.Value) llm.Usage {
	var u llm.Usage
	if v.Kind() != '{' {
		return u
	}
	if v.Get("type").Is("duration") || v.Get("seconds").Found() {
		return seconds(v.Get("seconds"))
	}
	in, out := v.Get("input_tokens"), v.Get("output_tokens")
	if in.Kind() != '0' && v.Get("prompt_tokens").Found() {
		return embedUsage(v, nil) // some hosts say it as in chat
	}
	d := v.Get("input_tokens_details")
	if !d.Found() {
		d = v.Get("input_token_details")
	}
	u.InputImage, u.InputAudio, u.CacheRead = d.Get("image_tokens").Count(), d.Get("audio_tokens").Count(), d.Get("cached_tokens").Count()
	u.Input = max(0, in.Count()-u.InputImage-u.InputAudio-u.CacheRead)
	od := v.Get("output_tokens_details")
	u.OutputImage, u.OutputAudio = od.Get("image_tokens").Count(), od.Get("audio_tokens").Count()
	u.Output = max(0, out.Count()-u.OutputImage-u.OutputAudio)
	if in.Kind() == '0' {
		u.Reported |= llm.InSide
	}
	if out.Kind() == '0' {
		u.Reported |= llm.OutSide
	}
	return u
}

// seconds reads a duration; begun seconds are counted whole.
func seconds(v wire.Value) llm.Usage {
	f, err := v.Float()
	if err != nil || f < 0 || f > 1e9 {
		return llm.Usage{}
	}
	n := int64(f)
	if float64(n) < f {
		n++
	}
	return llm.Usage{Seconds: n, Reported: llm.InSide | llm.OutSide}
}
