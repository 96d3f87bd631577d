package chat

import (
	"context"
	"fmt"
	"io"
	"os"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/muesli/cancelreader"
	"golang.org/x/term"
)

// keyboard has the keys of a whole session, in the order in which they are typed. There is one reader and
// one mode of the terminal from the beginning to the end: were they changed between a prompt and its
// answer, a key that is typed at that moment would mean something else, or would be lost.
type keyboard struct {
	events  chan uv.Event // closed where no more will come
	reader  cancelreader.CancelReader
	restore func()
	ahead   []uv.Event // seen during an answer, for the next prompt
}

// newKeyboard begins to read keys; close ends it.
func newKeyboard(in io.Reader) (*keyboard, error) {
	k := &keyboard{events: make(chan uv.Event), restore: func() {}}
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		restore, err := raw(f)
		if err != nil {
			return nil, fmt.Errorf("setting the terminal's mode: %w", err)
		}
		k.restore = restore
	}
	reader, err := uv.NewCancelReader(in)
	if err != nil {
		k.restore()
		return nil, fmt.Errorf("reading from the terminal: %w", err)
	}
	k.reader = reader
	go func() {
		defer close(k.events)
		// The end of the input and an error in it mean the same here: nothing more will be typed.
		_ = uv.NewTerminalReader(reader, os.Getenv("TERM")).StreamEvents(context.Background(), k.events)
	}()
	return k, nil
}

// close gives the terminal back as it was. Where the read can be ended it waits for that.
func (k *keyboard) close() {
	if k.reader.Cancel() {
		for range k.events { // what was typed after the end is nobody's
		}
	}
	_ = k.reader.Close()
	k.restore()
}

// next returns the next key, or whatever else the terminal says; hungUp where no more will come. It
// returns false where ctx has ended.
func (k *keyboard) next(ctx context.Context) (tea.Msg, bool) {
	if len(k.ahead) > 0 {
		ev := k.ahead[0]
		k.ahead = k.ahead[1:]
		return ev, true
	}
	select {
	case ev, ok := <-k.events:
		if !ok {
			return hungUp{}, true
		}
		return ev, true
	case <-ctx.Done():
		return nil, false
	}
}

// watch looks out for Ctrl-C until the function that it returns is called. Other keys are kept for the
// next prompt.
func (k *keyboard) watch(interrupt func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var seen []uv.Event
	go func() {
		defer close(done)
		for {
			select {
			case ev, ok := <-k.events:
				if !ok {
					return
				}
				if key, ok := ev.(uv.KeyPressEvent); ok && key.String() == "ctrl+c" {
					interrupt()
					continue
				}
				seen = append(seen, ev)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		k.ahead = append(k.ahead, seen...)
	}
}

// hungUp says that nothing more will be typed.
type hungUp struct{}

// keystroke is a key or a paste on its way to the editor, which says whether it wants more.
type keystroke struct {
	msg  tea.Msg
	more chan<- bool
}

// feed hands keys to a program one by one, until it has had the one that ends its prompt. The next key is
// thus the next prompt's, however fast it was typed.
func (k *keyboard) feed(ctx context.Context, p *tea.Program) {
	more := make(chan bool, 1)
	for {
		msg, ok := k.next(ctx)
		if !ok {
			return
		}
		switch ev := msg.(type) {
		case uv.KeyPressEvent:
			msg = tea.KeyPressMsg(ev)
		case uv.PasteEvent:
			msg = tea.PasteMsg(ev)
		case hungUp:
		default: // an answer of the terminal to the program, which knows it best as it came
			p.Send(msg)
			continue
		}
		p.Send(keystroke{msg, more})
		select {
		case wanted := <-more:
			if !wanted {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
