package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// Editor reads prompts on a terminal: several lines, a history, completion. It draws only while a prompt
// is typed; answers are written as by any other program. The keys are its own from OpenEditor to Close.
type Editor struct {
	Style   Style
	History *History
	// Complete returns what a text could go on to be, whole.
	Complete func(text string) []string

	keys *keyboard
	out  io.Writer
}

var (
	_ Input   = (*Editor)(nil)
	_ watcher = (*Editor)(nil)
)

// Pastes come in one piece, also those during an answer.
const (
	pastesMarked   = "\x1b[?2004h"
	pastesUnmarked = "\x1b[?2004l"
)

// OpenEditor takes the keys of a terminal, until Close.
func OpenEditor(in io.Reader, out io.Writer) (*Editor, error) {
	keys, err := newKeyboard(in)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(out, pastesMarked)
	return &Editor{keys: keys, out: out}, nil
}

// Close gives the terminal back.
func (e *Editor) Close() {
	fmt.Fprint(e.out, pastesUnmarked)
	e.keys.close()
}

// Read lets the person type a prompt.
func (e *Editor) Read(ctx context.Context) (string, error) {
	m := newPrompt(e.History, e.Complete, e.Style)
	if err := e.run(ctx, m); err != nil {
		return "", err
	}
	if m.ended {
		return "", io.EOF
	}
	text := m.area.Value()
	// The editor has gone from the screen: what was asked stays on it as text.
	fmt.Fprintln(e.out, e.Style.bold(marked(text)))
	text = unquote(text)
	e.History.Add(text)
	return text, nil
}

// run runs the editor of one prompt.
func (e *Editor) run(ctx context.Context, m *prompt) error {
	// The program has a silent input rather than none, or it would ask the terminal nothing.
	silent, end := io.Pipe()
	defer end.Close()
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(silent), tea.WithOutput(e.out), tea.WithoutSignalHandler())
	feeding, stop := context.WithCancel(ctx)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		e.keys.feed(feeding, p)
	}()
	_, err := p.Run()
	stop()
	<-fed
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("reading from the terminal: %w", err)
	}
	return nil
}

// watch calls interrupt when Ctrl-C is pressed, until the function that it returns is called.
func (e *Editor) watch(interrupt func()) (stop func()) { return e.keys.watch(interrupt) }

// mark stands before the first line of a prompt; further lines are set in as much.
const (
	mark   = "> "
	indent = "  "
)

func marked(text string) string { return mark + strings.ReplaceAll(text, "\n", "\n"+indent) }

// block begins and ends a block of lines.
const block = `"""`

