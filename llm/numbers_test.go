package llm_test

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"testing"

	"github.com/plenum-foundry/plenum/llm"
)

func TestNumbersKeepEveryBit(t *testing.T) {
	for _, x := range []struct {
		kind         llm.VectorKind
		list, packed string
	}{
		{llm.VectorFloat, `[0.5,-1.25]`, "AAAAPwAAoL8="},
		{llm.VectorInt8, `[1,-2,127,-128]`, "Af5/gA=="},
		{llm.VectorUint8, `[1,254]`, "Af4="},
		{llm.VectorBinary, `[-1,0]`, "/wA="},
		{llm.VectorUbinary, `[255]`, "/w=="},
		{llm.VectorFloat, `[]`, ""},
	} {
		if got, err := (llm.Numbers{Kind: x.kind, List: x.list}).AsPacked(); got != x.packed || err != nil {
			t.Errorf("%s %s packed is %q, %v", x.kind, x.list, got, err)
		}
		if x.packed == "" {
			continue
		}
		if got, err := (llm.Numbers{Kind: x.kind, Packed: x.packed}).AsList(); got != x.list || err != nil {
			t.Errorf("%s %s unpacked is %q, %v", x.kind, x.packed, got, err)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	f.Add(float32(0.1), float32(-3.4e38))
	f.Add(math.Float32frombits(1), float32(16777217))
	f.Fuzz(func(t *testing.T, a, b float32) {
		if bad := float64(a) + float64(b); math.IsNaN(bad) || math.IsInf(bad, 0) {
			return
		}
		packed := pack(a, b)
		list, err := (llm.Numbers{Kind: llm.VectorFloat, Packed: packed}).AsList()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := (llm.Numbers{Kind: llm.VectorFloat, List: list}).AsPacked(); again != packed || err != nil {
			t.Errorf("%g, %g: %s became %s by way of %s, %v", a, b, packed, again, list, err)
		}
	})
}

func TestNumbersThatAreNone(t *testing.T) {
	for _, n := range []llm.Numbers{
		{Kind: llm.VectorFloat, Packed: "AAA="},
		{Kind: llm.VectorFloat, Packed: "!"},
		{Kind: llm.VectorFloat, Packed: pack(float32(math.NaN()), 0)},
		{Packed: "AAAAPw=="},
	} {
		if got, err := n.AsList(); err == nil {
			t.Errorf("%+v became %s", n, got)
		}
	}
	for _, n := range []llm.Numbers{{Kind: llm.VectorInt8, List: "[300]"}, {Kind: llm.VectorFloat, List: `["x"]`}, {Kind: llm.VectorFloat, List: "7"}, {List: "[1]"}} {
		if got, err := n.AsPacked(); err == nil {
			t.Errorf("%+v became %s", n, got)
		}
	}
}

func pack(fs ...float32) string {
	var raw []byte
	for _, f := range fs {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
