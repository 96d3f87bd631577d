package chat

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// typed is an Input that has been written down before.
type typed struct{ prompts []string }

func (in *typed) Read(context.Context) (string, error) {
	if len(in.prompts) == 0 {
		return "", io.EOF
	}
	next := in.prompts[0]
	in.prompts = in.prompts[1:]
	return next, nil
}

// hold holds a conversation and returns what stood on the screen.
func hold(t *testing.T, f *fake, s *Session, prompts ...string) string {
	t.Helper()
	var out strings.Builder
	s.Client, s.In, s.Out = f.client, &typed{prompts}, &out
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(out.String(), "T s")
}

func TestAConversationRemembersAndCounts(t *testing.T) {
	f := newFake(t, "m", stream(thought, hello, stop, usage, "[DONE]"), stream(there, stop, usage, "[DONE]"))
	got := hold(t, f, &Session{System: "Be brief."}, "Hi", "And?", "/cost")
	want := `Talking to m.
Enter sends, Alt-Enter begins a new line, /help tells more, Ctrl-D ends.

Hm.

Hello

m at conn/upstream-1 · 10 in (4 cached), 5 out (2 reasoning) · $0.000120 · T s

 there

m at conn/upstream-1 · 10 in (4 cached), 5 out (2 reasoning) · $0.000120 · T s · $0.000240 in all

2 answers: 20 in (8 cached), 10 out (4 reasoning) · $0.000240

2 answers: 20 in (8 cached), 10 out (4 reasoning) · $0.000240
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("screen (-want +got):\n%s", d)
	}
	if want := `[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}]`; !strings.Contains(f.bodies[1], want) {
		t.Errorf("the second call was %s, want in it %s", f.bodies[1], want)
	}
}

func TestReasoningIsDimmed(t *testing.T) {
	f := newFake(t, "m", stream(thought, hello, stop, "[DONE]"))
	got := hold(t, f, &Session{Style: Style{Color: true}}, "Hi")
	if want := "\x1b[2mHm.\x1b[0m\n\nHello\n"; !strings.Contains(got, want) {
		t.Errorf("screen is %q, want in it %q", got, want)
	}
}

func TestWhatFailedIsNotRemembered(t *testing.T) {
	f := newFake(t, "m", stream(`{"error":{"message":"the model is busy"}}`), stream(hello, stop, "[DONE]"))
	got := hold(t, f, &Session{}, "Hi", "Again")
	if !strings.Contains(got, "the model is busy") {
		t.Errorf("screen is %q, want the error on it", got)
	}
	if want := `"messages":[{"role":"user","content":"Again"}]`; !strings.Contains(f.bodies[1], want) {
		t.Errorf("the second call was %s, want in it %s", f.bodies[1], want)
	}
}

func TestCommands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved.md")
	f := newFake(t, "small large openai/gpt", stream(hello, stop, "[DONE]"))
	got := hold(t, f, &Session{Model: "small"},
		"/model", "/model larg", "/model x", "/model l", "/model other/thing", "/model small",
		"/system", "/system Be brief.", "/system", "/system -",
		"/cost", "/save "+file, "Hi", "/save "+file, "/save "+file, "/new", "/help", "/hlep", "/quit", "never asked")
	for _, want := range []string{
		"* small\n  large\n  openai/gpt\n", "Talking to large.", `There is no model "x".`, "Several are like that: small, large",
		"Talking to other/thing.", "There are no instructions.", "Be brief.\n", "The instructions are gone.", "Nothing was asked yet.",
		"There is nothing to save yet.", "Saved to " + file, "Not saved: open " + file, "A new conversation.", "/model [NAME]", "There is no command /hlep.",
		"1 answer: 0 in, 0 out · $0.000120 (the tokens of 1 were not told)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the screen has no %q:\n%s", want, got)
		}
	}
	if len(f.bodies) != 1 {
		t.Errorf("%d calls were made, want 1", len(f.bodies))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "## Asked\n\nHi\n\n## Answered\n\nHello\n"; !strings.HasSuffix(string(text), want) {
		t.Errorf("saved %q, want at its end %q", text, want)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode of what was saved is %v, %v; want 0600", st.Mode(), err)
	}
}

func TestOneOfManyModelsIsChosen(t *testing.T) {
	f := newFake(t, "small large", stream(hello, stop, "[DONE]"))
	got := hold(t, f, &Session{}, "big", "lar", "Hi")
	for _, want := range []string{"Which model? There are small, large.", `There is no model "big".`, "Talking to large."} {
		if !strings.Contains(got, want) {
			t.Errorf("the screen has no %q:\n%s", want, got)
		}
	}
	if err := (&Session{Client: f.client}).Once(t.Context(), "Hi", nil); err == nil || !strings.Contains(err.Error(), "which model?") {
		t.Errorf("without a person to ask the error is %v", err)
	}
	if err := (&Session{Client: newFake(t, "").client}).Once(t.Context(), "Hi", nil); err == nil || !strings.Contains(err.Error(), "no model") {
		t.Errorf("without any model the error is %v", err)
	}
}

func TestOnceWritesTheBareAnswer(t *testing.T) {
	f := newFake(t, "m", stream(thought, hello, there, stop, usage, "[DONE]"))
	var out, notes strings.Builder
	s := &Session{Client: f.client, Out: &out}
	if err := s.Once(t.Context(), "Hi", &notes); err != nil {
		t.Fatal(err)
	}
	if out.String() != "Hello there\n" {
		t.Errorf("the output is %q", out.String())
	}
	if !strings.Contains(notes.String(), "$0.000120") {
		t.Errorf("the notes are %q, want the cost in them", notes.String())
	}
}
