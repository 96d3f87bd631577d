package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Input is where prompts come from.
type Input interface {
	// Read returns the next prompt; io.EOF where the person has had enough.
	Read(ctx context.Context) (string, error)
}

// watcher is an Input that has Ctrl-C as a key, also while an answer comes.
type watcher interface {
	watch(interrupt func()) (stop func())
}

// Session is one conversation in a terminal.
type Session struct {
	Client *Client
	In     Input
	Out    io.Writer
	Style  Style
	Model  string
	System string

	models   []string // that can be called, as far as is known
	messages []Message
	total    total
}

// total is what the session has used.
type total struct {
	usage     Usage
	cost      plenum.Micros
	turns     int // answers, whole or not
	uncounted int // answers of which the usage was not told
	unpriced  int // answers of which the cost was not told
}

// Style says how words are set off from each other; the zero Style does not.
type Style struct{ Color bool }

func (s Style) dim(text string) string   { return s.set("2", text) }
func (s Style) bold(text string) string  { return s.set("1", text) }
func (s Style) alarm(text string) string { return s.set("31", text) }

func (s Style) set(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Run holds the conversation until the person ends it.
func (s *Session) Run(ctx context.Context) error {
	if err := s.pick(ctx); err != nil {
		return ignoreEnd(err)
	}
	s.say("%s\n", s.Style.dim("Talking to "+s.Model+".\nEnter sends, Alt-Enter begins a new line, /help tells more, Ctrl-D ends."))
	for {
		s.say("\n")
		text, err := s.In.Read(ctx)
		if errors.Is(err, io.EOF) {
			s.farewell()
			return nil
		}
		if err != nil {
			return err
		}
		switch trimmed := strings.TrimSpace(text); {
		case trimmed == "":
		case strings.HasPrefix(text, "/"):
			if s.command(ctx, trimmed) {
				s.farewell()
				return nil
			}
		default:
			s.turn(ctx, trimmed)
		}
	}
}

// Once asks one thing and writes the bare answer: what is left where there is no terminal.
func (s *Session) Once(ctx context.Context, prompt string, notes io.Writer) error {
	if err := s.choose(ctx); err != nil {
		return err
	}
	last := ""
	a, err := s.Client.Ask(ctx, s.Model, append(s.opening(), Message{user, prompt}), func(p Piece) {
		if p.Text != "" {
			fmt.Fprint(s.Out, p.Text)
			last = p.Text
		}
	})
	if last != "" && !strings.HasSuffix(last, "\n") {
		fmt.Fprintln(s.Out)
	}
	if err != nil {
		return err
	}
	s.total.count(&a)
	if notes != nil {
		fmt.Fprintln(notes, s.Style.dim(s.bill(&a)))
	}
	return nil
}

// load finds out what can be called. Where that is one thing and nothing was named, it is that.
func (s *Session) load(ctx context.Context) error {
	if err := s.list(ctx); err != nil {
		return err
	}
	if s.Model != "" {
		return nil
	}
	if len(s.models) == 0 {
		return errors.New("this Plenum has no model that can be called; set a vendor's key before `plenum up`, or let its local engine run")
	}
	if len(s.models) == 1 {
		s.Model = s.models[0]
	}
	return nil
}

// list asks what can be called.
func (s *Session) list(ctx context.Context) error {
	ctx, stop := s.interruptible(ctx)
	defer stop()
	models, err := s.Client.Models(ctx)
	if err == nil {
		s.models = models
	}
	return err
}

// pick has the person choose a model, where none was named and there are several.
func (s *Session) pick(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.Model == "" {
		s.say("Which model? There are %s.\nA part of a name will do; `plenum chat NAME` goes straight to one.\n\n", some(s.models))
	}
	for s.Model == "" {
		text, err := s.In.Read(ctx)
		if err != nil {
			return err
		}
		text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "/model "))
		if name, ok := s.find(text); ok && text != "" {
			s.Model = name
		}
	}
	return nil
}

