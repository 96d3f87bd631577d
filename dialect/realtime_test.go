package dialect_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/llm"
)

func TestReadMessageCountsEachTokenOnce(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want llm.Usage
	}{
		"all classes": {
			`{"type":"response.done","response":{"id":"r","usage":{"input_tokens":100,"output_tokens":50,"input_token_details":{"text_tokens":50,"audio_tokens":40,"image_tokens":10,"cached_tokens":35,"cached_tokens_details":{"text_tokens":20,"audio_tokens":10,"image_tokens":5}},"output_token_details":{"text_tokens":20,"audio_tokens":30}}}}`,
			llm.Usage{Input: 30, CacheRead: 35, InputAudio: 30, InputImage: 5, Output: 20, OutputAudio: 30, Reported: llm.InSide | llm.OutSide},
		},
		"nothing reported": {`{"type":"response.done","response":{"id":"r","usage":{}}}`, llm.Usage{}},
		"by the second": {
			`{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"duration","seconds":1.2}}`,
			llm.Usage{Seconds: 2, Reported: llm.InSide | llm.OutSide},
		},
	} {
		m, err := dialect.ReadMessage([]byte(test.text))
		got := m.Usage
		if err != nil || got.Input != test.want.Input || got.CacheRead != test.want.CacheRead || got.InputAudio != test.want.InputAudio ||
			got.InputImage != test.want.InputImage || got.Output != test.want.Output || got.OutputAudio != test.want.OutputAudio ||
			got.Seconds != test.want.Seconds || got.Reported != test.want.Reported {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(`{"type":"response.done","response":{"id":"r","usage":{"input_tokens":-1,"output_tokens":5}}}`))
	f.Add([]byte(`{"type":"error","error":{"event_id":"x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := dialect.ReadMessage(text)
		var e *llm.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("the error is of no kind: %v", err)
			}
			return
		}
		if m.Type == "" || !json.Valid(text) {
			t.Errorf("%q was taken for a message", text)
		}
		if said := dialect.ErrorMessage(&llm.Error{Kind: llm.Invalid, Message: m.Type}, m.EventID); !json.Valid(said) {
			t.Errorf("the error about it is not JSON: %s", said)
		}
	})
}
