package frame_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/frame"
)

func TestLinesReadsLines(t *testing.T) {
	in := "{\"a\":1}\n\r\n{\"b\":2}\r\n\n{\"c\":3}"
	want := []frame.Frame{
		{Data: []byte(`{"a":1}`), Raw: []byte("{\"a\":1}\n")},
		{Raw: []byte("\r\n")},
		{Data: []byte(`{"b":2}`), Raw: []byte("{\"b\":2}\r\n")},
		{Raw: []byte("\n")},
		{Data: []byte(`{"c":3}`), Raw: []byte(`{"c":3}`), Partial: true},
	}
	for name, src := range cuts(in) {
		got, err := drain(frame.NewLines(src, 0))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].More = false
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestLinesTellsOfMore(t *testing.T) {
	l := frame.NewLines(&script{t, []string{"1\n2\n3", "\n"}}, 0)
	var more []bool
	for range 3 {
		f, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, f.More)
	}
	if d := cmp.Diff([]bool{true, false, false}, more); d != "" {
		t.Error(d)
	}
}

func TestLinesIsBounded(t *testing.T) {
	var tooLarge *frame.TooLargeError
	got, err := drain(frame.NewLines(strings.NewReader("12345678\n123456789\n"), 9))
	if !errors.As(err, &tooLarge) || tooLarge.What != "line" || len(got) != 1 {
		t.Errorf("%d lines, %v", len(got), err)
	}
	l := frame.NewLines(io.MultiReader(strings.NewReader("1\n23"), iotest.ErrReader(io.ErrUnexpectedEOF)), 0)
	n := 0
	for _, err = range l.All() {
		n++
	}
	if n != 2 || !errors.Is(err, io.ErrUnexpectedEOF) || string(l.Pending()) != "23" {
		t.Errorf("%d rounds, %v, pending %q", n, err, l.Pending())
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\r\n{}\r\n1"), uint16(3))
	f.Fuzz(func(t *testing.T, in []byte, size uint16) {
		got, err := drain(frame.NewLines(&chunked{in, []int{int(size)%64 + 1}}, 0))
		if err != nil {
			t.Fatal(err)
		}
		if rawOf(got) != string(in) {
			t.Fatal("raw differs from the input")
		}
		for _, fr := range got {
			if bytes.IndexByte(fr.Data, '\n') >= 0 {
				t.Fatalf("line end within %q", fr.Data)
			}
		}
	})
}
