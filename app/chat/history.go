package chat

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// History is what was asked before, in this session and in those before it. The nil History remembers
// nothing.
type History struct {
	path  string
	lines []string
}

// maxHistory is how many prompts are remembered.
const maxHistory = 1000

// OpenHistory reads a history from its file, which only the person can read and which need not be there.
// With "" for the file it lasts as long as the session.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	if path == "" {
		return h, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("reading what was asked before: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		var line string
		if json.Unmarshal(sc.Bytes(), &line) == nil {
			h.lines = append(h.lines, line)
		}
	}
	if err := sc.Err(); err != nil {
		return h, fmt.Errorf("reading what was asked before: %w", err)
	}
	if len(h.lines) > 2*maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
		return h, h.rewrite()
	}
	return h, nil
}

// rewrite writes the file anew, so that it does not grow for ever.
func (h *History) rewrite() error {
	if err := os.Remove(h.path); err != nil {
		return err
	}
	for _, l := range h.lines {
		if err := h.append(l); err != nil {
			return err
		}
	}
	return nil
}

// Len returns how many prompts there are.
func (h *History) Len() int {
	if h == nil {
		return 0
	}
	return len(h.lines)
}

// At returns a prompt, 0 the oldest.
func (h *History) At(i int) string { return h.lines[i] }

// Add remembers a prompt, unless it is the same as the one before. A file that cannot be written is no
// reason to disturb the conversation.
func (h *History) Add(text string) {
	if h == nil || text == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == text {
		return
	}
	h.lines = append(h.lines, text)
	_ = h.append(text)
}

func (h *History) append(text string) error {
	if h.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	line, err := json.Marshal(text)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	return errors.Join(err, f.Close())
}