// goesOn reports whether Enter begins a new line rather than sending: after a backslash, and within a
// block.
func goesOn(text string) bool {
	if strings.Count(text, block)%2 == 1 {
		return true
	}
	return strings.HasSuffix(text, `\`)
}

// unquote takes the marks of blocks and of lines that go on out of a prompt.
func unquote(text string) string {
	if t := strings.TrimSpace(text); len(t) >= 2*len(block) && strings.HasPrefix(t, block) && strings.HasSuffix(t, block) {
		return strings.Trim(t[len(block):len(t)-len(block)], "\n")
	}
	return strings.ReplaceAll(text, "\\\n", "\n")
}

// prompt is the state of the editor while one prompt is typed.
type prompt struct {
	area     textarea.Model
	style    Style
	history  *History
	at       int    // the place in the history; its length is the prompt that is being typed
	draft    string // what was being typed before the history was gone through
	complete func(string) []string
	hint     string // below the input
	width    int
	ended    bool
	sent     bool
}

// maxLines is how many lines of a prompt are shown at once.
const maxLines = 12

func newPrompt(h *History, complete func(string) []string, style Style) *prompt {
	a := textarea.New()
	a.SetPromptFunc(len(mark), func(i textarea.PromptInfo) string {
		if i.LineNumber == 0 {
			return mark
		}
		return indent
	})
	plain := textarea.StyleState{Prompt: lipgloss.NewStyle().Bold(style.Color)}
	a.SetStyles(textarea.Styles{Focused: plain, Blurred: plain})
	a.ShowLineNumbers, a.EndOfBufferCharacter = false, ' '
	a.DynamicHeight, a.MinHeight, a.MaxHeight, a.MaxContentHeight = true, 1, maxLines, 10000
	a.SetVirtualCursor(false)
	a.Focus()
	return &prompt{area: a, style: style, history: h, at: h.Len(), complete: complete}
}

// Init does nothing: the keys come of themselves.
func (p *prompt) Init() tea.Cmd { return nil }

// Update takes a message, most of all a key, and tells whoever typed it whether to type on.
func (p *prompt) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	key, ok := msg.(keystroke)
	if !ok {
		return p, p.take(msg)
	}
	cmd := p.take(key.msg)
	key.more <- !p.sent && !p.ended
	return p, cmd
}

func (p *prompt) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.width = msg.Width
		p.area.SetWidth(msg.Width)
		return nil
	case hungUp:
		p.ended = true
		return tea.Quit
	case tea.KeyPressMsg:
		p.hint = ""
		if cmd, taken := p.key(msg); taken {
			return cmd
		}
	}
	var cmd tea.Cmd
	p.area, cmd = p.area.Update(msg)
	return cmd
}

// key takes the keys that mean more here than in any text.
func (p *prompt) key(k tea.KeyPressMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "enter":
		return p.enter(), true
	case "alt+enter", "shift+enter", "ctrl+j":
		p.area.InsertString("\n")
	case "ctrl+c":
		if p.area.Value() == "" {
			p.hint = "Ctrl-D ends."
		}
		p.area.Reset()
		p.at = p.history.Len()
	case "ctrl+d":
		if p.area.Value() != "" {
			return nil, false // it deletes a character
		}
		p.ended = true
		return tea.Quit, true
	case "up", "ctrl+p":
		if p.area.Line() > 0 || p.area.LineInfo().RowOffset > 0 {
			return nil, false
		}
		p.recall(p.at - 1)
	case "down", "ctrl+n":
		if info := p.area.LineInfo(); p.area.Line() < p.area.LineCount()-1 || info.RowOffset < info.Height-1 {
			return nil, false
		}
		p.recall(p.at + 1)
	case "tab":
		p.tab()
	default:
		return nil, false
	}
	return nil, true
}

func (p *prompt) enter() tea.Cmd {
	text := p.area.Value()
	atEnd := p.area.Line() == p.area.LineCount()-1
	if atEnd && goesOn(text) {
		p.area.InsertString("\n")
		return nil
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	p.sent = true
	return tea.Quit
}

// recall puts a prompt of the history in place of what stands there.
func (p *prompt) recall(at int) {
	if at < 0 || at > p.history.Len() {
		return
	}
	if p.at == p.history.Len() {
		p.draft = p.area.Value()
	}
	p.at = at
	text := p.draft
	if at < p.history.Len() {
		text = p.history.At(at)
	}
	p.area.SetValue(text)
	p.area.MoveToEnd()
}

// tab completes, as far as it is clear how.
func (p *prompt) tab() {
	text := p.area.Value()
	if p.complete == nil {
		return
	}
	found := p.complete(text)
	if len(found) == 0 {
		return
	}
	common := found[0]
	for _, f := range found[1:] {
		for !strings.HasPrefix(f, common) {
			common = common[:len(common)-1]
		}
	}
	if len(common) > len(text) {
		p.area.SetValue(common)
		p.area.MoveToEnd()
	}
	if len(found) > 1 {
		p.hint = lastWords(found)
	}
}

// lastWords lists completions by what differs: their last words.
func lastWords(found []string) string {
	words := make([]string, len(found))
	for i, f := range found {
		words[i] = f[strings.LastIndexByte(strings.TrimSpace(f), ' ')+1:]
	}
	return strings.Join(words, "  ")
}

// View shows the input. Once it is sent nothing is left of it here.
func (p *prompt) View() tea.View {
	v := tea.NewView("")
	v.DisableBracketedPasteMode = true // it is the session's, and stays on during answers
	if p.ended || p.sent {
		return v
	}
	text := p.area.View()
	if p.hint != "" {
		text += "\n" + p.style.dim(clip(p.hint, max(p.width, 20)*3))
	}
	v.SetContent(text)
	v.Cursor = p.area.Cursor()
	return v
}

// clip cuts a text to about n columns.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-4]) + " ..."
}

// Complete returns what a text could go on to be: a command, or a model's name after /model.
func (s *Session) Complete(text string) []string {
	if strings.Contains(text, "\n") || text == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(text, "/model "); ok {
		return named("/model ", rest, s.models)
	}
	if s.Model == "" && !strings.HasPrefix(text, "/") {
		return named("", text, s.models)
	}
	var found []string
	for _, c := range commands() {
		if name := "/" + c.name; strings.HasPrefix(name, text) {
			found = append(found, name+" ")
		}
	}
	return found
}

// named returns the names that begin with a text, or where none does, those that have it in them.
func named(before, text string, names []string) []string {
	var begin, within []string
	for _, n := range names {
		switch {
		case strings.HasPrefix(n, text):
			begin = append(begin, before+n)
		case strings.Contains(strings.ToLower(n), strings.ToLower(text)):
			within = append(within, before+n)
		}
	}
	if len(begin) > 0 {
		return begin
	}
	if len(within) == 1 {
		return within
	}
	slices.Sort(within)
	return within
}