// choose is pick where there is nobody to ask.
func (s *Session) choose(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.Model == "" {
		return fmt.Errorf("which model? `plenum chat MODEL` asks one of %s", some(s.models))
	}
	return nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// some lists a few names, and how many more there are.
func some(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// opening is what every conversation begins with.
func (s *Session) opening() []Message {
	if s.System == "" {
		return nil
	}
	return []Message{{system, s.System}}
}

// turn has a prompt answered. Ctrl-C ends the answer and not the session.
func (s *Session) turn(ctx context.Context, prompt string) {
	ctx, stop := s.interruptible(ctx)
	defer stop()
	asked := slices.Concat(s.opening(), s.messages, []Message{{user, prompt}})
	w := &answerWriter{out: s.Out, style: s.Style}
	w.wait()
	a, err := s.Client.Ask(ctx, s.Model, asked, w.piece)
	w.end()
	if a.Text != "" {
		s.messages = append(s.messages, Message{user, prompt}, Message{assistant, a.Text})
	}
	if a.RequestID != "" {
		s.total.count(&a)
	}
	switch {
	case ctx.Err() != nil:
		s.say("%s\n", s.Style.dim("Stopped. "+s.bill(&a)))
	case err != nil:
		s.say("%s\n", s.Style.alarm(err.Error()))
	default:
		s.say("%s\n", s.Style.dim(s.bill(&a)))
	}
}

// interruptible returns a context that Ctrl-C ends.
func (s *Session) interruptible(ctx context.Context) (context.Context, func()) {
	w, ok := s.In.(watcher)
	if !ok {
		return signal.NotifyContext(ctx, os.Interrupt)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := w.watch(cancel)
	return ctx, func() { stop(); cancel() }
}

func (t *total) count(a *Answer) {
	t.turns++
	t.usage = t.usage.add(a.Usage)
	t.cost += a.Cost
	if !a.Counted {
		t.uncounted++
	}
	if !a.Priced {
		t.unpriced++
	}
}

// bill says what a turn used and cost.
func (s *Session) bill(a *Answer) string {
	parts := []string{s.Model}
	if _, target, ok := strings.Cut(a.Target, "/"); ok && target != s.Model {
		parts[0] += " at " + a.Target
	}
	if a.Counted {
		parts = append(parts, a.Usage.String())
	}
	if a.Priced {
		parts = append(parts, "$"+a.Cost.String())
	} else if a.Counted {
		parts = append(parts, "price not known")
	}
	parts = append(parts, fmt.Sprintf("%.1f s", a.Took.Seconds()))
	if s.total.turns > 1 {
		parts = append(parts, "$"+s.total.cost.String()+" in all"+s.total.caveat())
	}
	text := strings.Join(parts, " · ")
	if a.Stop == "length" {
		text += "\nIt was cut off at its longest: ask it to go on."
	}
	if a.Lost != "" {
		text += "\nNot carried to this model: " + a.Lost
	}
	return text
}

// String says a usage.
func (u Usage) String() string {
	in, out := fmt.Sprintf("%d in", u.In), fmt.Sprintf("%d out", u.Out)
	if u.Cached > 0 {
		in += fmt.Sprintf(" (%d cached)", u.Cached)
	}
	if u.Reasoning > 0 {
		out += fmt.Sprintf(" (%d reasoning)", u.Reasoning)
	}
	return in + ", " + out
}

// caveat says what the sum does not have in it.
func (t *total) caveat() string {
	if t.unpriced == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d answers not counted)", t.unpriced, t.turns)
}

func (s *Session) farewell() {
	if s.total.turns > 0 {
		s.say("%s\n", s.Style.dim(s.sum()))
	}
}

// sum says what the session used and cost.
func (s *Session) sum() string {
	t := &s.total
	if t.turns == 0 {
		return "Nothing was asked yet."
	}
	turns := "1 answer"
	if t.turns > 1 {
		turns = fmt.Sprintf("%d answers", t.turns)
	}
	text := fmt.Sprintf("%s: %s · $%s%s", turns, t.usage, t.cost, t.caveat())
	if t.uncounted > 0 {
		text += fmt.Sprintf(" (the tokens of %d were not told)", t.uncounted)
	}
	return text
}

func (s *Session) say(format string, args ...any) { fmt.Fprintf(s.Out, format, args...) }
