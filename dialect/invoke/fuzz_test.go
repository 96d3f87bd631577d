package invoke_test

import (
	"encoding/json"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
)

func seeds() []string {
	return []string{
		`{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a"],"max_tokens":7,"messages":[{"role":"user","content":"hi"}]}`,
		`{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"max_new_tokens":7,"top_k":5}}`,
		`{"messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":7}`,
		`{"prompt":"[INST] hi [/INST]","max_gen_len":7,"images":["/9j/"]}`,
		`{"message":"hi","chat_history":[{"role":"USER","message":"x"}],"documents":[{"title":"a"}]}`,
		`{"inputText":"hi","textGenerationConfig":{"stopSequences":["a"]}}`,
		`{"input":{"invokeModel":{"body":"e30="}}}`,
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := dialect.Inbound{Body: body, Vars: map[string]string{"modelId": "m"}}
		for _, verb := range []string{"invoke", "invoke-with-response-stream", "count-tokens"} {
			inner, err := shell(t, verb).(dialect.Carrier).Unpack(in, dialect.Bounds{})
			if err != nil {
				if !llm.IsKind(err, llm.Invalid) {
					t.Fatal(err)
				}
				continue
			}
			if splice.Valid(inner.In.Body, 0) != nil {
				t.Fatalf("%s became %s", body, inner.In.Body)
			}
			h, err := inner.Codec.Peek(inner.In, dialect.Bounds{})
			if err != nil {
				continue
			}
			if inner.Dialect.Name == "anthropic" && verb != "count-tokens" {
				out, err := claude().EditRequest(inner.In, h, dialect.Shape{Offer: &plenum.Offer{Upstream: "u"}, Edits: []dialect.Edit{dialect.Cap{N: 7}}})
				if err == nil && splice.Valid(out.Body, 0) != nil {
					t.Fatalf("edited into %s", out.Body)
				}
			}
			if _, err := inner.Codec.DecodeRequest(inner.In); err != nil && !llm.IsKind(err, llm.Invalid) {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(`{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		res, err := claude().DecodeResponse(dialect.Reply{Status: 200, Body: body})
		if err != nil {
			return
		}
		for _, s := range seeds()[:6] {
			inner, err := unpack(t, "invoke", s)
			if err != nil {
				t.Fatal(err)
			}
			out, _, err := inner.Codec.EncodeResponse(&llm.Request{}, res, dialect.Meta{})
			if err != nil || !json.Valid(out.Body) {
				t.Fatalf("%v %s", err, out.Body)
			}
		}
	})
}

func FuzzDecodeStream(f *testing.F) {
	wrap := carried(f).Dialect.Wrap
	f.Add(wrap(wrap(nil, dialect.Frame{Data: []byte(`{"type":"message_start","message":{"id":"m"}}`)}), dialect.Frame{Data: []byte(`{"type":"message_stop"}`)}))
	f.Add(frame.AppendEvent(nil, dialect.Frame{Event: "chunk", Data: []byte(`{"bytes":"?"}`)}))
	f.Add(frame.AppendEvent(nil, dialect.Frame{Event: "throttlingException", Fault: true}))
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, want := range []dialect.Want{{}, {Meter: true}} {
			got := dialecttest.Decode(claude(), dialecttest.Frames(wire), want)
			if got.Err != nil && !llm.IsKind(got.Err, llm.BadUpstream) {
				t.Fatal(got.Err)
			}
		}
	})
}

func BenchmarkPassingChunk(b *testing.B) {
	wrap := carried(b).Dialect.Wrap
	var wire []byte
	for range 1000 {
		wire = wrap(wire, dialect.Frame{Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"And then some more"}}`)})
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		for _, err := range claude().DecodeStream(dialecttest.Frames(wire), dialect.Want{Meter: true}) {
			if err != nil && !llm.IsKind(err, llm.BadUpstream) {
				b.Fatal(err)
			}
		}
	}
}
