package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestCase_I9_EveryFormOfAnAddressThatIsNotPublic(t *testing.T) {
	for text, want := range map[string]Network{
		"8.8.8.8": Public, "2606:4700::1111": Public, "::ffff:8.8.8.8": Public, "64:ff9b::808:808": Public,
		"127.0.0.1": Private, "127.255.0.9": Private, "::1": Private, "10.1.2.3": Private, "172.31.0.1": Private, "192.168.1.1": Private,
		"0.0.0.0": Private, "0.1.2.3": Private, "::": Private, "fd12::1": Private, "100.64.0.1": Private, "198.18.0.1": Private,
		"::ffff:127.0.0.1": Private, "::ffff:10.0.0.1": Private, "64:ff9b::7f00:1": Private, "64:ff9b::a00:1": Private, "2002:7f00:1::": Private,
		"::127.0.0.1": Private, "64:ff9b:1::1": Private, "255.255.255.255": Private, "2001:db8::1": Private,
		"169.254.169.254": Any, "::ffff:169.254.169.254": Any, "64:ff9b::a9fe:a9fe": Any, "2002:a9fe:a9fe::1": Any, "fe80::1%eth0": Any,
		"fd00:ec2::254": Any, "100.100.100.200": Any, "224.0.0.1": Any, "ff02::1": Any,
	} {
		if got := Of(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, n := range []Network{Public, Private, "", "else"} {
		if n.Allows(netip.MustParseAddr("169.254.169.254")) {
			t.Errorf("%q reaches a cloud's credentials", n)
		}
	}
	if Network("").Allows(netip.MustParseAddr("127.0.0.1")) || !Any.Allows(netip.MustParseAddr("fe80::1")) {
		t.Error("what is allowed is not what was said")
	}
}

func TestNamesThatOnlyALocalNetworkKnows(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "127.0.0.1": true, "[::1]": true, "ollama": true, "a.localhost": true, "gpu.lan": true, "m.svc.cluster.local": true,
		"api.openai.com": false, "8.8.8.8": false, "2130706433": false, "0x7f.1": false, "0177.0.0.1": false, "metadata.google.internal": false, "": false,
		"127.0.0.1.nip.io": false, "localhost.example.com": false,
	} {
		if got := Named(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

func TestCase_I9_NamesAreCheckedWhenTheyAreDialled(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "inside") }))
	defer s.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	public := Public.Client(10 * time.Second)
	// What a name resolves to at the first look is of no interest: the address dialled is.
	for _, host := range []string{"localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "0177.0.0.1"} {
		resp, err := public.Get("http://" + host + ":" + port + "/")
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was reached", host)
		}
	}
	if _, err := public.Get("http://localhost:" + port); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "network: private") {
		t.Errorf("the refusal is %v", err)
	}
	resp, err := Private.Client(10 * time.Second).Get("http://localhost:" + port)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestCase_I9_RedirectsAreChecked(t *testing.T) {
	// A loopback server stands for the public one; where it redirects to is link-local.
	s := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
	defer s.Close()
	_, err := Private.Client(10 * time.Second).Get(s.URL)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "network: any") {
		t.Errorf("the redirect ends in %v", err)
	}
}

func TestAProxyMayStandAnywhereAndIsNotAskedForWhatIsRefused(t *testing.T) {
	if Public.Leave(time.Second).network != Public {
		t.Error("a route forgets its network")
	}
	r := Public.Leave(time.Second)
	r.proxies.Store("127.0.0.1:1", true)
	if _, err := r.DialContext(t.Context(), "tcp", "127.0.0.1:1"); errors.Is(err, ErrRefused) {
		t.Error("the proxy is refused")
	}
	if _, err := r.DialContext(t.Context(), "tcp", "127.0.0.1:2"); !errors.Is(err, ErrRefused) {
		t.Errorf("beside the proxy: %v", err)
	}
}

// Whoever asks a cloud for the machine's identity reaches it by naming it, and in no other way.
func TestCase_I9_AMachinesIdentityIsReachedByNameAlone(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	hosts := []string{"169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "metadata.google.internal", "[::ffff:169.254.169.254]"}
	for _, host := range hosts {
		for name, r := range map[string]*Route{"identity": Identity(10 * time.Second), "private": Private.Leave(10 * time.Second)} {
			if resp, err := r.Client(10 * time.Second).Get(s.URL + "?to=http://" + host + "/latest"); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: the redirect to %s ends in %v", name, host, err)
				if err == nil {
					_ = resp.Body.Close()
				}
			}
		}
		q := httptest.NewRequest(http.MethodGet, "http://"+host+"/", http.NoBody)
		if _, err := Identity(time.Second).Proxy(q); err != nil {
			t.Errorf("%s is refused to whoever names it: %v", host, err)
		}
		if _, err := Private.Leave(time.Second).Proxy(q); !errors.Is(err, ErrRefused) {
			t.Errorf("%s on a private network: %v", host, err)
		}
	}
	// A name that resolves there does not name it.
	if cloud("169.254.169.254.nip.io") || cloud("localhost") || cloud("10.0.0.1") || cloud("224.0.0.1") {
		t.Error("what is no place of credentials is taken for one")
	}
}
