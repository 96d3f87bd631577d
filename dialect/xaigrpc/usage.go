package xaigrpc

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/llm"
)

// noteTotal tells that the wire had no total_tokens: usage told in the middle of a stream has none.
const noteTotal = "no total_tokens"

// The server-side tools that search.
const (
	toolWebSearch = 1
	toolXSearch   = 2
)

// bill is a SamplingUsage as it stands. Prompt tokens hold the cached ones and those of images; completion
// tokens do not hold the reasoning.
type bill struct {
	completion, prompt, total, text, image, reasoning, cached, searches int64
}

// decodeUsage takes usage apart into classes that do not overlap and are never negative.
func decodeUsage(b []byte) (llm.Usage, error) {
	var x bill
	var u llm.Usage
	var total field
	err := fields(b, func(f field) error {
		switch f.tag {
		case 1<<3 | varint:
			x.completion = count(f)
		case 2<<3 | varint:
			x.prompt = count(f)
		case 3<<3 | varint:
			x.total, total = count(f), f
		case 4<<3 | varint:
			x.text = count(f)
		case 5<<3 | varint:
			x.image = count(f)
		case 6<<3 | varint:
			x.reasoning = count(f)
		case 7<<3 | varint:
			x.cached = count(f)
		case 9<<3 | varint, 9<<3 | chars:
			x.searches += searches(f)
			keep(&u.Extra, usageNames(), f)
		default:
			keep(&u.Extra, usageNames(), f)
		}
		return nil
	})
	x.classes(&u)
	switch said := x.prompt + u.Out(); {
	case x.total == 0 && said > 0:
		u.Extra.Note(Name, noteTotal)
	case x.total != 0 && x.total != said:
		keep(&u.Extra, usageNames(), total)
	}
	for _, v := range [...][3]int64{{4, x.text, x.prompt - u.InputImage}, {5, x.image, u.InputImage}, {7, x.cached, u.CacheRead}} {
		if v[1] != v[2] {
			u.Extra.Note(Name, noteValue+strconv.FormatInt(v[0], 10)+" "+strconv.FormatInt(v[1], 10))
		}
	}
	return u, err
}

// noteValue tells a number that is not what it should follow from others.
const noteValue = "value "

// count reads a number that is never negative.
func count(f field) int64 { return max(f.int(), 0) }

func (x *bill) classes(u *llm.Usage) {
	out := x.completion
	// Somebody may count reasoning within, as other dialects do: the total tells.
	if x.reasoning > 0 && x.total == x.prompt+x.completion && x.completion >= x.reasoning {
		out -= x.reasoning
	}
	u.CacheRead = min(x.cached, x.prompt)
	u.InputImage = min(x.image, x.prompt-u.CacheRead)
	u.Input = x.prompt - u.CacheRead - u.InputImage
	u.Output, u.Reasoning, u.Searches = out, x.reasoning, x.searches
	if x.prompt > 0 {
		u.Reported |= llm.InSide
	}
	if x.completion > 0 || x.reasoning > 0 || x.total > 0 {
		u.Reported |= llm.OutSide
	}
}

// searches counts the searches in a list of the tools that xAI has run.
func searches(f field) int64 {
	one := func(v uint64) int64 {
		if v == toolWebSearch || v == toolXSearch {
			return 1
		}
		return 0
	}
	if f.tag == 9<<3|varint {
		return one(f.val)
	}
	var n int64
	for b := f.data; len(b) > 0; {
		v, size := protowire.ConsumeVarint(b)
		if size < 0 {
			break
		}
		n += one(v)
		b = b[size:]
	}
	return n
}

// writeUsage writes a SamplingUsage.
func writeUsage(m *message, u llm.Usage) {
	prompt := u.In()
	figure := func(num int, n int64) {
		prefix := noteValue + strconv.Itoa(num) + " "
		for _, f := range u.Extra.In(Name) {
			if v, ok := strings.CutPrefix(f.Key, prefix); ok && f.Raw == "" {
				n, _ = strconv.ParseInt(v, 10, 64)
			}
		}
		m.int(num, n)
	}
	m.int(1, u.Out()-u.Reasoning)
	m.int(2, prompt)
	if _, kept := u.Extra.Get("total_tokens"); !kept && !u.Extra.Noted(Name, noteTotal) {
		m.int(3, prompt+u.Out())
	}
	figure(4, prompt-u.InputImage)
	figure(5, u.InputImage)
	m.int(6, u.Reasoning)
	figure(7, u.CacheRead)
	m.extra(u.Extra)
}
