package frame_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/frame"
)

func zipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	out := frame.MessageHead(b.Len())
	out[0] = 1
	return append(out, b.Bytes()...)
}

func TestMessagesAreReadHoweverTheyAreCut(t *testing.T) {
	in := frame.AppendMessage(nil, []byte("one"))
	in = frame.AppendMessage(in, nil)
	in = append(in, zipped(t, "three")...)
	in = frame.AppendMessage(in, bytes.Repeat([]byte("x"), 10_000))
	want := []string{"one", "", "three", string(bytes.Repeat([]byte("x"), 10_000))}
	for name, src := range map[string]io.Reader{"whole": bytes.NewReader(in), "bytewise": iotest.OneByteReader(bytes.NewReader(in))} {
		var got []string
		for f, err := range frame.NewMessages(src, 0, "gzip").All() {
			if err != nil {
				t.Fatal(name, err)
			}
			if !bytes.Equal(f.Raw, frame.AppendMessage(nil, f.Data)) {
				t.Errorf("%s: the bytes of %q are not those of the message", name, f.Data)
			}
			got = append(got, string(f.Data))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestMessagesThatAreBroken(t *testing.T) {
	whole := frame.AppendMessage(nil, []byte("hello"))
	for n := 1; n < len(whole); n++ {
		if _, err := frame.NewMessages(bytes.NewReader(whole[:n]), 0, "").Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	var big *frame.TooLargeError
	if _, err := frame.NewMessages(bytes.NewReader(whole), 4, "").Next(); !errors.As(err, &big) {
		t.Errorf("too large: %v", err)
	}
	bomb := zipped(t, string(make([]byte, 1<<20)))
	if _, err := frame.NewMessages(bytes.NewReader(bomb), 1<<16, "gzip").Next(); !errors.As(err, &big) {
		t.Errorf("a bomb: %v", err)
	}
	var unknown *frame.EncodingError
	if _, err := frame.NewMessages(bytes.NewReader(bomb), 0, "snappy").Next(); !errors.As(err, &unknown) {
		t.Errorf("an unknown compression: %v", err)
	}
	if _, err := frame.NewMessages(bytes.NewReader([]byte("{\"error\":1}")), 0, "").Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("no message at all: %v", err)
	}
}

func TestOneMessage(t *testing.T) {
	whole := frame.AppendMessage(nil, []byte("hello"))
	if got, err := frame.OneMessage(whole, "", 0); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := frame.OneMessage(zipped(t, "hello"), "gzip", 100); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range [][]byte{nil, whole[:4], whole[:7], append(whole[:len(whole):len(whole)], 0), []byte("{\"a\":1}")} {
		if got, err := frame.OneMessage(bad, "", 0); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(frame.AppendMessage(nil, []byte("hello")))
	f.Add(zipped(f, "hello"))
	f.Fuzz(func(t *testing.T, in []byte) {
		n := 0
		for m, err := range frame.NewMessages(bytes.NewReader(in), 1<<16, "gzip").All() {
			if err != nil {
				return
			}
			if n++; n > len(in) || len(m.Data) > 1<<16 {
				t.Fatalf("%d messages of %d bytes", n, len(m.Data))
			}
		}
	})
}
