package vault

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func sealStream(t *testing.T, v *Vault, plain []byte, place string) []byte {
	t.Helper()
	s, err := v.SealStream(iotest.HalfReader(bytes.NewReader(plain)), place)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(s)
	if err != nil || s.Size() != int64(len(plain)) {
		t.Fatalf("%d bytes of %d, %v", s.Size(), len(plain), err)
	}
	return b
}

func openStream(v *Vault, sealed []byte, place string) ([]byte, error) {
	r, err := v.OpenStream(bytes.NewReader(sealed), place)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestStreamsAreSealedForTheirPlace(t *testing.T) {
	v := New(masterOf(t, "a"))
	for _, size := range []int{0, 1, segment - 1, segment, 3*segment + 17} {
		plain := bytes.Repeat([]byte("said "), size/5+1)[:size]
		b := sealStream(t, v, plain, "file_1")
		if bytes.Contains(b, []byte("said")) {
			t.Errorf("%d bytes are not sealed", size)
		}
		if got, err := openStream(New(masterOf(t, "a")), b, "file_1"); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes open as %d, %v", size, len(got), err)
		}
		if _, err := openStream(v, b, "file_2"); err == nil {
			t.Errorf("%d bytes open in another place", size)
		}
		if _, err := openStream(New(masterOf(t, "b")), b, "file_1"); err == nil || !strings.Contains(err.Error(), v.Current()) {
			t.Errorf("under another master key: %v", err)
		}
		for _, cut := range []int{len(streamMagic), len(streamMagic) + 5, len(b) - 1, len(b) / 2} {
			if _, err := openStream(v, b[:cut], "file_1"); err == nil {
				t.Errorf("%d bytes, cut at %d of %d, open", size, cut, len(b))
			}
		}
		b[len(b)-1] ^= 1
		if _, err := openStream(v, b, "file_1"); err == nil {
			t.Errorf("%d bytes that were changed open", size)
		}
	}
	for _, never := range []string{"", "x", "never sealed, and longer than the head of what was"} {
		if got, err := openStream(v, []byte(never), "x"); err != nil || string(got) != never {
			t.Errorf("what was never sealed is %q, %v", got, err)
		}
	}
}

func TestTheFailureOfWhatIsSealedIsTold(t *testing.T) {
	away := errors.New("away")
	s, err := New(masterOf(t, "a")).SealStream(iotest.ErrReader(away), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s); !errors.Is(err, away) {
		t.Errorf("%v", err)
	}
}

func TestRotationSealsTheDataKeyOfAStreamAlone(t *testing.T) {
	b := sealStream(t, New(masterOf(t, "a")), []byte("said before"), "f")
	both := New(masterOf(t, "b"), masterOf(t, "a"))
	r, moved, err := both.Rewrap(bytes.NewReader(b), "f")
	if err != nil || !moved {
		t.Fatalf("%v, %v", moved, err)
	}
	again, err := io.ReadAll(r)
	if err != nil || !bytes.HasSuffix(again, b[len(b)-40:]) {
		t.Errorf("more than the data key was sealed anew, %v", err)
	}
	if got, err := openStream(New(masterOf(t, "b")), again, "f"); err != nil || string(got) != "said before" {
		t.Errorf("under the new one alone: %q, %v", got, err)
	}
	if _, moved, err := both.Rewrap(bytes.NewReader(again), "f"); moved || err != nil {
		t.Errorf("it is sealed anew twice: %v", err)
	}
	r, moved, err = both.Rewrap(strings.NewReader("never sealed"), "f")
	if err != nil || !moved {
		t.Fatalf("%v, %v", moved, err)
	}
	if b, err = io.ReadAll(r); err != nil || bytes.Contains(b, []byte("never")) {
		t.Errorf("what was never sealed is kept as %q, %v", b, err)
	}
}
