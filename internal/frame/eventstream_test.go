package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/test/specs"
)

func messages(t *testing.T, src io.Reader) ([]frame.Frame, error) {
	t.Helper()
	var out []frame.Frame
	for f, err := range frame.NewEventStream(src, 0).All() {
		if err != nil {
			return out, err
		}
		out = append(out, f.Clone())
	}
	return out, nil
}

// What is published of the framing: the same messages, byte for byte.
func TestEventStreamVectors(t *testing.T) {
	for name, v := range map[string]struct{ wire, data string }{
		"empty":        {"000000100000000005c248eb7d98c8ff", ""},
		"no headers":   {"0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", "{'foo':'bar'}"},
		"int32 header": {"0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d36f480a0", "{'foo':'bar'}"},
	} {
		wire, err := hex.DecodeString(v.wire)
		if err != nil {
			t.Fatal(err)
		}
		got, err := messages(t, bytes.NewReader(wire))
		if err != nil || len(got) != 1 || string(got[0].Data) != v.data || !bytes.Equal(got[0].Raw, wire) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for i := range wire {
			broken := bytes.Clone(wire)
			broken[i] ^= 0x10
			if _, err := messages(t, bytes.NewReader(broken)); err == nil {
				t.Errorf("%s: byte %d was changed and nobody saw it", name, i)
			}
		}
	}
}

// All of the published vectors, where they are at hand.
func TestEventStreamVectorsOfTheVendor(t *testing.T) {
	dir := specs.Folder(t, filepath.Join("aws", "eventstream-testvectors", "encoded"))
	for _, kind := range []string{"positive", "negative"} {
		files, err := filepath.Glob(filepath.Join(dir, kind, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s vectors in %s: %v", kind, dir, err)
		}
		for _, file := range files {
			wire, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := messages(t, bytes.NewReader(wire))
			if kind == "negative" && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
				t.Errorf("%s: read as %v, %v", file, got, err)
			}
			if kind == "positive" && (err != nil || len(got) != 1) {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func stream() []byte {
	var b []byte
	b = frame.AppendEvent(b, frame.Frame{Event: "messageStart", Data: []byte(`{"role":"assistant"}`)})
	b = frame.AppendEvent(b, frame.Frame{Event: "contentBlockDelta", Data: []byte(`{"delta":{"text":"` + strings.Repeat("x", 5000) + `"}}`)})
	return frame.AppendEvent(b, frame.Frame{Event: "throttlingException", Fault: true, Data: []byte(`{"message":"slow"}`)})
}

// Law: what was appended is read again, however it was cut, and the bytes are kept.
func TestEventStreamReadsWhatWasAppended(t *testing.T) {
	wire := stream()
	for _, size := range []int{1, 2, 3, 11, 12, 13, 4096, len(wire)} {
		got, err := messages(t, &pieces{wire, size})
		if err != nil {
			t.Fatalf("in pieces of %d: %v", size, err)
		}
		var raw []byte
		var kinds []string
		for _, f := range got {
			raw = append(raw, f.Raw...)
			kinds = append(kinds, f.Event)
		}
		if d := cmp.Diff([]string{"messageStart", "contentBlockDelta", "throttlingException"}, kinds); d != "" || !bytes.Equal(raw, wire) {
			t.Errorf("in pieces of %d: %s", size, d)
		}
		if !got[2].Fault || got[1].Fault || string(got[2].Data) != `{"message":"slow"}` {
			t.Errorf("in pieces of %d: %+v", size, got[2])
		}
	}
}

type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

func TestEventStreamThatBreaksOff(t *testing.T) {
	wire := stream()
	for i := range wire {
		got, err := messages(t, bytes.NewReader(wire[:i]))
		whole := len(wire[:i]) == 0
		n := 0
		for _, f := range got {
			n += len(f.Raw)
		}
		if n == i {
			whole = true
		}
		if whole != (err == nil) || !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("up to %d: %v", i, err)
		}
	}
}

func TestEventStreamBounds(t *testing.T) {
	var big *frame.TooLargeError
	_, err := frame.NewEventStream(bytes.NewReader(stream()[:100]), 64).Next()
	if !errors.As(err, &big) || big.Max != 64 {
		t.Errorf("got %v", err)
	}
}

func TestEventStreamErrorsWithoutPayload(t *testing.T) {
	// An error message has its words in headers.
	headers := []byte("\x0d:message-type\x07\x00\x05error\x0b:error-code\x07\x00\x0dInternalError\x0e:error-message\x07\x00\x06it \"x\"")
	got, err := messages(t, bytes.NewReader(frame.EventMessage(headers, nil)))
	if err != nil || len(got) != 1 || got[0].Event != "InternalError" || string(got[0].Data) != `{"message":"it \"x\""}` {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzEventStream(f *testing.F) {
	f.Add(stream())
	f.Add(stream()[:70])
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, err := messages(t, bytes.NewReader(wire))
		cut, err2 := messages(t, &pieces{wire, 3})
		if (err == nil) != (err2 == nil) || len(got) != len(cut) {
			t.Fatalf("%d messages, %v; in pieces %d, %v", len(got), err, len(cut), err2)
		}
	})
}
