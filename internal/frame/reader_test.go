package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plenum-foundry/plenum/internal/frame"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

type nexter interface {
	Next() (frame.Frame, error)
	Pending() []byte
}

// drain reads all frames and clones them.
func drain(r nexter) ([]frame.Frame, error) {
	var all []frame.Frame
	for {
		f, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, f.Clone())
	}
}

// meaning keeps what a client would see of the frames: how a lone LF or More fell depends on the cuts.
func meaning(frames []frame.Frame) []frame.Frame {
	var out []frame.Frame
	for _, f := range frames {
		if len(bytes.Trim(f.Raw, "\r\n")) == 0 {
			continue
		}
		f.More = false
		f.Raw = bytes.TrimRight(bytes.TrimPrefix(f.Raw, []byte("\n")), "\r\n")
		out = append(out, f)
	}
	return out
}

func rawOf(frames []frame.Frame) string {
	var b strings.Builder
	for _, f := range frames {
		b.Write(f.Raw)
	}
	return b.String()
}

func TestReaderReadsEvents(t *testing.T) {
	tests := []struct {
		name, in string
		want     []frame.Frame
	}{
		{"one event", "data: {\"a\":1}\n\n", []frame.Frame{{Data: []byte(`{"a":1}`)}}},
		{"typed", "event: ping\ndata: {}\n\n", []frame.Frame{{Event: "ping", Data: []byte("{}")}}},
		{"type after data", "data: {}\nevent:ping\n\n", []frame.Frame{{Event: "ping", Data: []byte("{}")}}},
		{"type without data", "event: ping\n\n", []frame.Frame{{Event: "ping"}}},
		{"only one space goes", "data:  x\n\n", []frame.Frame{{Data: []byte(" x")}}},
		{"lines joined", "data: a\ndata: b\ndata\ndata: c\n\n", []frame.Frame{{Data: []byte("a\nb\n\nc")}}},
		{"empty data", "data:\n\n", []frame.Frame{{Data: []byte{}}}},
		{"data without colon", "data\n\n", []frame.Frame{{Data: []byte{}}}},
		{"comment", ": OPENROUTER PROCESSING\n\ndata: x\n\n", []frame.Frame{{}, {Data: []byte("x")}}},
		{"comment within", "data: a\n: b\ndata: c\n\n", []frame.Frame{{Data: []byte("a\nc")}}},
		{"id and retry", "id: 7\nretry: 2500\ndata: x\n\n", []frame.Frame{{ID: []byte("7"), Retry: 2500 * time.Millisecond, Data: []byte("x")}}},
		{"id with NUL is none", "id: 7\x00\ndata: x\n\n", []frame.Frame{{Data: []byte("x")}}},
		{"bad retry is none", "retry: -1\nretry: 1e3\ndata: x\n\n", []frame.Frame{{Data: []byte("x")}}},
		{"unknown field", "datax: y\ndata: x\nfoo\n\n", []frame.Frame{{Data: []byte("x")}}},
		{"mark at the start only", "\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n", []frame.Frame{{Data: []byte("x")}, {}}},
		{"CR", "event: e\rdata: a\rdata: b\r\rdata: c\r\r", []frame.Frame{{Event: "e", Data: []byte("a\nb")}, {Data: []byte("c")}}},
		{"CRLF", "event: e\r\ndata: a\r\n\r\ndata: c\r\n\r\n", []frame.Frame{{Event: "e", Data: []byte("a")}, {Data: []byte("c")}}},
		{"mixed", "data: a\r\ndata: b\rdata: c\n\rdata: d\n\r\n", []frame.Frame{{Data: []byte("a\nb\nc")}, {Data: []byte("d")}}},
		{"no blank line at the end", "data: a\n\ndata: [DONE]\n", []frame.Frame{{Data: []byte("a")}, {Data: []byte("[DONE]"), Partial: true}}},
		{"no line end at the end", "data: a\n\ndata: [DONE]", []frame.Frame{{Data: []byte("a")}, {Data: []byte("[DONE]"), Partial: true}}},
		{"more blank lines", "\n\ndata: a\n\n\n\n", []frame.Frame{{Data: []byte("a")}}},
		{"not a stream", "<html>\n<body>\n\nno</html>", []frame.Frame{{}, {Partial: true}}},
		{"nothing", "", nil},
		{"only a mark", "\xef\xbb\xbf\n", []frame.Frame{{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := drain(frame.NewReader(strings.NewReader(tt.in), 0))
			if err != nil {
				t.Fatal(err)
			}
			if raw := rawOf(got); raw != tt.in {
				t.Errorf("raw is %q, want %q", raw, tt.in)
			}
			got = meaning(got)
			for i := range got {
				got[i].Raw = nil
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCase_B1_NoSpaceAfterColon(t *testing.T) {
	got, err := drain(frame.NewReader(strings.NewReader("event:usage\nid:3\ndata:{\"n\":1}\n\n"), 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []frame.Frame{{Event: "usage", ID: []byte("3"), Data: []byte(`{"n":1}`), Raw: []byte("event:usage\nid:3\ndata:{\"n\":1}\n\n")}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// streams are cut everywhere in the law tests and seed the fuzzer.
var streams = []string{
	"event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
	"data: {\"t\":\"grüße 🦊\"}\r\n\r\ndata: [DONE]\r\n\r\n",
	"data: a\rdata: b\r\r: ping\r\rdata: c\r\r",
	"\xef\xbb\xbfdata: a\r\ndata: b\n\r\ndata: c\r\r\n\n\nid: 1\nretry: 5\ndata: d\n\n",
	": ping\n\ndata:x\n\ndata:\n\ndata\n\ndata: tail",
	"data: x\n\ndata: tail\n",
	"data: x\r\n\r\ndata: tail\r",
	"\r\n\r\n\r\r\n\n",
	"garbage\nwithout fields\n\n{\"error\":1}",
}

func TestCase_B2_EveryCutGivesTheSameFrames(t *testing.T) {
	for _, in := range streams {
		whole, err := drain(frame.NewReader(strings.NewReader(in), 0))
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range cuts(in) {
			got, err := drain(frame.NewReader(src, 0))
			if err != nil {
				t.Fatal(err)
			}
			if raw := rawOf(got); raw != in {
				t.Errorf("%q %s: raw is %q", in, name, raw)
			}
			if d := cmp.Diff(meaning(whole), meaning(got)); d != "" {
				t.Errorf("%q %s: %s", in, name, d)
			}
		}
	}
}

// cuts returns readers of the stream in two pieces at every byte, byte by byte, and with data and the
// end of the stream together.
func cuts(in string) map[string]io.Reader {
	m := map[string]io.Reader{
		"bytewise": iotest.OneByteReader(strings.NewReader(in)),
		"dataerr":  iotest.DataErrReader(strings.NewReader(in)),
	}
	for i := range in {
		m[fmt.Sprint("at ", i)] = io.MultiReader(strings.NewReader(in[:i]), strings.NewReader(in[i:]))
	}
	return m
}

// chunked reads in the sizes given, over and over.
type chunked struct {
	in    []byte
	sizes []int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.in[:min(c.sizes[0], len(c.in))])
	c.sizes = append(c.sizes[1:], c.sizes[0])
	c.in = c.in[n:]
	return n, nil
}

func TestReaderAgreesWithTheSimpleOne(t *testing.T) {
	line := rapid.SampledFrom([]string{"data: ", "data:x", "data", "event: a", "event:b", "id: 4", ": c", "foo: bar", "", "", "data: é\xff", "retry: 10", "data:  {}", strings.Repeat("y", 5000)})
	end := rapid.SampledFrom([]string{"\n", "\r", "\r\n"})
	rapid.Check(t, func(t *rapid.T) {
		var in strings.Builder
		for range rapid.IntRange(0, 40).Draw(t, "lines") {
			in.WriteString(line.Draw(t, "line") + end.Draw(t, "end"))
		}
		in.WriteString(rapid.SampledFrom([]string{"", "data: z"}).Draw(t, "tail"))
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9000), 1, 5).Draw(t, "sizes")
		got, err := drain(frame.NewReader(&chunked{[]byte(in.String()), sizes}, 0))
		if err != nil {
			t.Fatal(err)
		}
		if rawOf(got) != in.String() {
			t.Fatal("raw differs")
		}
		if d := cmp.Diff(simple(in.String()), dataOf(got)); d != "" {
			t.Fatal(d)
		}
	})
}

type typed struct{ Event, Data string }

func dataOf(frames []frame.Frame) []typed {
	var out []typed
	for _, f := range frames {
		if f.Data != nil {
			out = append(out, typed{f.Event, string(f.Data)})
		}
	}
	return out
}

// simple is the standard's algorithm on a whole stream, delivering an unfinished event too.
func simple(in string) []typed {
	in = strings.TrimPrefix(in, "\xef\xbb\xbf")
	in = strings.ReplaceAll(strings.ReplaceAll(in, "\r\n", "\n"), "\r", "\n")
	var out []typed
	for _, block := range strings.Split(in, "\n\n") {
		var ev typed
		var data []string
		for _, line := range strings.Split(block, "\n") {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				ev.Event = value
			case "data":
				data = append(data, value)
			}
		}
		if data != nil {
			ev.Data = strings.Join(data, "\n")
			out = append(out, ev)
		}
	}
	return out
}

// script delivers one piece a read and fails the test when it is asked for more than was wanted.
type script struct {
	t      *testing.T
	pieces []string
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		s.t.Error("read although the event was whole")
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

func TestNextNeverWaitsForMoreThanTheBlankLine(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r", "\r\n\r", "\n\r"} {
		r := frame.NewReader(&script{t, []string{"data: a" + end}}, 0)
		f, err := r.Next()
		if err != nil || string(f.Data) != "a" || f.More || f.Partial {
			t.Errorf("%q: got %+v, %v", end, f, err)
		}
	}
}

func TestMoreTellsThatTheNextFrameIsThere(t *testing.T) {
	r := frame.NewReader(&script{t, []string{"data: a\ndata: A\n\ndata: b\ndata: B\n\ndata: c", "\n\n"}}, 0)
	var got []string
	for range 3 {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %v", f.Data, f.More))
	}
	if d := cmp.Diff([]string{"a\nA true", "b\nB false", "c false"}, got); d != "" {
		t.Error(d)
	}
}

func TestCase_B3_HugeEvent(t *testing.T) {
	big := strings.Repeat("x", 3<<20)
	in := "data: a\n\ndata: " + big + "\n\ndata: b\n\n"
	got, err := drain(frame.NewReader(strings.NewReader(in), 0))
	if err != nil || len(got) != 3 || string(got[1].Data) != big || string(got[2].Data) != "b" {
		t.Fatalf("got %d frames, %v", len(got), err)
	}

	for name, src := range map[string]io.Reader{
		"whole": strings.NewReader(in), "halves": iotest.HalfReader(strings.NewReader(in)),
	} {
		r := frame.NewReader(src, 1<<20)
		got, err = drain(r)
		var tooLarge *frame.TooLargeError
		if !errors.As(err, &tooLarge) || tooLarge.Max != 1<<20 || len(got) != 1 {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
		if _, again := r.Next(); !errors.As(again, &tooLarge) {
			t.Errorf("%s: after the error came %v", name, again)
		}
	}
}

func TestLimitIsExact(t *testing.T) {
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytewise": iotest.OneByteReader,
	} {
		if _, err := drain(frame.NewReader(cut(strings.NewReader("data: 34\n\ndata: 34\n\n")), 10)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := drain(frame.NewReader(cut(strings.NewReader("data: 34\n\ndata: 345\n\n")), 10)); err == nil || len(got) != 1 {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
	}
}

func TestAnErrorCutsTheEventAndStays(t *testing.T) {
	broken := errors.New("connection reset")
	src := io.MultiReader(strings.NewReader("data: a\n\ndata: {\"half"), iotest.ErrReader(broken))
	r := frame.NewReader(src, 0)
	got, err := drain(r)
	if !errors.Is(err, broken) || len(got) != 1 || string(r.Pending()) != `data: {"half` {
		t.Errorf("got %d frames, %v, pending %q", len(got), err, r.Pending())
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("then %v", err)
	}
}

func TestAReaderThatBringsNothingEnds(t *testing.T) {
	r := frame.NewReader(&chunked{[]byte("x"), []int{0}}, 0)
	if _, err := r.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}

func TestAllEndsWithTheStream(t *testing.T) {
	var got []string
	for f, err := range frame.NewReader(strings.NewReader("data: a\n\ndata: b\n\n"), 0).All() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(f.Data))
	}
	if d := cmp.Diff([]string{"a", "b"}, got); d != "" {
		t.Error(d)
	}
	rounds := 0
	for _, err := range frame.NewReader(iotest.ErrReader(io.ErrUnexpectedEOF), 0).All() {
		rounds++
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	}
	if rounds != 1 {
		t.Errorf("%d rounds, want the error once", rounds)
	}
}

func TestDataOfAFrameCannotBeGrownIntoTheNext(t *testing.T) {
	r := frame.NewReader(strings.NewReader("id: 1\ndata: a\n\ndata: b\n\n"), 0)
	f, _ := r.Next()
	_ = append(f.Data, "XXXXXX"...)
	_ = append(f.Raw, "XXXXXX"...)
	_ = append(f.ID, "XXXXXX"...)
	if g, _ := r.Next(); string(g.Raw) != "data: b\n\n" {
		t.Errorf("next frame is %q", g.Raw)
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	event := "event: content_block_delta\nid: 1\ndata: {\"type\":\"content_block_delta\"}\ndata: {}\n\nevent: ping\ndata: {}\n\n"
	r := frame.NewReader(&chunked{[]byte(strings.Repeat(event, 4000)), []int{100, 4000}}, 0)
	for range 1000 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(2000, func() { _, _ = r.Next() }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestAppendReadsBackAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := frame.Frame{
			Event: rapid.StringMatching(`[a-z_.]{0,12}`).Draw(t, "event"),
			Data:  []byte(strings.ReplaceAll(rapid.String().Draw(t, "data"), "\r", "")),
		}
		wire := frame.Append(nil, f)
		got, err := drain(frame.NewReader(bytes.NewReader(wire), 0))
		if err != nil || len(got) != 1 {
			t.Fatalf("%q gave %d frames, %v", wire, len(got), err)
		}
		f.Raw = wire
		if f.Data == nil {
			f.Data = []byte{}
		}
		if d := cmp.Diff(f, got[0]); d != "" {
			t.Fatal(d)
		}
	})
}

func TestAppendKeepsValuesInTheirLines(t *testing.T) {
	got := frame.Append(nil, frame.Frame{Event: "a\ndata: b", ID: []byte("1\r\n"), Retry: 1500 * time.Millisecond, Data: []byte("x\r\ny\rz\n")})
	want := "event: adata: b\nid: 1\nretry: 1500\ndata: x\ndata: y\ndata: z\ndata: \n\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := frame.AppendComment(nil, "ping\n\nx"); string(got) != ": pingx\n\n" {
		t.Errorf("got %q", got)
	}
}

// recorded returns the recorded streams of up to max bytes, or none where there is no corpus.
func recorded(t testing.TB, max int) [][]byte {
	dir, err := testkit.FindCorpus()
	if err != nil {
		return nil
	}
	xs, err := testkit.LoadCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, x := range xs {
		if x.Stream() && len(x.Response.Body) <= max {
			all = append(all, x.Response.Body)
		}
	}
	return all
}

func TestRecordedStreamsSurviveEveryCut(t *testing.T) {
	testkit.Corpus(t) // skips
	for i, in := range recorded(t, 1<<30) {
		whole, err := drain(frame.NewReader(bytes.NewReader(in), 0))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(simple(string(in)), dataOf(whole)); d != "" {
			t.Errorf("stream %d: %s", i, d)
		}
		for _, size := range []int{1, 2, 7, 1000} {
			cut, err := drain(frame.NewReader(&chunked{in, []int{size}}, 0))
			if err != nil || rawOf(cut) != string(in) {
				t.Fatalf("stream %d by %d: raw differs, %v", i, size, err)
			}
			if !slices.EqualFunc(meaning(whole), meaning(cut), sameFrame) {
				t.Errorf("stream %d by %d: frames differ", i, size)
			}
		}
	}
}

func sameFrame(a, b frame.Frame) bool {
	return a.Event == b.Event && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Raw, b.Raw) && bytes.Equal(a.ID, b.ID) && a.Partial == b.Partial
}

func FuzzReader(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s), uint16(1))
	}
	for i, s := range recorded(f, 8<<10) {
		f.Add(s, uint16(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint16) {
		whole, err := drain(frame.NewReader(bytes.NewReader(in), 0))
		if err != nil {
			t.Fatal(err)
		}
		cut, err := drain(frame.NewReader(&chunked{in, []int{int(size)%64 + 1, 1}}, 0))
		if err != nil {
			t.Fatal(err)
		}
		if rawOf(whole) != string(in) || rawOf(cut) != string(in) {
			t.Fatal("raw differs from the input")
		}
		if !slices.EqualFunc(meaning(whole), meaning(cut), sameFrame) {
			t.Fatal(cmp.Diff(meaning(whole), meaning(cut)))
		}
		if got, want := dataOf(whole), simple(string(in)); !slices.Equal(got, want) {
			t.Fatal(cmp.Diff(want, got))
		}
	})
}

func benchmarkReader(b *testing.B, event string, size int) {
	stream := []byte(strings.Repeat(event, 1000))
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	r := frame.NewReader(&endless{stream: stream, size: size}, 0)
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// endless repeats a stream, size bytes a read.
type endless struct {
	stream    []byte
	size, pos int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p[:min(e.size, len(p))], e.stream[e.pos:])
	e.pos = (e.pos + n) % len(e.stream)
	return n, nil
}

func BenchmarkReader(b *testing.B) {
	openai := "data: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
	anthropic := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
	b.Run("openai/paced", func(b *testing.B) { benchmarkReader(b, openai, len(openai)) })
	b.Run("openai/burst", func(b *testing.B) { benchmarkReader(b, openai, 32<<10) })
	b.Run("anthropic/paced", func(b *testing.B) { benchmarkReader(b, anthropic, len(anthropic)) })
	b.Run("anthropic/burst", func(b *testing.B) { benchmarkReader(b, anthropic, 32<<10) })
	b.Run("crlf/burst", func(b *testing.B) {
		benchmarkReader(b, strings.ReplaceAll(anthropic, "\n", "\r\n"), 32<<10)
	})
	b.Run("image1MB", func(b *testing.B) {
		benchmarkReader(b, "data: "+strings.Repeat("QUJD", 1<<18)+"\n\n", 32<<10)
	})
}

func BenchmarkAppend(b *testing.B) {
	f := frame.Frame{Event: "content_block_delta", Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`)}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = frame.Append(buf[:0], f)
	}
}
