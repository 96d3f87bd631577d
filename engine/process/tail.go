package process

import (
	"strings"
	"sync"
)

// tailSize is how many bytes of a child's output are kept for error messages.
const tailSize = 8 << 10

// tail keeps the last bytes written to it.
type tail struct {
	mu   sync.Mutex
	size int
	buf  []byte
	cut  bool // something was dropped: the first line may be half a line
}

func newTail(size int) *tail { return &tail{size: size} }

// Write keeps p, and drops the oldest bytes beyond the bound. It never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.size; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
		t.cut = true
	}
	return len(p), nil
}

// String returns the kept output as whole lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.buf)
	if t.cut {
		if _, rest, ok := strings.Cut(s, "\n"); ok {
			s = rest
		}
	}
	return strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
}
