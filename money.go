package plenum

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/plenum-foundry/plenum/llm"
)

// Micros is money in millionths of a US dollar. Money is never a float.
type Micros int64

// String returns the amount in dollars, with six decimals: "0.000105".
func (m Micros) String() string {
	sign, u := "", uint64(m)
	if m < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%06d", sign, u/1e6, u%1e6)
}

// ParseMicros reads an amount of dollars such as "3" or "0.15" exactly.
func ParseMicros(s string) (Micros, error) {
	whole, frac, _ := strings.Cut(s, ".")
	neg := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	if len(frac) > 6 {
		if strings.Trim(frac[6:], "0") != "" {
			return 0, fmt.Errorf("%q has a fraction of less than a millionth of a dollar", s)
		}
		frac = frac[:6]
	}
	digits := whole + frac + strings.Repeat("0", 6-len(frac))
	if whole == "" && frac == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not an amount of dollars", s)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an amount of dollars", s)
	}
	if neg {
		n = -n
	}
	return Micros(n), nil
}

// Rate is a price: micro-dollars for a million units, which is the same as dollars per million tokens
// with six decimals. For searches and other single units it counts a million of them as well.
type Rate int64

// Price is what an offer charges for each class of usage. Known says that there is a price at all: an
// unknown price is not a price of zero.
type Price struct {
	Known        bool
	Source       string // where the figures come from: "catalog 2026-11-22", "configuration"
	Input        Rate
	CacheRead    Rate
	CacheWrite5m Rate
	CacheWrite1h Rate
	InputAudio   Rate
	InputImage   Rate
	Output       Rate
	Reasoning    Rate
	OutputAudio  Rate
	OutputImage  Rate
	Search       Rate
	Image        Rate
	Character    Rate
	Second       Rate
	// Over holds the rates of a call that read more than Above tokens, all of it; nil where long prompts
	// cost no more. It may have an Over of its own.
	Above int64
	Over  *Price
	// Tiers holds the rates of service tiers besides the standard one, Hours those of some hours of the day, and
	// Pictures those of images by what they are like; nil where they make no difference.
	Tiers    *Tiers
	Hours    *Hours
	Pictures *Pictures
	// Since is when these rates began, in Unix seconds, and Before those that held until then; 0 and nil where nobody
	// knows of others. A price may begin in the future: For takes the one of the time of the call.
	Since  int64
	Before *Price
}

// Rate returns the rate of one class.
func (p *Price) Rate(c llm.Class) Rate {
	if r := p.rate(c); r != nil {
		return *r
	}
	return 0
}

// rate returns where the rate of a class stands, or nil for a class that there is not.
func (p *Price) rate(c llm.Class) *Rate {
	//exhaustive:enforce
	switch c {
	case llm.ClassInput:
		return &p.Input
	case llm.ClassCacheRead:
		return &p.CacheRead
	case llm.ClassCacheWrite5m:
		return &p.CacheWrite5m
	case llm.ClassCacheWrite1h:
		return &p.CacheWrite1h
	case llm.ClassInputAudio:
		return &p.InputAudio
	case llm.ClassInputImage:
		return &p.InputImage
	case llm.ClassOutput:
		return &p.Output
	case llm.ClassReasoning:
		return &p.Reasoning
	case llm.ClassOutputAudio:
		return &p.OutputAudio
	case llm.ClassOutputImage:
		return &p.OutputImage
	case llm.ClassSearch:
		return &p.Search
	case llm.ClassImage:
		return &p.Image
	case llm.ClassCharacter:
		return &p.Character
	case llm.ClassSecond:
		return &p.Second
	}
	return nil
}

// Free reports whether nothing has a price.
func (p *Price) Free() bool {
	for class := range (llm.Usage{}).Classes() {
		if p.Rate(class) > 0 {
			return false
		}
	}
	return p.Over == nil
}

// At returns the rates of a call that reads so many tokens.
func (p *Price) At(read int64) *Price {
	for p.Over != nil && read > p.Above {
		p = p.Over
	}
	return p
}

// Cost returns what a usage costs on the standard terms, rounded once, half up, over the sum of all classes. It saturates
// rather than wraps: an absurd count never becomes a credit.
func (p *Price) Cost(u llm.Usage) Micros {
	p = p.At(u.In())
	var hi, lo uint64
	for class, n := range u.Classes() {
		r := p.Rate(class)
		if n <= 0 || r <= 0 {
			continue
		}
		h, l := bits.Mul64(uint64(n), uint64(r))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi, carry = bits.Add64(hi, h, carry)
		if carry != 0 {
			return math.MaxInt64
		}
	}
	lo, carry := bits.Add64(lo, 500_000, 0)
	hi += carry
	if hi >= 1_000_000 {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, 1_000_000)
	if q > math.MaxInt64 {
		return math.MaxInt64
	}
	return Micros(q)
}

// Split returns the parts of what Cost says. Of the micro-dollars that are left when each part is rounded down, those
// with the largest rests get one each, so that the parts always add up.
func (p *Price) Split(u llm.Usage) Costs {
	left := int64(p.Cost(u))
	p = p.At(u.In())
	var part, rest [14]int64 // one for each class
	i := 0
	for class, n := range u.Classes() {
		if r := p.Rate(class); n > 0 && r > 0 {
			hi, lo := bits.Mul64(uint64(n), uint64(r))
			part[i] = left // of an absurd count, which Cost saturates on
			if hi < 1_000_000 {
				q, m := bits.Div64(hi, lo, 1_000_000)
				part[i], rest[i] = int64(min(q, uint64(left))), int64(m)
			}
			left -= part[i]
		}
		i++
	}
	for ; left > 0; left-- {
		most := 0
		for i := range rest {
			if rest[i] > rest[most] {
				most = i
			}
		}
		if rest[most] == 0 {
			part[most] += left
			break
		}
		part[most]++
		rest[most] = 0
	}
	return Costs{
		part[0], part[1], part[2], part[3], part[4], part[5], part[6],
		part[7], part[8], part[9], part[10], part[11], part[12], part[13],
	}
}
