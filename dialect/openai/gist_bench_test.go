package openai

import "testing"

func BenchmarkGist(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-123","object":"chat.completion","created":1700000000,"model":"gpt-5","choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":77,"completion_tokens":60,"total_tokens":137,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1"}`)
	c := &codec{}
	b.ReportAllocs()
	for b.Loop() {
		if g := c.Gist(body); g.Usage.Zero() {
			b.Fatal("no usage")
		}
	}
}
