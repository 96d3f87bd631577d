package ollama_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/anthropic"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/ollama"
	"github.com/plenum-foundry/plenum/dialect/openai"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/llm"
)

func chat() dialect.Codec     { return ollama.Dialect().Codec(llm.OpGenerate) }
func generate() dialect.Codec { return ollama.Generate().Codec(llm.OpGenerate) }

func none(*testkit.Exchange) map[string]string { return nil }

// spoken are the two dialects of the API.
func spoken() map[string]func() dialect.Codec {
	return map[string]func() dialect.Codec{ollama.Name: chat, ollama.GenerateName: generate}
}

// made returns exchanges of our own, made after the description of the API: its recordings are few.
func made(t testing.TB, name string) testkit.Exchanges {
	t.Helper()
	var out testkit.Exchanges
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata for %s: %v", name, err)
	}
	for _, f := range files {
		x := testkit.Exchange{File: filepath.Base(f), Request: testkit.RecordedRequest{Found: true, URL: "http://h/api/x"}}
		x.Request.Body = read(t, f)
		x.Response.Status = 200
		x.Response.Body = read(t, f[:len(f)-len(".json")]+".ndjson")
		if n := count(x.Response.Body, '\n'); n > 1 {
			x.Response.Framing = testkit.NDJSON
		}
		out = append(out, x)
	}
	return out
}

func count(b []byte, c byte) (n int) {
	for i := range b {
		if b[i] == c {
			n++
		}
	}
	return n
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
