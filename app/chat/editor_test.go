package chat

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"
)

// keys are the keys that have names here; any other text is typed.
func keys() map[string]tea.KeyPressMsg {
	return map[string]tea.KeyPressMsg{
		"<enter>": {Code: tea.KeyEnter}, "<alt-enter>": {Code: tea.KeyEnter, Mod: tea.ModAlt}, "<up>": {Code: tea.KeyUp}, "<down>": {Code: tea.KeyDown},
		"<tab>": {Code: tea.KeyTab}, "<ctrl-c>": {Code: 'c', Mod: tea.ModCtrl}, "<ctrl-d>": {Code: 'd', Mod: tea.ModCtrl},
		"<ctrl-w>": {Code: 'w', Mod: tea.ModCtrl}, "<left>": {Code: tea.KeyLeft}, "<backspace>": {Code: tea.KeyBackspace},
	}
}

// typeInto types into an editor, until it is sent.
func typeInto(p *prompt, text ...string) {
	p.Update(tea.WindowSizeMsg{Width: 40, Height: 20})
	for _, part := range text {
		if k, ok := keys()[part]; ok {
			p.Update(k)
			continue
		}
		for _, r := range part {
			p.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

func historyOf(lines ...string) *History { return &History{lines: lines} }

func TestEditing(t *testing.T) {
	complete := (&Session{Model: "small", models: []string{"small", "smaller", "large"}}).Complete
	for name, c := range map[string]struct {
		typed []string
		want  string
		sent  bool
		hint  string
	}{
		"a line":                        {[]string{"Hi", "<enter>"}, "Hi", true, ""},
		"nothing is not sent":           {[]string{" ", "<enter>"}, " ", false, ""},
		"wide letters":                  {[]string{"日本", "<backspace>", "語", "<enter>"}, "日語", true, ""},
		"alt-enter":                     {[]string{"a", "<alt-enter>", "b", "<enter>"}, "a\nb", true, ""},
		"a backslash":                   {[]string{`a\`, "<enter>", "b", "<enter>"}, "a\\\nb", true, ""},
		"a block":                       {[]string{`"""`, "<enter>", "a", "<enter>", "b", "<enter>", `"""`, "<enter>"}, "\"\"\"\na\nb\n\"\"\"", true, ""},
		"a word back":                   {[]string{"one two", "<ctrl-w>", "three", "<enter>"}, "one three", true, ""},
		"the last one":                  {[]string{"<up>", "<enter>"}, "newer", true, ""},
		"the one before":                {[]string{"<up>", "<up>", "<up>", "<enter>"}, "old\nlines", true, ""},
		"forth again to what was typed": {[]string{"dra", "<up>", "<down>", "ft", "<enter>"}, "draft", true, ""},
		"up within lines":               {[]string{"a", "<alt-enter>", "b", "<up>", "x", "<enter>"}, "ax\nb", true, ""},
		"ctrl-c empties":                {[]string{"a", "<ctrl-c>", "b", "<enter>"}, "b", true, ""},
		"ctrl-c on nothing":             {[]string{"<ctrl-c>"}, "", false, "Ctrl-D ends."},
		"ctrl-d deletes":                {[]string{"ab", "<left>", "<ctrl-d>", "<enter>"}, "a", true, ""},
		"a command":                     {[]string{"/mo", "<tab>"}, "/model ", false, ""},
		"a model":                       {[]string{"/model l", "<tab>"}, "/model large", false, ""},
		"as far as it is clear":         {[]string{"/model s", "<tab>"}, "/model small", false, "small  smaller"},
		"by its middle":                 {[]string{"/model arg", "<tab>"}, "/model large", false, ""},
		"nothing to complete":           {[]string{"hel", "<tab>"}, "hel", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrompt(historyOf("old\nlines", "newer"), complete, Style{})
			typeInto(p, c.typed...)
			if p.area.Value() != c.want || p.sent != c.sent || p.hint != c.hint {
				t.Errorf("got %q, sent %t, hint %q; want %q, %t, %q", p.area.Value(), p.sent, p.hint, c.want, c.sent, c.hint)
			}
		})
	}
}

func TestCtrlDEnds(t *testing.T) {
	p := newPrompt(nil, nil, Style{})
	typeInto(p, "<ctrl-d>")
	if !p.ended || p.View().Content != "" {
		t.Errorf("ended %t, with %q left on the screen", p.ended, p.View().Content)
	}
}

// open returns an editor, and what stands for its keys.
func open(t *testing.T) (*Editor, io.Writer) {
	t.Helper()
	keys, typing := io.Pipe()
	e, err := OpenEditor(keys, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { typing.Close(); e.Close() })
	return e, typing
}

// reads reads prompts until there is no more, and what they say.
func reads(t *testing.T, e *Editor) []string {
	t.Helper()
	var got []string
	for {
		text, err := e.Read(t.Context())
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
}

func TestWhatIsTypedAheadIsKeptForTheNextPrompts(t *testing.T) {
	e, typing := open(t)
	go io.WriteString(typing, "one\rtwo\x1b\rlines\r\x1b[200~three\rpasted\x1b[201~\rfo\x03five\r\x04six\r")
	if d := cmp.Diff([]string{"one", "two\nlines", "three\npasted", "five"}, reads(t, e)); d != "" {
		t.Errorf("prompts (-want +got):\n%s", d)
	}
}

func TestCtrlCDuringAnAnswerIsNotAKeyOfThePromptAfterIt(t *testing.T) {
	e, typing := open(t)
	interrupted := make(chan struct{})
	stop := e.watch(func() { close(interrupted) })
	if _, err := io.WriteString(typing, "ahe\x03ad\r"); err != nil {
		t.Fatal(err)
	}
	<-interrupted
	stop()
	if got, err := e.Read(t.Context()); err != nil || got != "ahead" {
		t.Errorf("the prompt is %q, %v", got, err)
	}
}

func TestAPromptEndsWithItsInput(t *testing.T) {
	keys, typing := io.Pipe()
	e, err := OpenEditor(keys, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	go func() {
		_, _ = io.WriteString(typing, "half a pro")
		typing.Close()
	}()
	if got := reads(t, e); got != nil {
		t.Errorf("it read %q", got)
	}
}

func TestAPromptEndsWithItsContext(t *testing.T) {
	e, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := e.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestPasteIsNotSentLineByLine(t *testing.T) {
	p := newPrompt(nil, nil, Style{})
	p.Update(tea.WindowSizeMsg{Width: 40, Height: 20})
	text := strings.Repeat("a line that was pasted\n", 300)
	p.Update(tea.PasteMsg{Content: text})
	if p.sent || p.area.Value() != text {
		t.Errorf("sent %t; %d bytes of %d are there", p.sent, len(p.area.Value()), len(text))
	}
	if n := strings.Count(p.View().Content, "\n"); n > maxLines {
		t.Errorf("%d lines are shown, want at most %d", n, maxLines)
	}
}

func TestUnquote(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                   "plain",
		"a\\\nb":                  "a\nb",
		"\"\"\"\na\n\n b\n\"\"\"": "a\n\n b",
		"\"\"\"one line\"\"\"":    "one line",
		`say """ once and """ so`: `say """ once and """ so`,
	} {
		if got := unquote(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestTheHistoryIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two\nlines", "two\nlines", "", "three"} {
		h.Add(text)
	}
	again, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"one", "two\nlines", "three"}, again.lines); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v; want 0600", st.Mode(), err)
	}
}

func TestTheHistoryDoesNotGrowForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte(strings.Repeat("\"a\"\n\"b\"\n", maxHistory+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := OpenHistory(path)
	if err != nil || h.Len() != maxHistory {
		t.Errorf("%d are left, %v; want %d", h.Len(), err, maxHistory)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != maxHistory {
		t.Errorf("the file has %d lines, %v", strings.Count(string(text), "\n"), err)
	}
}

func TestLines(t *testing.T) {
	var out strings.Builder
	in := NewLines(strings.NewReader("one\ntwo\\\nmore\n\"\"\"\na\nb\n\"\"\"\n"), &out)
	var got []string
	for {
		text, err := in.Read(t.Context())
		if err != nil {
			break
		}
		got = append(got, text)
	}
	if d := cmp.Diff([]string{"one", "two\nmore", "a\nb"}, got); d != "" {
		t.Errorf("prompts (-want +got):\n%s", d)
	}
}
