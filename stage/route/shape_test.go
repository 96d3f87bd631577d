package route

import (
	"strings"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
)

func TestABodyThatAsksForAShapeIsKnown(t *testing.T) {
	reduced := &plenum.Offer{Traits: plenum.Traits{SchemaRefuses: []string{"maxItems"}}}
	for _, tt := range []struct {
		body  string
		plain bool // asks of any offer
		tools bool // asks of one that refuses words of a schema
	}{
		{`{"response_format":{"type":"json_schema"}}`, true, true},
		{`{"text":{"format" :{}}}`, true, true},
		{`{"output_format":{}}`, true, true},
		{`{"generationConfig":{"responseMimeType":"application/json"}}`, true, true},
		{`{"generation_config":{"response_mime_type":"application/json"}}`, true, true},
		{`{"outputConfig":{"textFormat":{}}}`, true, true},
		{`{"tools":[{"strict":true}]}`, false, true},
		{`{"messages":[{"role":"user","content":"what is the best format?"}]}`, false, false},
		{`"`, false, false},
		{``, false, false},
	} {
		if got := mayAsk([]byte(tt.body), &plenum.Offer{}); got != tt.plain {
			t.Errorf("%s: %v", tt.body, got)
		}
		if got := mayAsk([]byte(tt.body), reduced); got != tt.tools {
			t.Errorf("%s, with words that are refused: %v", tt.body, got)
		}
	}
}

// What every call pays, beside reading its body once.
func BenchmarkMayAsk(b *testing.B) {
	body := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 2200) + `"}]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if mayAsk(body, &plenum.Offer{}) {
			b.Fatal("it asks for nothing")
		}
	}
}
