package desk

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
)

func TestWhatIsSignedIsTheCanonicalCard(t *testing.T) {
	// The numbers and the order are those of RFC 8785, section 3.2.
	got, err := Canonical([]byte(`{"version":"1","credentials":{"api_key":"x"},"price":{"b":333333333.33333329,"a":1E30,"c":[4.50,2e-3,0.000000000000000000000000001]},
		"signature":"y","title":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"}`))
	want := `{"price":{"a":1e+30,"b":333333333.3333333,"c":[4.5,0.002,1e-27]},"title":"€$\u000f\nA'B\"\\\\\"/","version":"1"}`
	if err != nil || string(got) != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}

func TestASignatureIsOfItsCardAndKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	card := `{"publisher":"acme","model":"mini","price":{"input_usd_per_million":1.50}}`
	signature, err := Sign([]byte(card), private)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, body, signature string
		key                   ed25519.PublicKey
		good                  bool
	}{
		{"as it was signed", card, signature, public, true},
		{"written otherwise", `{ "model": "mini", "credentials": {"api_key":"z"}, "price": {"input_usd_per_million": 1.5}, "publisher": "acme", "signature": "w" }`, signature, public, true},
		{"changed", strings.Replace(card, "1.50", "1.49", 1), signature, public, false},
		{"another's key", card, signature, other, false},
		{"none", card, "", public, false},
		{"where none is wanted", card, signature, nil, false},
		{"none, where none is wanted", card, "", nil, true},
		{"no base64", card, "?", public, false},
	} {
		if err := signed([]byte(c.body), c.signature, c.key); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSharesAreRoundedToTheMicroDollar(t *testing.T) {
	for _, c := range []struct {
		of      plenum.Micros
		percent int
		want    plenum.Micros
	}{
		{100, 70, 70},
		{1, 70, 1},
		{1, 30, 0},
		{1, 50, 0},
		{3, 50, 2},
		{5, 50, 2},
		{7, 50, 4},
		{0, 70, 0},
		{1, 100, 1},
		{9, 0, 0},
		{9_000_000_000_000_000_000, 85, 7_650_000_000_000_000_000},
	} {
		if got := share(c.of, c.percent); got != c.want {
			t.Errorf("%d per cent of %d are %d, want %d", c.percent, c.of, got, c.want)
		}
	}
}

func TestWhatRunsMakeOfACard(t *testing.T) {
	unlist, show := config.Desk{OnDrift: "unlist", Failures: 2}, config.Desk{OnDrift: "show", Failures: 1}
	good, bad := Run{ID: "r", Passed: true}, Run{ID: "r", Checks: []Check{{Name: "tools", Verdict: Failed}}}
	for _, c := range []struct {
		name  string
		from  State
		desk  config.Desk
		runs  []Run
		want  State
		drift int
	}{
		{"the first run holds", Submitted, unlist, []Run{good}, Listed, 0},
		{"the first run fails", Submitted, unlist, []Run{bad}, Refused, 1},
		{"one that is listed fails once", Listed, unlist, []Run{bad}, Listed, 1},
		{"and twice", Listed, unlist, []Run{bad, bad}, Unlisted, 1},
		{"with one between that holds", Listed, unlist, []Run{bad, good, bad}, Listed, 1},
		{"and comes back", Listed, unlist, []Run{bad, bad, good}, Listed, 0},
		{"where drift is only shown", Listed, show, []Run{bad, bad, bad}, Listed, 1},
	} {
		k := &kept{Entry: Entry{State: c.from}}
		for i := range c.runs {
			k.judge(&c.runs[i], &c.desk)
		}
		if k.State != c.want || len(k.Drift) != c.drift {
			t.Errorf("%s: it is %s with the drift %v, want %s", c.name, k.State, k.Drift, c.want)
		}
	}
	// Those that are listed, or were, are due again; the others are not.
	now := time.Now()
	before := now.Add(-time.Hour)
	for state, want := range map[State]bool{Listed: true, Unlisted: true, Withdrawn: false, Delisted: false, Refused: false, Submitted: false} {
		k := &kept{Entry: Entry{State: state, RunAt: &before}}
		if k.stale(now) != want || k.stale(before) {
			t.Errorf("%s: stale %v", state, k.stale(now))
		}
	}
}

func TestReportsHideSecretsAndAreBounded(t *testing.T) {
	long := strings.Repeat("x", clip-4) + "the-secret-key"
	if got := hidden(long, []string{"the-secret-key", ""}); strings.Contains(got, "the-s") || len(got) > clip+3 {
		t.Errorf("%d bytes that end in %q", len(got), got[len(got)-20:])
	}
}
