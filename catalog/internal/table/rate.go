package table

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
)

// RawNumber is a number as it was written.
type RawNumber string

// UnmarshalJSON keeps the text.
func (n *RawNumber) UnmarshalJSON(b []byte) error {
	*n = RawNumber(b)
	return nil
}

// Decodes reports whether there is a value and it could be read.
func Decodes(b json.RawMessage, into any) bool { return len(b) > 0 && json.Unmarshal(b, into) == nil }

// Exact reads a decimal number times a factor as a rate; nil where it is no such number. Digits beyond
// a millionth of a dollar are rounding noise of the source and are rounded away.
func Exact(text string, times int64) *record.Rate {
	if !modest(text) {
		return nil
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || r.Sign() < 0 {
		return nil
	}
	r.Mul(r, new(big.Rat).SetInt64(times*1_000_000))
	n := new(big.Int).Add(new(big.Int).Lsh(r.Num(), 1), r.Denom())
	n.Div(n, new(big.Int).Lsh(r.Denom(), 1))
	if !n.IsInt64() {
		return nil
	}
	rate := record.Rate(n.Int64())
	return &rate
}

// modest reports whether a number is written with as few digits as any price needs: the exact value of 1e999999999
// would fill the memory.
func modest(text string) bool {
	if len(text) > 64 || strings.Contains(text, "/") {
		return false
	}
	_, power, ok := strings.Cut(strings.ToLower(text), "e")
	if !ok {
		return true
	}
	n, err := strconv.Atoi(power)
	return err == nil && n > -60 && n < 60
}

// Absurd reports whether a price is beyond anything that is charged: a table has the price of a
// million as that of a thousand.
func Absurd(p *record.Price) bool { return *p.Input > 1000_000_000 }
