package vault

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
	"github.com/tink-crypto/tink-go/v2/tink"

	plenum "github.com/plenum-foundry/plenum"
)

func masterOf(t *testing.T, digit string) Master {
	t.Helper()
	m, err := NewMaster(plenum.NewSecret(strings.Repeat(digit, 64)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatIsSealedOpensAtItsPlaceAlone(t *testing.T) {
	v := New(masterOf(t, "a"))
	b, err := v.Seal([]byte("a secret"), "obj_1")
	if err != nil || bytes.Contains(b, []byte("secret")) || !Sealed(b) || MasterOf(b) != v.Current() {
		t.Fatalf("%q, %v", b, err)
	}
	if got, err := New(masterOf(t, "a")).Open(b, "obj_1"); err != nil || string(got) != "a secret" { // another process
		t.Errorf("%q, %v", got, err)
	}
	if _, err := v.Open(b, "obj_2"); err == nil {
		t.Error("it opens in another place")
	}
	if _, err := New(masterOf(t, "b")).Open(b, "obj_1"); err == nil || !strings.Contains(err.Error(), v.Current()) {
		t.Errorf("under another master key: %v", err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if got, err := v.Open(bad, "obj_1"); err == nil && Sealed(bad) {
			t.Fatalf("byte %d changed: opens as %q", i, got)
		}
		if got, err := v.Open(b[:i], "obj_1"); err == nil && Sealed(b[:i]) {
			t.Fatalf("cut at %d: opens as %q", i, got)
		}
	}
	if got, err := v.Open([]byte(`{"never":"sealed"}`), "x"); err != nil || string(got) != `{"never":"sealed"}` {
		t.Errorf("what was never sealed: %q, %v", got, err)
	}
}

func TestARotatedMasterKeyOpensWhatWasSealedBefore(t *testing.T) {
	old := New(masterOf(t, "a"))
	text, err := old.SealText("sk-1")
	if err != nil {
		t.Fatal(err)
	}
	both := New(masterOf(t, "b"), masterOf(t, "a"))
	plain, ok, err := both.OpenText(text)
	if err != nil || !ok || plain != "sk-1" {
		t.Fatalf("%q, %v, %v", plain, ok, err)
	}
	again, err := both.SealText(plain)
	if err != nil {
		t.Fatal(err)
	}
	if plain, _, err := New(masterOf(t, "b")).OpenText(again); err != nil || plain != "sk-1" {
		t.Errorf("under the new one alone: %q, %v", plain, err)
	}
	if _, ok, _ := both.OpenText("sealed:1:abc"); ok {
		t.Error("what another sealed is taken for ours")
	}
}

func TestMasterKeysAreTakenInTheirForms(t *testing.T) {
	for text, good := range map[string]bool{
		strings.Repeat("0", 64): true, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": true, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n": true,
		"": false, "short": false, strings.Repeat("0", 62): false, strings.Repeat("z", 64): false,
	} {
		_, err := NewMaster(plenum.NewSecret(text))
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && len(text) > 6 && strings.Contains(err.Error(), text) {
			t.Error("the error repeats the key")
		}
	}
}

// counting counts the calls to a service.
type counting struct {
	tink.AEAD
	calls int
}

func (c *counting) Encrypt(p, a []byte) ([]byte, error) { c.calls++; return c.AEAD.Encrypt(p, a) }
func (c *counting) Decrypt(p, a []byte) ([]byte, error) { c.calls++; return c.AEAD.Decrypt(p, a) }

// service is a key management service whose one key is away or not.
type service struct {
	*counting
	err error
}

func (s service) Supported(uri string) bool         { return strings.HasPrefix(uri, "fake-kms://") }
func (s service) GetAEAD(string) (tink.AEAD, error) { return s.counting, s.err }

func TestAKeyManagementServiceIsAskedOncePerDataKey(t *testing.T) {
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		t.Fatal(err)
	}
	client, err := fakekms.NewClient(uri)
	if err != nil {
		t.Fatal(err)
	}
	a, err := client.GetAEAD(uri)
	if err != nil {
		t.Fatal(err)
	}
	s := service{counting: &counting{AEAD: a}}
	m, err := FromService(uri, []Service{s})
	if err != nil {
		t.Fatal(err)
	}
	v, other := New(m), New(m)
	for range 50 {
		b, err := v.Seal([]byte("x"), "p")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Open(b, "p"); err != nil || string(got) != "x" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if s.calls != 2 {
		t.Errorf("the service was asked %d times, want once to seal and once to open", s.calls)
	}
	if _, err := FromService("gcp-kms://k", []Service{s}); err == nil {
		t.Error("a service that there is not opens a key")
	}
	if _, err := FromService(uri, []Service{service{err: errors.New("away")}}); err == nil {
		t.Error("a service that is away opens a key")
	}
}
