package frame_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/plenum-foundry/plenum/internal/frame"
)

type flusher interface {
	io.WriteCloser
	Flush() error
}

// coders make a compressor for each encoding; "raw deflate" is what some servers send as deflate.
var coders = map[string]func(io.Writer) flusher{
	"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
	"raw deflate": func(w io.Writer) flusher {
		f, _ := flate.NewWriter(w, 6)
		return f
	},
	"zstd": func(w io.Writer) flusher {
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		return z
	},
}

func compress(t *testing.T, encoding string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := coders[encoding](&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func header(encoding string) string { return strings.TrimPrefix(encoding, "raw ") }

func TestDecompressUndoesEveryEncoding(t *testing.T) {
	want := []byte(strings.Repeat("data: hello\n\n", 5000))
	for encoding := range coders {
		packed := compress(t, encoding, want)
		for name, src := range map[string]io.Reader{"whole": bytes.NewReader(packed), "bytewise": iotest.OneByteReader(bytes.NewReader(packed))} {
			r, err := frame.Decompress(src, header(encoding), int64(len(want)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %s: %d bytes, %v", encoding, name, len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestDecompressUndoesStacks(t *testing.T) {
	want := []byte(strings.Repeat("hello ", 1000))
	packed := compress(t, "zstd", compress(t, "deflate", compress(t, "gzip", want)))
	r, err := frame.Decompress(bytes.NewReader(packed), "gzip, identity, Deflate,zstd", 6000)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestDecompressLeavesTheIdentity(t *testing.T) {
	for _, encoding := range []string{"", "identity", " Identity , "} {
		r, err := frame.Decompress(strings.NewReader("abc"), encoding, 3)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "abc" {
			t.Errorf("%q: %q, %v", encoding, got, err)
		}
	}
}

func TestDecompressRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, encoding := range []string{"br", "gzip, br", "gzip,gzip,gzip,gzip,gzip"} {
		var unknown *frame.EncodingError
		if _, err := frame.Decompress(strings.NewReader(""), encoding, 0); !errors.As(err, &unknown) {
			t.Errorf("%q: %v", encoding, err)
		}
	}
}

// TestCase_B4_FlushedEventsArrive writes events one by one through a pipe, flushing each, and demands
// that each can be read before the next is written.
func TestCase_B4_FlushedEventsArrive(t *testing.T) {
	for encoding, coder := range coders {
		t.Run(encoding, func(t *testing.T) {
			pr, pw := io.Pipe()
			r, err := frame.Decompress(pr, header(encoding), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			turn, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				defer pw.Close()
				w := coder(pw)
				for i := range 50 {
					fmt.Fprintf(w, "data: {\"i\":%d}\n\n", i)
					_ = w.Flush()
					<-turn
				}
				w.Close()
			}()
			events := frame.NewReader(r, 0)
			for i := range 50 {
				f, err := events.Next()
				if err != nil || string(f.Data) != fmt.Sprintf(`{"i":%d}`, i) {
					t.Fatalf("event %d: %q, %v", i, f.Data, err)
				}
				turn <- struct{}{}
			}
			if _, err := events.Next(); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			<-done
		})
	}
}

func TestDecompressBoundsBombs(t *testing.T) {
	zeros := make([]byte, 2<<20)
	for encoding := range coders {
		bomb := compress(t, encoding, zeros)
		r, err := frame.Decompress(bytes.NewReader(bomb), header(encoding), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		var tooLarge *frame.TooLargeError
		if !errors.As(err, &tooLarge) || n != 1<<20 {
			t.Errorf("%s: %d bytes, %v", encoding, n, err)
		}
		if _, again := r.Read(make([]byte, 1)); !errors.As(again, &tooLarge) {
			t.Errorf("%s: then %v", encoding, again)
		}
	}
}

func TestDecompressBoundsWhatIsInside(t *testing.T) {
	// Many empty members hold nothing at all, and take for ever to say so.
	inner := bytes.Repeat(compress(t, "gzip", nil), 40_000)
	r, err := frame.Decompress(bytes.NewReader(compress(t, "gzip", inner)), "gzip, gzip", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var tooLarge *frame.TooLargeError
	if _, err := io.Copy(io.Discard, r); !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestDecompressTellsOfDamage(t *testing.T) {
	for encoding := range coders {
		packed := compress(t, encoding, []byte(strings.Repeat("hello", 100)))
		r, err := frame.Decompress(bytes.NewReader(packed[:len(packed)-3]), header(encoding), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err == nil {
			t.Errorf("%s: a cut body passed as whole", encoding)
		}
	}
	r, _ := frame.Decompress(strings.NewReader("not gzip at all"), "gzip", 0)
	if _, err := io.ReadAll(r); !errors.Is(err, gzip.ErrHeader) {
		t.Errorf("got %v", err)
	}
}

type closable struct {
	io.Reader
	closed int
}

func (c *closable) Close() error { c.closed++; return nil }

func TestDecompressClosesItsSourceOnce(t *testing.T) {
	src := &closable{Reader: bytes.NewReader(compress(t, "zstd", []byte("x")))}
	r, err := frame.Decompress(src, "zstd", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = r.Read(make([]byte, 1))
	_, _ = r.Close(), r.Close()
	if src.closed != 1 {
		t.Errorf("closed %d times", src.closed)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read after close")
	}
}

func FuzzDecompress(f *testing.F) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte("hello"))
	_ = w.Close()
	f.Add(b.Bytes(), "gzip")
	f.Add([]byte{0x78, 0x9c}, "deflate, gzip")
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, "zstd")
	f.Fuzz(func(t *testing.T, in []byte, encoding string) {
		r, err := frame.Decompress(bytes.NewReader(in), encoding, 1<<16)
		if err != nil {
			return
		}
		defer r.Close()
		if n, _ := io.Copy(io.Discard, r); n > 1<<16 {
			t.Fatalf("%d bytes came out", n)
		}
	})
}
