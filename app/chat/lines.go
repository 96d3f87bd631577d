package chat

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// Lines reads prompts as lines, for terminals that can do no more.
type Lines struct {
	out io.Writer
	in  *bufio.Scanner
}

var _ Input = (*Lines)(nil)

// NewLines returns an input that reads lines and writes a mark before each.
func NewLines(in io.Reader, out io.Writer) *Lines {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 4<<20)
	return &Lines{out, sc}
}

// Read reads a prompt: one line, and more as long as they go on.
func (l *Lines) Read(ctx context.Context) (string, error) {
	fmt.Fprint(l.out, mark)
	var text string
	for l.in.Scan() {
		text += l.in.Text()
		if !goesOn(text) {
			return unquote(text), ctx.Err()
		}
		text += "\n"
		fmt.Fprint(l.out, indent)
	}
	if err := l.in.Err(); err != nil {
		return "", fmt.Errorf("reading a prompt: %w", err)
	}
	if strings.TrimSpace(text) == "" {
		return "", io.EOF
	}
	return unquote(text), ctx.Err()
}
