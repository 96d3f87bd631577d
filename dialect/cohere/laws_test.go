package cohere_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/cohere"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func chat() dialect.Codec { return cohere.Dialect().Codec(llm.OpGenerate) }

func none(*testkit.Exchange) map[string]string { return nil }

func spoken() map[string]func() dialect.Codec {
	return map[string]func() dialect.Codec{cohere.Name: chat}
}

// made returns exchanges of our own, made after the description of the API: its recordings are few.
func made(t testing.TB, name string) testkit.Exchanges {
	t.Helper()
	var out testkit.Exchanges
	files, err := filepath.Glob(filepath.Join("testdata", "*.request.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata for %s: %v", name, err)
	}
	for _, f := range files {
		x := testkit.Exchange{File: filepath.Base(f), Request: testkit.RecordedRequest{Found: true, URL: "http://h/v2/chat"}}
		x.Request.Body = read(t, f)
		x.Response.Status = 200
		x.Response.Body = read(t, strings.Replace(f, "request", "answer", 1))
		if strings.HasPrefix(string(x.Response.Body), "event:") {
			x.Response.Framing = testkit.Events
		}
		out = append(out, x)
	}
	return out
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func laws(t *testing.T, c dialect.Codec, xs testkit.Exchanges) {
	t.Helper()
	t.Run("requests", func(t *testing.T) { dialecttest.Requests(t, c, xs, none) })
	t.Run("responses", func(t *testing.T) { dialecttest.Responses(t, c, xs) })
	t.Run("cuts", func(t *testing.T) { dialecttest.Cuts(t, c, xs) })
	t.Run("prefixes", func(t *testing.T) { dialecttest.Prefixes(t, c, xs) })
	t.Run("speaks", func(t *testing.T) { dialecttest.Speaks(t, c, xs, nil) })
}

func TestLaws(t *testing.T) {
	for name, c := range spoken() {
		t.Run(name, func(t *testing.T) { laws(t, c(), made(t, name)) })
	}
}

func TestLawsOverRecordings(t *testing.T) {
	for name, c := range spoken() {
		t.Run(name, func(t *testing.T) { laws(t, c(), dialecttest.Recordings(t, name)) })
	}
}

func TestMutations(t *testing.T) {
	for name, c := range spoken() {
		var seeds [][]byte
		for _, x := range made(t, name) {
			seeds = append(seeds, x.Request.Body)
		}
		dialecttest.Mutations(t, c(), seeds, 5000)
	}
}

// others are the dialects that calls cross to and from.
func others() map[string]dialect.Codec {
	return map[string]dialect.Codec{
		openai.Name: openai.Dialect().Codec(llm.OpGenerate), anthropic.Name: anthropic.Dialect().Codec(llm.OpGenerate),
	}
}

func TestCrossing(t *testing.T) {
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	for name, c := range spoken() {
		for other, o := range others() {
			xs := made(t, name)
			t.Run(name+" to "+other, func(t *testing.T) {
				dialecttest.CrossRequests(t, c(), o, xs, none)
				dialecttest.CrossAnswers(t, c(), o, xs, req)
			})
		}
	}
}

func TestCrossingOfRecordings(t *testing.T) {
	req := &llm.Request{Stream: true, StreamUsage: llm.Some(true)}
	all := testkit.Corpus(t)
	for name, c := range spoken() {
		for other, o := range others() {
			t.Run(name+" to "+other, func(t *testing.T) {
				dialecttest.CrossRequests(t, c(), o, all.Dialect(name), none)
				dialecttest.CrossAnswers(t, c(), o, all.Dialect(name), req)
			})
			t.Run(other+" to "+name, func(t *testing.T) {
				xs := all.Dialect(other).Filter(func(x *testkit.Exchange) bool { return x.Op() != "messages.count_tokens" })
				dialecttest.CrossRequests(t, o, c(), xs, func(*testkit.Exchange) map[string]string { return map[string]string{"deployment": "d"} })
				dialecttest.CrossAnswers(t, o, c(), xs, req)
			})
		}
	}
}
