package bufs

import (
	"bytes"
	"testing"
)

func TestBuffersHaveRoom(t *testing.T) {
	for _, n := range []int{0, 1, 4095, 4096, 4097, 1 << 20, 1<<23 - 1, 1 << 23, 1<<23 + 1} {
		b := Get(n)
		if len(b) != 0 || cap(b) < n {
			t.Errorf("Get(%d) has length %d and room for %d", n, len(b), cap(b))
		}
		Put(b)
	}
	Put(nil)
	Put(make([]byte, 100))
	Put(make([]byte, 5000))
}

func TestGrowKeepsTheContent(t *testing.T) {
	b := append(Get(1), bytes.Repeat([]byte("x"), 4096)...)
	got := append(Grow(b, 10_000), "end"...)
	if want := append(bytes.Repeat([]byte("x"), 4096), "end"...); !bytes.Equal(got, want) {
		t.Errorf("Grow left %d bytes of %d", len(got), len(want))
	}
	if same := Grow(got, 1); &same[0] != &got[0] {
		t.Error("Grow moved a buffer that had room")
	}
}

func TestPoisonOverwritesWhatIsGivenBack(t *testing.T) {
	Poison.Store(true)
	defer Poison.Store(false)
	b := append(Get(tiny), "secret"...)
	Put(b)
	if bytes.Contains(b[:6], []byte("secret")) {
		t.Error("what was put back can still be read")
	}
}
