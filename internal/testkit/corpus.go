package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Exchanges is recorded traffic, in the order of its files.
type Exchanges []Exchange

// Exchange is one recorded call over HTTP.
type Exchange struct {
	File     string // below the corpus: "groq/x.json"
	Index    int    // within the file: one may hold a conversation
	Vendor   string
	Kind     string   // how real it is: "recorded", "fixture ...", "captured via SDK ..."
	Endpoint string   // the corpus's tag, made by pattern: Op is surer
	Features []string // tags made by pattern
	Request  RecordedRequest
	Response RecordedResponse
}

// RecordedRequest is what the client sent. Some exchanges have an answer only: Found is false.
type RecordedRequest struct {
	Found  bool
	Method string
	URL    string // may hold placeholders, such as <AWS_REGION> in the host; "" where it was not kept
	Header http.Header
	Body   []byte
	// Exact says that Body is byte for byte what was sent. Where it is not the recorder kept parsed JSON:
	// the order of keys may be another, and the space between tokens is gone.
	Exact bool
}

// RecordedResponse is what the vendor answered. Its body is decompressed, and the headers that speak of
// encoding and length are left out.
type RecordedResponse struct {
	Status int
	Header http.Header
	Body   []byte
	// Exact says that Body is byte for byte what was received, once decompressed. Where it is not it was
	// made from parsed JSON, or from the data of a stream, framed as the dialect frames it.
	Exact   bool
	Framing Framing
}

// Framing is how a streamed answer is cut into frames; None is an answer that is not streamed.
type Framing string

// The framings that occur.
const (
	None        Framing = ""
	Events      Framing = "sse" // server-sent events
	NDJSON      Framing = "ndjson"
	EventStream Framing = "eventstream" // AWS
)

// Corpus returns the recorded traffic that PLENUM_CORPUS names, or that lies in shared/corpus beside the
// module, and skips the test where there is none.
func Corpus(t testing.TB) Exchanges {
	t.Helper()
	all, err := LoadCorpus(corpusDir(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// corpusDir finds the corpus, or skips the test.
func corpusDir(t testing.TB) string {
	t.Helper()
	dir, err := FindCorpus()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no recorded traffic: set PLENUM_CORPUS to a directory that holds it (%v)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// FindCorpus returns the directory of the recorded traffic. The error is an fs.ErrNotExist where there
// is none; a PLENUM_CORPUS that names nothing is another.
func FindCorpus() (string, error) {
	if dir := os.Getenv("PLENUM_CORPUS"); dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("finding PLENUM_CORPUS: %v", err) //nolint:errorlint // not to be skipped over
		}
		return dir, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "..", "shared", "corpus")
	_, err = os.Stat(dir)
	return dir, err
}

// moduleRoot walks up to the directory of go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("finding go.mod: %w", fs.ErrNotExist)
		}
		dir = up
	}
}

// LoadCorpus reads the recorded HTTP exchanges below a directory. What went over gRPC or WebSocket is
// left out.
func LoadCorpus(dir string) (Exchanges, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no recordings in %s", dir)
	}
	slices.Sort(names)
	var all Exchanges
	for _, name := range names {
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return nil, err
		}
		some, err := loadFile(name, filepath.ToSlash(rel))
		if err != nil {
			return nil, fmt.Errorf("reading recording %s: %w", rel, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func loadFile(name, rel string) (Exchanges, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f fileJSON
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	var all Exchanges
	for i, in := range f.Interactions {
		if in.Response == nil || in.RPC != "" || in.Direction != "" {
			continue
		}
		x := Exchange{File: rel, Index: i, Vendor: in.Vendor, Kind: f.Meta.Kind, Endpoint: in.Endpoint, Features: in.Features}
		if err := x.fill(in); err != nil {
			return nil, fmt.Errorf("exchange %d: %w", i, err)
		}
		all = append(all, x)
	}
	return all, nil
}

// Filter returns the exchanges for which keep holds.
func (xs Exchanges) Filter(keep func(*Exchange) bool) Exchanges {
	var out Exchanges
	for i := range xs {
		if keep(&xs[i]) {
			out = append(out, xs[i])
		}
	}
	return out
}

// Op returns the exchanges of an operation, such as "chat.completions"; see [Exchange.Op].
func (xs Exchanges) Op(op string) Exchanges {
	return xs.Filter(func(x *Exchange) bool { return x.Op() == op })
}

// Dialect returns the exchanges in a dialect; see [Exchange.Dialect].
func (xs Exchanges) Dialect(name string) Exchanges {
	return xs.Filter(func(x *Exchange) bool { return x.Dialect() == name })
}

// DocumentedError is the shape of an error of which there is documentation but no recording.
type DocumentedError struct {
	Vendor     string          `json:"vendor"`
	Status     int             `json:"status"`
	Body       json.RawMessage `json:"body"`
	StreamBody string          `json:"stream_body"` // where it stands in a stream
	Note       string          `json:"note"`
}

// DocumentedErrors returns the corpus's errors that were made after documentation, and skips the test
// where there is no corpus.
func DocumentedErrors(t testing.TB) []DocumentedError {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpusDir(t), "errors-documented.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Errors []DocumentedError }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f.Errors
}
