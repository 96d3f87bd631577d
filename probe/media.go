package probe

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// picture is a red square of 16 by 16, a PNG in base64.
const picture = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mP4z8BAEmIY1TCqYfhqAACQ+f8B8u7oVwAAAABJRU5ErkJggg=="

// document returns a PDF of one page with one word on it, in base64.
func document() string {
	var b bytes.Buffer
	var at []int
	object := func(body string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), body)
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>")
	const text = "BT /F 24 Tf 20 40 Td (plenum) Tj ET"
	object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(text), text))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// sound returns a tenth of a second of silence, a WAV of 16 bits at 16 kHz, in base64.
func sound() string {
	const samples = 1600
	var b bytes.Buffer
	b.WriteString("RIFF")
	write := func(vs ...any) {
		for _, v := range vs {
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	write(uint32(36 + 2*samples))
	b.WriteString("WAVEfmt ")
	write(uint32(16), uint16(1), uint16(1), uint32(16000), uint32(32000), uint16(2), uint16(16))
	b.WriteString("data")
	write(uint32(2 * samples))
	b.Write(make([]byte, 2*samples))
	return base64.StdEncoding.EncodeToString(b.Bytes())
}
