package chat

import (
	"fmt"
	"io"
	"strings"
)

// answerWriter writes an answer as it comes: reasoning dimmed, and set off from the answer proper.
type answerWriter struct {
	out     io.Writer
	style   Style
	waiting bool
	dimmed  bool
	last    string // the last that was written
}

// wait shows that something is awaited. It is only shown where it can be taken away again.
func (w *answerWriter) wait() {
	if w.style.Color {
		fmt.Fprint(w.out, w.style.dim("..."))
		w.waiting = true
	}
}

func (w *answerWriter) arrived() {
	if w.waiting {
		fmt.Fprint(w.out, "\r\x1b[K")
		w.waiting = false
	}
}

// piece writes a piece.
func (w *answerWriter) piece(p Piece) {
	w.arrived()
	if p.Reasoning != "" {
		if !w.dimmed {
			w.line()
		}
		w.dimmed = true
		w.write(p.Reasoning, w.style.dim(p.Reasoning))
	}
	if p.Text != "" {
		if w.dimmed {
			w.line()
			w.write("\n", "\n")
			w.dimmed = false
		}
		w.write(p.Text, p.Text)
	}
}

func (w *answerWriter) write(text, styled string) {
	fmt.Fprint(w.out, styled)
	w.last = text
}

// line begins a new line if the current one is begun.
func (w *answerWriter) line() {
	if w.last != "" && !strings.HasSuffix(w.last, "\n") {
		w.write("\n", "\n")
	}
}

// end ends the answer, with an empty line below it.
func (w *answerWriter) end() {
	w.arrived()
	if w.last != "" {
		w.line()
		fmt.Fprintln(w.out)
	}
}
