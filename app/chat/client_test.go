package chat

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	plenum "github.com/plenum-foundry/plenum"
)

// fake is a Plenum that has a list of models and answers to each call with the next of its answers.
type fake struct {
	*httptest.Server
	client *Client
	bodies []string
}

func newFake(t *testing.T, models string, answers ...http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		var ids []string
		for id := range strings.FieldsSeq(models) {
			ids = append(ids, `{"id":"`+id+`"}`)
		}
		_, _ = w.Write([]byte(`{"data":[` + strings.Join(ids, ",") + `]}`))
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		_ = r.Write(&b)
		_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
		f.bodies = append(f.bodies, body)
		answers[min(len(f.bodies), len(answers))-1](w, r)
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	var err error
	if f.client, err = NewClient(f.URL, plenum.NewSecret("a-key")); err != nil {
		t.Fatal(err)
	}
	return f
}

// stream answers with events, and with what Plenum says of a call.
func stream(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Plenum-Target", "conn/upstream-1")
		w.Header().Set("Plenum-Request-Id", "req_1")
		w.Header().Set("Trailer", "Plenum-Cost-Usd, Plenum-Lost")
		for _, e := range events {
			_, _ = w.Write([]byte("data: " + e + "\n\n"))
			w.(http.Flusher).Flush()
		}
		w.Header().Set("Plenum-Cost-Usd", "0.000120")
	}
}

const (
	thought = `{"choices":[{"delta":{"reasoning_content":"Hm."}}]}`
	hello   = `{"choices":[{"delta":{"content":"Hello"}}]}`
	there   = `{"choices":[{"delta":{"content":" there"}}]}`
	stop    = `{"choices":[{"delta":{},"finish_reason":"stop"}]}`
	usage   = `{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}`
)

func TestAnAnswerComesInPiecesWithWhatItUsedAndCost(t *testing.T) {
	f := newFake(t, "m", stream(thought, hello, there, stop, usage, "[DONE]"))
	var pieces []Piece
	a, err := f.client.Ask(t.Context(), "m", []Message{{user, "Hi"}}, func(p Piece) { pieces = append(pieces, p) })
	if err != nil {
		t.Fatal(err)
	}
	a.Took = 0
	want := Answer{
		Text: "Hello there", Reasoning: "Hm.", Stop: "stop", Usage: Usage{In: 10, Cached: 4, Out: 5, Reasoning: 2}, Counted: true,
		Cost: 120, Priced: true, Target: "conn/upstream-1", RequestID: "req_1",
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Piece{{Reasoning: "Hm."}, {Text: "Hello"}, {Text: " there"}}, pieces); d != "" {
		t.Errorf("pieces (-want +got):\n%s", d)
	}
	if want := `{"messages":[{"role":"user","content":"Hi"}],"model":"m","stream":true,"stream_options":{"include_usage":true}}`; f.bodies[0] != want {
		t.Errorf("asked %s, want %s", f.bodies[0], want)
	}
}

func TestWhatIsWrongIsSaidInWords(t *testing.T) {
	refuse := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = w.Write([]byte(body)) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a refusal":           {refuse(404, `{"error":{"message":"there is no deployment \"m\" here"}}`), `there is no deployment "m" here`},
		"a wrong key":         {refuse(401, `{"error":{"message":"the key is not known"}}`), "PLENUM_KEY"},
		"another server":      {refuse(404, `<html>`), "404 Not Found; is that a Plenum?"},
		"an error in it":      {stream(hello, `{"error":{"message":"the upstream fell silent"}}`), "the upstream fell silent"},
		"an error of no word": {stream(`{"error":{}}`), "broke off with an error"},
		"an end in the midst": {stream(hello), "broke off before its end"},
		"no JSON":             {stream(`{`), "reading the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "m", c.answer)
			_, err := f.client.Ask(t.Context(), "m", nil, func(Piece) {})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestAnAnswerThatIsStoppedKeepsWhatCame(t *testing.T) {
	f := newFake(t, "m", func(w http.ResponseWriter, r *http.Request) {
		stream(hello)(w, r)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	a, err := f.client.Ask(ctx, "m", nil, func(Piece) { cancel() })
	if !errors.Is(err, context.Canceled) || a.Text != "Hello" {
		t.Errorf("got %q and %v, want Hello and a cancellation", a.Text, err)
	}
}

func TestAddressesAreTakenAsPeopleGiveThem(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:8080":             "http://127.0.0.1:8080",
		"http://127.0.0.1:8080/":     "http://127.0.0.1:8080",
		"http://127.0.0.1:8080/v1":   "http://127.0.0.1:8080",
		"https://example.com/ai/v1/": "https://example.com/ai",
		"ftp://example.com":          "",
		"http://":                    "",
	} {
		c, err := NewClient(given, plenum.Secret{})
		switch {
		case want == "" && err == nil:
			t.Errorf("%q was taken, as %s", given, c.URL)
		case want != "" && (err != nil || c.URL != want):
			t.Errorf("%q became %v, %v; want %s", given, c, err, want)
		}
	}
}

func TestNothingThatAModelSaysSteersTheTerminal(t *testing.T) {
	if got, want := clean("a\x1b[2Jb\rc\x07\u009bd\n\te\x7f"), "a[2Jbcd\n\te"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNobodyThere(t *testing.T) {
	f := newFake(t, "m")
	f.Close()
	_, err := f.client.Models(t.Context())
	if err == nil || !strings.Contains(err.Error(), "there is no Plenum at "+f.URL) {
		t.Errorf("error is %v", err)
	}
}
