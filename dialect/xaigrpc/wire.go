package xaigrpc

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/llm"
)

// The wire types of fields. A field's tag is its number and its type: 2<<3|chars.
const (
	varint  = int(protowire.VarintType)
	chars   = int(protowire.BytesType)
	fixed32 = int(protowire.Fixed32Type)
)

// field is one field of a message as it stood.
type field struct {
	num  int
	tag  int
	val  uint64 // of numbers
	data []byte // of texts and messages
	raw  []byte // the whole field
}

var errWire = errors.New("not a protobuf message")

// fields visits the fields of a message in the order in which they stand.
func fields(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return errWire
		}
		f := field{num: int(num), tag: int(num)<<3 | int(typ), raw: b[: n+m : n+m]}
		switch typ {
		case protowire.VarintType:
			f.val, _ = protowire.ConsumeVarint(b[n:])
		case protowire.Fixed32Type:
			v, _ := protowire.ConsumeFixed32(b[n:])
			f.val = uint64(v)
		case protowire.BytesType:
			f.data, _ = protowire.ConsumeBytes(b[n:])
		}
		if err := visit(f); err != nil {
			return err
		}
		b = b[n+m:]
	}
	return nil
}

// text returns the text of a field, which must be UTF-8.
func (f field) text() (string, error) {
	if !utf8.Valid(f.data) {
		return "", fault("", "must be UTF-8")
	}
	return string(f.data), nil
}

// int returns a number that the schema has as int32 or int64.
func (f field) int() int64 { return int64(f.val) } //nolint:gosec // negative numbers are sent so

// float returns a float with no more digits than it was meant with.
func (f field) float() float64 {
	v, _ := strconv.ParseFloat(f.decimal(), 64)
	return v
}

func (f field) decimal() string {
	return strconv.FormatFloat(float64(math.Float32frombits(uint32(f.val))), 'g', -1, 32) //nolint:gosec // a fixed32
}

// faultError is what is wrong with a request, and where.
type faultError struct{ path, what string }

func (e *faultError) Error() string { return e.path + " " + e.what }

func fault(path, what string) error { return &faultError{path, what} }

// under puts the place of a fault below another.
func under(err error, path string) error {
	var f *faultError
	if !errors.As(err, &f) {
		if errors.Is(err, errWire) {
			return &faultError{path, "is not a protobuf message"}
		}
		return err
	}
	if f.path != "" && f.path[0] != '[' {
		path += "."
	}
	return &faultError{path + f.path, f.what}
}

// invalid makes an error of kind Invalid of what is wrong with a request.
func invalid(err error) error {
	e := &llm.Error{Kind: llm.Invalid, Op: "dialect/xaigrpc", Message: "the request is not a protobuf message of its type", Err: err}
	var f *faultError
	if errors.As(err, &f) {
		e.Param, e.Message = f.path, f.path+" "+f.what
	}
	return e
}

// keep puts a field as it stood among those that have no word in llm.
func keep(e *llm.Extra, names map[int]string, f field) {
	name := names[f.num]
	if name == "" {
		name = "field " + strconv.Itoa(f.num)
	}
	e.Add(Name, name, said(f.raw))
}

// said carries bytes of the wire as a text of JSON, which is what travels in llm.Extra and llm.Opaque.
func said(raw []byte) string { return `"` + base64.StdEncoding.EncodeToString(raw) + `"` }

// unsaid returns the bytes that said was given.
func unsaid(s string) []byte {
	if len(s) < 2 {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s[1 : len(s)-1])
	if err != nil {
		return nil
	}
	return b
}

// message writes a message. Fields without a value are left out, as proto3 has it, by those of its methods
// that do not say otherwise.
type message struct{ b []byte }

func (m *message) tag(num int, typ protowire.Type) {
	m.b = protowire.AppendTag(m.b, protowire.Number(num), typ)
}

func (m *message) text(num int, s string) {
	if s != "" {
		m.str(num, s)
	}
}

// str writes a text that may be empty.
func (m *message) str(num int, s string) {
	m.tag(num, protowire.BytesType)
	m.b = protowire.AppendString(m.b, s)
}

func (m *message) bytes(num int, b []byte) {
	if len(b) > 0 {
		m.tag(num, protowire.BytesType)
		m.b = protowire.AppendBytes(m.b, b)
	}
}

func (m *message) int(num int, n int64) {
	if n != 0 {
		m.num(num, n)
	}
}

// num writes a number that may be 0.
func (m *message) num(num int, n int64) {
	m.tag(num, protowire.VarintType)
	m.b = protowire.AppendVarint(m.b, uint64(n)) //nolint:gosec // negative numbers are sent so
}

func (m *message) bool(num int, v bool) {
	if v {
		m.num(num, 1)
	}
}

func (m *message) float(num int, v float64) {
	m.tag(num, protowire.Fixed32Type)
	m.b = protowire.AppendFixed32(m.b, math.Float32bits(float32(v)))
}

// sub writes a message within, which may be empty. It is written where it stands, and makes room for its length
// when that is known.
func (m *message) sub(num int, write func(*message)) {
	m.tag(num, protowire.BytesType)
	at := len(m.b)
	m.b = append(m.b, 0)
	write(m)
	size := len(m.b) - at - 1
	if more := protowire.SizeVarint(uint64(size)) - 1; more > 0 { //nolint:gosec // a length
		m.b = append(m.b, m.b[len(m.b)-more:]...)
		copy(m.b[at+1+more:], m.b[at+1:at+1+size])
	}
	protowire.AppendVarint(m.b[:at], uint64(size)) //nolint:gosec // a length
}

// whole writes a message within that was written before, which may be empty.
func (m *message) whole(num int, b []byte) {
	m.tag(num, protowire.BytesType)
	m.b = protowire.AppendBytes(m.b, b)
}

// extra writes what was kept of a message of this dialect.
func (m *message) extra(e llm.Extra) {
	for _, f := range e.In(Name) {
		m.b = append(m.b, unsaid(f.Raw)...)
	}
}
