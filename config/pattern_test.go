package config_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/plenum-foundry/plenum/config"
	"pgregory.net/rapid"
)

// withAliases returns a snapshot with a deployment d0, d1, ... for each alias, upside down if asked.
func withAliases(t interface{ Fatal(...any) }, aliases []string, reverse bool) *config.Snapshot {
	f := config.New()
	c := config.Connection{Name: "c", Provider: "azure", BaseURL: "https://x.example.com"}
	f.Connections = []config.Connection{c}
	for i := range aliases {
		if reverse {
			i = len(aliases) - 1 - i
		}
		f.Deployments = append(f.Deployments, config.Deployment{
			Name: fmt.Sprintf("d%d", i), Aliases: []string{aliases[i]},
			Targets: []config.Target{{Connection: "c", Upstream: "m", Weight: 1}},
		})
	}
	o := options()
	o.Kinds[1].Fields = nil
	s, err := config.Compile(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestThePatternThatSaysMostFirstWins(t *testing.T) {
	aliases := []string{"*", "grok-*", "grok-4*", "*-fast", "grok-4", "grok-*-fast", "a*b*a"}
	s := withAliases(t, aliases, false)
	var got []string
	for _, name := range []string{"grok-4", "grok-4.7", "grok-3", "x-fast", "grok-3-fast", "zzz", "aba", "aa", "axbya", "grok"} {
		d, ok := s.Deployment(name)
		if !ok {
			t.Fatalf("%s fits nothing", name)
		}
		got = append(got, name+" is "+d.Aliases[0])
	}
	want := []string{
		"grok-4 is grok-4", "grok-4.7 is grok-4*", "grok-3 is grok-*", "x-fast is *-fast",
		"grok-3-fast is grok-*-fast", "zzz is *", "aba is a*b*a", "aa is *", "axbya is a*b*a", "grok is *",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok := s.Deployment(strings.Repeat("x", 257)); ok {
		t.Error("a name of 257 characters is found")
	}
}

// TestPatternsAgreeWithRegularExpressions checks the matching against the plain way of doing it, and
// that the order of the file does not matter.
func TestPatternsAgreeWithRegularExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab/]{0,3}(\*[ab/]{0,3}){0,3}`)
		aliases := rapid.SliceOfNDistinct(word.Filter(func(s string) bool { return s != "" }), 1, 6, rapid.ID).Draw(t, "aliases")
		name := rapid.StringMatching(`[ab/]{1,8}`).Draw(t, "name")
		forward, backward := withAliases(t, aliases, false), withAliases(t, aliases, true)
		d, ok := forward.Deployment(name)
		e, found := backward.Deployment(name)
		if ok != found || ok && d.Name != e.Name {
			t.Fatalf("the order of the file decides: %v, %v", d, e)
		}
		best := -1
		for _, a := range aliases {
			if fits(a, name) && (best < 0 || a == name || strings.IndexByte(a+"*", '*') > best) {
				best = strings.IndexByte(a+"*", '*')
				if a == name {
					break
				}
			}
		}
		if ok != (best >= 0) {
			t.Fatalf("found %v, but a regular expression says %v", ok, best >= 0)
		}
		if ok && (!fits(d.Aliases[0], name) || strings.IndexByte(d.Aliases[0]+"*", '*') != best) {
			t.Fatalf("%q leads to %q", name, d.Aliases[0])
		}
	})
}

func fits(pattern, name string) bool {
	expr := "^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
	return regexp.MustCompile(expr).MatchString(name)
}

func TestCase_F16_AModelIDIsJustAName(t *testing.T) {
	names := []string{
		"meta-llama/Llama-3.1-8B", "global.anthropic.claude-sonnet-4-20250514-v1:0", "xai/grok-4", "a/b/c:free",
	}
	text := "connections: [{name: xai, provider: xai, credentials: {api_key: k}}]\ndeployments:\n"
	for _, n := range names {
		text += "  - {name: \"" + n + "\", targets: [{connection: xai}]}\n"
	}
	s := compile(t, text, options())
	for _, n := range names {
		d, ok := s.Deployment(n)
		if !ok || d.Targets[0].Offer.Upstream != n {
			t.Errorf("%s leads to %+v", n, d)
		}
	}
	if _, ok := s.Deployment("Llama-3.1-8B"); ok {
		t.Error("what stands before the slash was taken for a provider")
	}
}

func TestTheNearestNamesAreOffered(t *testing.T) {
	s := withAliases(t, []string{"grok-4.7", "grok-4.6", "claude-sonnet-4-5", "gpt-4o", "gpt-4o-mini", "x-*"}, false)
	tests := map[string][]string{
		"grok4.7":           {"grok-4.7", "grok-4.6"},
		"claude-sonet-4-5":  {"claude-sonnet-4-5"},
		"GPT-4o":            {"gpt-4o", "gpt-4o-mini"},
		"claude-sonnet":     {"claude-sonnet-4-5"},
		"entirely-unheard":  nil,
		"":                  nil,
		"x-*":               nil,
		"\x00\xff\xfe gpt-": nil,
	}
	for name, want := range tests {
		if diff := cmp.Diff(want, s.Nearest(name, 2)); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
	}
}

func TestBoundNamesAreRememberedWithinBounds(t *testing.T) {
	s := compile(t, whole, options())
	for i := range 6000 {
		name := fmt.Sprintf("xai/grok-%d", i)
		d, ok := s.Deployment(name)
		if !ok || "xai/"+d.Targets[0].Offer.Upstream != name {
			t.Fatalf("%s leads to %+v", name, d)
		}
	}
	first, _ := s.Deployment("xai/grok-0")
	again, _ := s.Deployment("xai/grok-0")
	late, _ := s.Deployment("xai/grok-5999")
	later, _ := s.Deployment("xai/grok-5999")
	if first != again || late == later {
		t.Error("remembered without bounds, or not at all")
	}
}

func BenchmarkDeployment(b *testing.B) {
	var aliases []string
	for i := range 500 {
		aliases = append(aliases, fmt.Sprintf("model-%d", i), fmt.Sprintf("vendor-%d/*", i))
	}
	s := withAliases(b, aliases, false)
	for _, name := range []string{"model-499", "vendor-0/any", "unknown"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Deployment(name)
			}
		})
	}
}
