package gemini_test

import (
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/gemini"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// samples are requests with something of everything, made after the API's description.
func samples() []string {
	return []string{
		`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		`{"contents":{"parts":{"text":"hi"}},"tools":{"function_declarations":{"name":"f"}}}`,
		`{"system_instruction":{"parts":[{"text":"be kind"}]},"contents":[{"role":"user","parts":[
			{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo_-A"},"videoMetadata":{"fps":1}},
			{"file_data":{"file_uri":"gs://b/o.pdf","mime_type":"application/pdf"}},{"unknown":{"a":1}},{}]},
			{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"c2ln"},
			{"functionCall":{"name":"f","args":{"a":1}},"thought_signature":"c2ln"},{"executableCode":{"code":"1","language":"PYTHON"}}]},
			{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"ok"},"parts":[{"inlineData":{"mimeType":"image/png","data":"aa=="}}]}}]}],
			"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","nullable":true,"properties":{"a":{"type":"INTEGER","minimum":1}}}}],"googleSearch":{}},{}],
			"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
			"generationConfig":{"temperature":0.5,"topK":40.0,"maxOutputTokens":"100","responseMimeType":"application/json",
			"responseSchema":{"type":"STRING"},"thinkingConfig":{"thinkingBudget":-1,"includeThoughts":true},"speechConfig":{}},
			"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"cachedContent":"cachedContents/x"}`,
	}
}

// answers are answers of every kind, whole and streamed.
func answers() []string {
	return []string{
		`{"candidates":[{"content":{"parts":[{"text":"hello"},{"functionCall":{"name":"f"}}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}`,
		`{"promptFeedback":{"blockReason":"SAFETY"}}`,
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\"}]}}]}\n\ndata: {\"candidates\":[{\"finishReason\":2,\"index\":0}]}\n\n",
		"data: {\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}\n\n",
		`[{"candidates":[{"content":{"parts":[{"text":"h"}]},"finishReason":"STOP"}]}]`,
	}
}

func seeds(f *testing.F, of []string, body func(*testkit.Exchange) []byte) {
	for _, s := range of {
		f.Add([]byte(s))
	}
	dir, err := testkit.FindCorpus()
	if err != nil {
		return
	}
	all, err := testkit.LoadCorpus(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range all.Dialect(gemini.Name) {
		f.Add(body(&x))
	}
}

func fuzzed() dialecttest.Fuzzed {
	offer := &plenum.Offer{Upstream: "gemini-3-pro", Traits: plenum.Traits{Refuses: []string{"temperature"}}}
	return dialecttest.Fuzzed{Codec: codec(), Lossy: true, Shape: dialect.Shape{Offer: offer, Edits: []dialect.Edit{dialect.Cap{N: 3}}}}
}

// FuzzDecodeRequest holds that a body is refused as the caller's, or said again without a loss.
func FuzzDecodeRequest(f *testing.F) {
	seeds(f, samples(), func(x *testkit.Exchange) []byte { return x.Request.Body })
	f.Fuzz(fuzzed().Request)
}

// FuzzEditRequest holds that what is edited is JSON.
func FuzzEditRequest(f *testing.F) {
	seeds(f, samples(), func(x *testkit.Exchange) []byte { return x.Request.Body })
	f.Fuzz(fuzzed().Edit)
}

// FuzzDecodeResponse holds that an answer is read, or refused as the upstream's.
func FuzzDecodeResponse(f *testing.F) {
	seeds(f, answers(), func(x *testkit.Exchange) []byte { return x.Response.Body })
	f.Fuzz(fuzzed().Response)
}

// FuzzDecodeStream holds that a stream ends well or in an error, in the right order.
func FuzzDecodeStream(f *testing.F) {
	seeds(f, answers(), func(x *testkit.Exchange) []byte { return x.Response.Body })
	f.Fuzz(fuzzed().Stream)
}

func TestMutations(t *testing.T) {
	var seeds [][]byte
	for _, s := range samples() {
		seeds = append(seeds, []byte(s))
	}
	dialecttest.Mutations(t, codec(), seeds, 5000)
	dialecttest.Mutations(t, counter(), seeds, 1000)
}

// What was made after the description is said again as it was, as what was recorded is.
func TestSamplesAreSaidAgain(t *testing.T) {
	for _, s := range samples() {
		p, err := codec().DecodeRequest(dialect.Inbound{Body: []byte(s), Vars: map[string]string{"model": "m"}})
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		out, losses, err := codec().EncodeRequest(p, dialect.Shape{Offer: old()})
		if d := dialecttest.SameJSON([]byte(s), out.Body); d != "" || err != nil || len(losses) > 0 {
			t.Errorf("%s %v %v", d, losses, err)
		}
	}
}
