package corpus

import (
	"encoding/json"
	"flag"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/dialect/dialecttest"
	"github.com/plenum-foundry/plenum/dialect/xaigrpc"
	"github.com/plenum-foundry/plenum/test/sides"
)

var index = regexp.MustCompile(`\[\d+\]`)

// kinds returns the names of losses without numbers, sorted and each once.
func kinds(losses []dialect.Loss) []string {
	var out []string
	for _, l := range losses {
		w := index.ReplaceAllString(l.What, "")
		if strings.Contains(w, "response.") { // tells how far a stream has come: a whole answer has none
			continue
		}
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// differ returns how two bodies of a dialect differ, "" where they say the same.
func differ(name string, want, got []byte, model string) string {
	if name == xaigrpc.Name {
		if sorted(want) != sorted(got) {
			return "the fields differ"
		}
		return ""
	}
	if model != "" {
		want, got = with(want, model), with(got, model)
	}
	return dialecttest.SameJSON(want, got)
}

func with(body []byte, model string) []byte {
	var m map[string]any
	if json.Unmarshal(body, &m) != nil {
		return body
	}
	m["model"] = model
	b, err := json.Marshal(m)
	if err != nil {
		return body
	}
	return b
}

// sorted returns a message with its fields by number, within messages as well as can be told.
func sorted(b []byte) string {
	type field struct {
		n   protowire.Number
		raw string
	}
	var list []field
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		value := protowire.ConsumeFieldValue(n, typ, b[max(size, 0):])
		if size < 0 || value < 0 {
			return string(b)
		}
		raw := string(b[:size+value])
		if inner, ok := protowire.ConsumeBytes(b[size:]); typ == protowire.BytesType && ok > 0 && message(inner) {
			raw = string(b[:size]) + sorted(inner)
		}
		list = append(list, field{n, raw})
		b = b[size+value:]
	}
	slices.SortStableFunc(list, func(a, b field) int { return int(a.n - b.n) })
	out := ""
	for _, f := range list {
		out += f.raw
	}
	return out
}

func message(b []byte) bool {
	for len(b) > 0 {
		_, _, n := protowire.ConsumeField(b)
		if n <= 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

var (
	update = flag.Bool("update", false, "write docs/corpus.md")
	whole  = flag.Bool("whole", false, "take every recording, and not a sample of them where the race detector is on")
)

// TestCorpus takes every recorded call through every dialect.
func TestCorpus(t *testing.T) {
	calls, others := known(t)
	m := table{others: others}
	step := 1
	if sides.Race && !*whole && !*update {
		step = 4
	}
	for i := 0; i < len(calls); i += step {
		x := &calls[i]
		m.recorded(x, own(x))
		for _, to := range sides.All() {
			if to.Name != x.side.Name {
				m.crossed(x, to, cross(x, to))
			}
		}
	}
	for _, s := range m.silent {
		t.Error(s)
	}
	t.Logf("%d calls, said %d times in another dialect, %d of them with named losses; %d refused, %d silent", m.calls, m.pairs, m.lossy, m.refusals, len(m.silent))
	if step == 1 {
		m.check(t)
	}
}
