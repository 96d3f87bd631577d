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

func chatV1() dialect.Codec { return cohere.First().Codec(llm.OpGenerate) }

func none(*testkit.Exchange) map[string]string { return nil }

func spoken() map[string]func() dialect.Codec {
	return map[string]func() dialect.Codec{cohere.Name: chat, cohere.FirstName: chatV1}
}

// made returns exchanges of our own, made after the description of the API: its recordings are few.
func made(t testing.TB, name string) testkit.Exchanges {
	t.Helper()
	var out testkit.Exchanges
	dir, url := "testdata", "http://h/v2/chat"
	if name == cohere.FirstName {
		dir, url = filepath.Join("testdata", "v1"), "http://h/v1/chat"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.request.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata for %s: %v", name, err)
	}
	for _, f := range files {
		x := testkit.Exchange{File: filepath.Base(f), Request: testkit.RecordedRequest{Found: true, URL: url}}
		x.Request.Body = read(t, f)
		x.Response.Status = 200
		x.Response.Body = read(t, strings.Replace(f, "request", "answer", 1))
		if strings.HasPrefix(string(x.Response.Body), "event:") {
			x.Response.Framing = testkit.Events
		}
		if name == cohere.FirstName && strings.Contains(f, "stream") {
			x.Response.Framing = testkit.NDJSON
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

func TestLaws(t *testing.T) {
	for name, c := range spoken() {
		t.Run(name, func(t *testing.T) { dialecttest.Laws(t, c(), made(t, name), none) })
	}
}

func TestLawsOverRecordings(t *testing.T) {
	for name, c := range spoken() {
		t.Run(name, func(t *testing.T) { dialecttest.Laws(t, c(), dialecttest.Recordings(t, name), none) })
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
	for name, c := range spoken() {
		dialecttest.Across(t, name, c(), others(), made(t, name), none)
	}
}

func TestCrossingOfRecordings(t *testing.T) {
	all := testkit.Corpus(t)
	for name, c := range spoken() {
		dialecttest.Across(t, name, c(), others(), all.Dialect(name), none)
		dialecttest.AcrossFrom(t, others(), name, c())
	}
}
