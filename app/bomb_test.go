package app

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"
)

// gzipOf is what gzip makes of a head and a piece that is repeated. The piece is compressed twice, not as often as it
// is there: from the second time on it follows itself, so what stands for it is the same each time.
func gzipOf(t *testing.T, head, piece string, times int) []byte {
	t.Helper()
	const window = 32 << 10 // how far back deflate refers
	if len(piece) < window || times < 2 {
		t.Fatalf("a piece of %d bytes, %d times, cannot be repeated so", len(piece), times)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	write := func(s string) {
		_, err := io.WriteString(z, s)
		if err == nil {
			err = z.Flush() // ends at a whole byte
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(head + piece)
	first := out.Len()
	write(piece)
	again := bytes.Clone(out.Bytes()[first:])
	for range times - 2 {
		out.Write(again)
	}
	out.Write([]byte{1, 0, 0, 0xff, 0xff}) // the last block, which is empty
	sum := crc32.ChecksumIEEE([]byte(head))
	for range times {
		sum = crc32.Update(sum, crc32.IEEETable, []byte(piece))
	}
	size := uint32(len(head) + times*len(piece)) //nolint:gosec // the format counts modulo 2^32
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out.Bytes(), sum), size)
}

func TestAGzipOfRepeatedPiecesIsOne(t *testing.T) {
	head, piece := `{"id":"`, strings.Repeat("data: {}\n\n", 7000)
	z, err := gzip.NewReader(bytes.NewReader(gzipOf(t, head, piece, 9)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || string(got) != head+strings.Repeat(piece, 9) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
