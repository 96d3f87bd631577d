package gateway

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/provider"
)

func TestCase_I9_NoWayToAPrivateAddressIsOpen(t *testing.T) {
	reached := 0
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer plain.Close()
	secure := httptest.NewTLSServer(plain.Config.Handler)
	defer secure.Close()
	named := strings.Replace(plain.URL, "127.0.0.1", "localhost", 1)
	for name, media := range map[string]string{"http": "application/json", "grpc": dialect.GRPC} {
		for _, url := range []string{plain.URL, named, secure.URL, "http://169.254.169.254/latest/meta-data/iam"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", media)
			resp, err := NewTransport(provider.Timeouts{}, "", nil).RoundTrip(r)
			if !errors.Is(err, outbound.ErrRefused) {
				t.Errorf("%s to %s: %v, want it refused", name, url, err)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
	}
	if reached > 0 {
		t.Errorf("a private address was reached %d times", reached)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, named, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := NewTransport(provider.Timeouts{}, outbound.Private, nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}
