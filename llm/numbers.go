package llm

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// errKind is that of packed numbers of which nobody said what they are.
var errKind = errors.New("the vector is packed, and of what kind its numbers are was not said")

// AsList returns the numbers as a JSON list. Of floats it has all digits: read and packed again they are the
// same bytes.
func (n Numbers) AsList() (string, error) {
	if n.Packed == "" || n.List != "" {
		return n.List, nil
	}
	if n.Kind == VectorUnknown {
		return "", errKind
	}
	raw, err := unpack(n.Packed)
	if err != nil {
		return "", err
	}
	if n.Kind == VectorFloat {
		return floats(raw)
	}
	list := []byte{'['}
	for i, b := range raw {
		if i > 0 {
			list = append(list, ',')
		}
		if n.Kind == VectorInt8 || n.Kind == VectorBinary {
			list = strconv.AppendInt(list, int64(int8(b)), 10)
		} else {
			list = strconv.AppendUint(list, uint64(b), 10)
		}
	}
	return string(append(list, ']')), nil
}

// unpack undoes base64, with padding or without.
func unpack(s string) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, fmt.Errorf("unpacking a vector: %w", err)
	}
	return raw, nil
}

func floats(raw []byte) (string, error) {
	if len(raw)%4 != 0 {
		return "", fmt.Errorf("unpacking a vector: %d bytes are no whole number of floats", len(raw))
	}
	list := make([]byte, 1, 1+len(raw)/4*24)
	list[0] = '['
	for i := 0; i < len(raw); i += 4 {
		f := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "", errors.New("unpacking a vector: one of its numbers is none")
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendFloat(list, f, 'g', -1, 64)
	}
	return string(append(list, ']')), nil
}

// AsPacked returns the numbers as the base64 of their bytes. A float is rounded once, to the nearest of four
// bytes.
func (n Numbers) AsPacked() (string, error) {
	if n.List == "" || n.Packed != "" {
		return n.Packed, nil
	}
	inner := strings.TrimSpace(n.List)
	if len(inner) < 2 || inner[0] != '[' || inner[len(inner)-1] != ']' {
		return "", errors.New("packing a vector: it is no list")
	}
	inner = strings.TrimSpace(inner[1 : len(inner)-1])
	if inner == "" {
		return "", nil
	}
	raw := make([]byte, 0, 4*(1+strings.Count(inner, ",")))
	for s := range strings.SplitSeq(inner, ",") {
		var err error
		if raw, err = n.pack(raw, strings.TrimSpace(s)); err != nil {
			return "", fmt.Errorf("packing a vector: %w", err)
		}
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

func (n Numbers) pack(raw []byte, s string) ([]byte, error) {
	switch n.Kind {
	case VectorFloat:
		f, err := strconv.ParseFloat(s, 32)
		return binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(f))), err
	case VectorInt8, VectorBinary:
		i, err := strconv.ParseInt(s, 10, 8)
		return append(raw, byte(i)), err
	case VectorUint8, VectorUbinary:
		u, err := strconv.ParseUint(s, 10, 8)
		return append(raw, byte(u)), err
	}
	return raw, errKind
}

// As returns the numbers in a form: as a JSON list, or packed.
func (n Numbers) As(packed bool) (Numbers, error) {
	var err error
	if packed {
		n.Packed, err = n.AsPacked()
		n.List = ""
	} else {
		n.List, err = n.AsList()
		n.Packed = ""
	}
	return n, err
}
