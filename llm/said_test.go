package llm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plenum-foundry/plenum/llm"
)

func TestSaidKnowsAStringAndNoOther(t *testing.T) {
	text, wire := strings.Repeat("a\n", 9), strings.Repeat(`a\n`, 9)
	var s llm.Said
	if _, ok := s.JSON(text); ok {
		t.Error("an empty one knows a string")
	}
	s.Keep(text, wire)
	s.Keep("", "x")
	if got, ok := s.JSON(text); !ok || got != wire {
		t.Errorf("said %q", got)
	}
	for _, other := range []string{"", text[:4], text[2:], strings.Clone(text), text + "b"} {
		if got, ok := s.JSON(other); ok {
			t.Errorf("%q is said as %q", other, got)
		}
	}
	var none *llm.Said
	if _, ok := none.JSON(text); ok || !cmp.Equal(&llm.Request{Said: &s}, &llm.Request{}) {
		t.Error("a request that was said otherwise is another")
	}
}
