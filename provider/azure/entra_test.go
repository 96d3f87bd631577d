package azure

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
)

const tenant = "11111111-1111-1111-1111-111111111111"

// authority stands in for login.microsoftonline.com and for the endpoint of managed identities.
type authority struct {
	*httptest.Server
	asked   atomic.Int64
	refuses atomic.Bool
	saw     atomic.Pointer[url.Values]
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	for _, name := range []string{
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
		"AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "IMDS_ENDPOINT", "IDENTITY_SERVER_THUMBPRINT",
	} {
		t.Setenv(name, "")
		_ = os.Unsetenv(name) // some are looked for and not into
	}
	a := &authority{}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			base := a.URL + "/" + tenant
			fmt.Fprintf(w, `{"token_endpoint":"%s/oauth2/v2.0/token","authorization_endpoint":"%s/oauth2/v2.0/authorize","issuer":"%s/v2.0","device_authorization_endpoint":"%s/d"}`, base, base, base, base)
			return
		}
		_ = r.ParseForm()
		a.saw.Store(&r.Form)
		if a.refuses.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"AADSTS7000222: the client secret has expired"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"eyJ.secret-%d","expires_in":3600,"expires_on":"4102444800","resource":"r","token_type":"Bearer"}`, a.asked.Add(1))
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) form(key string) string { return a.saw.Load().Get(key) }

func connection(options map[string]string) provider.Settings {
	return provider.Settings{Connection: "az", BaseURL: "https://res.services.ai.azure.com", Options: options, Credentials: map[string]plenum.Secret{}}
}

// sign returns the credential of a call to a model.
func sign(t *testing.T, p provider.Provider, model string) (string, error) {
	t.Helper()
	plan, err := p.Plan(model, llm.OpGenerate, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Sign(t.Context(), r, nil)
	if r.Header.Get("Api-Key") != "" {
		t.Error("a key is sent as well")
	}
	return r.Header.Get("Authorization"), err
}

func opened(t *testing.T, in provider.Settings, client *http.Client) provider.Provider {
	t.Helper()
	if err := provider.Check(Kind.Fields, in); err != nil {
		t.Fatal(err)
	}
	p, err := open(in, client)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// An application with a secret: one token for all calls at a door, and another for Claude's.
func TestClientSecrets(t *testing.T) {
	a := newAuthority(t)
	in := connection(map[string]string{"auth": entra, "tenant_id": tenant, "client_id": "app", "authority": a.URL})
	in.Credentials["client_secret"] = plenum.NewSecret("hunter2")
	p := opened(t, in, a.Client())
	for range 3 {
		if auth, err := sign(t, p, "grok-4"); err != nil || auth != "Bearer eyJ.secret-1" {
			t.Fatalf("%s %v", auth, err)
		}
	}
	if a.form("client_secret") != "hunter2" || !strings.Contains(a.form("scope"), resourceScope) || a.form("client_id") != "app" {
		t.Errorf("asked with %v", a.saw.Load())
	}
	if auth, err := sign(t, p, "claude-opus"); err != nil || auth != "Bearer eyJ.secret-2" || !strings.Contains(a.form("scope"), foundryScope) {
		t.Errorf("%s %v %v", auth, err, a.saw.Load())
	}
	if s := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(s, "hunter2") || strings.Contains(s, "eyJ.") {
		t.Errorf("printed: %s", s)
	}
}

func TestScopesOfAnOwner(t *testing.T) {
	a := newAuthority(t)
	in := connection(map[string]string{"auth": entra, "tenant_id": tenant, "client_id": "app", "authority": a.URL, "scope": "api://gate/.default"})
	in.Credentials["client_secret"] = plenum.NewSecret("hunter2")
	if _, err := sign(t, opened(t, in, a.Client()), "claude-opus"); err != nil || !strings.Contains(a.form("scope"), "api://gate/.default") {
		t.Errorf("%v %v", err, a.saw.Load())
	}
}

// A federated identity of a workload: the token in the file is what is shown.
func TestWorkloadIdentities(t *testing.T) {
	a := newAuthority(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the-workload's-own-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	p := opened(t, connection(map[string]string{"auth": workloadIdentity, "tenant_id": tenant, "client_id": "app", "authority": a.URL}), a.Client())
	if auth, err := sign(t, p, "gpt-5"); err != nil || auth != "Bearer eyJ.secret-1" || a.form("client_assertion") != "the-workload's-own-token" {
		t.Errorf("%s %v %v", auth, err, a.saw.Load())
	}
}

// An identity that is assigned to the place that Plenum runs at.
func TestManagedIdentities(t *testing.T) {
	a := newAuthority(t)
	t.Setenv("IDENTITY_ENDPOINT", a.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", "x")
	p := opened(t, connection(map[string]string{"auth": managedIdentity, "client_id": "assigned"}), a.Client())
	if auth, err := sign(t, p, "gpt-5"); err != nil || auth != "Bearer eyJ.secret-1" || a.form("client_id") != "assigned" || a.form("resource") != strings.TrimSuffix(resourceScope, "/.default") {
		t.Errorf("%s %v %v", auth, err, a.saw.Load())
	}
}

// What every Azure tool finds: here an application in the environment.
func TestTheDefaultChain(t *testing.T) {
	a := newAuthority(t)
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
	t.Setenv("AZURE_TENANT_ID", tenant)
	t.Setenv("AZURE_CLIENT_ID", "app-of-the-environment")
	t.Setenv("AZURE_CLIENT_SECRET", "s")
	p := opened(t, connection(map[string]string{"auth": entra, "authority": a.URL}), a.Client())
	if auth, err := sign(t, p, "gpt-5"); err != nil || auth != "Bearer eyJ.secret-1" || a.form("client_id") != "app-of-the-environment" {
		t.Errorf("%s %v", auth, err)
	}
}

// What is wrong is said with what to do about it, and without the secret.
func TestTokensThatCannotBeFetched(t *testing.T) {
	a := newAuthority(t)
	a.refuses.Store(true)
	in := connection(map[string]string{"auth": entra, "tenant_id": tenant, "client_id": "app", "authority": a.URL})
	in.Credentials["client_secret"] = plenum.NewSecret("hunter2")
	_, err := sign(t, opened(t, in, a.Client()), "gpt-5")
	if err == nil || !strings.Contains(err.Error(), "renew the client secret") || !strings.Contains(err.Error(), "AADSTS7000222") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
	_, err = sign(t, opened(t, connection(map[string]string{"auth": entra}), a.Client()), "gpt-5")
	if err == nil || !strings.Contains(err.Error(), "az login") {
		t.Errorf("got %v", err)
	}
	_, err = open(connection(map[string]string{"auth": workloadIdentity}), a.Client())
	if err == nil || !strings.HasPrefix(err.Error(), "auth: ") {
		t.Errorf("got %v", err)
	}
}

// Where tokens are asked for leads to the metadata by no redirect, and is there by no name but for who asks for it.
func TestCase_I9_AuthoritiesDoNotLeadToTheMetadata(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/metadata/identity/oauth2/token", http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	secret := connection(map[string]string{"auth": entra})
	secret.Credentials["client_secret"] = plenum.NewSecret("hunter2")
	for _, in := range []provider.Settings{secret, connection(map[string]string{"auth": managedIdentity}), connection(map[string]string{"auth": entra})} {
		resp, err := way(in).Client(patience).Get(s.URL)
		if !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%v: a redirect ends in %v", in.Options, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	there := httptest.NewRequest(http.MethodGet, "http://169.254.169.254/metadata", http.NoBody)
	if _, err := way(secret).Proxy(there); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("with a secret: %v", err)
	}
	if _, err := way(connection(map[string]string{"auth": managedIdentity})).Proxy(there); err != nil {
		t.Errorf("for the identity of the machine: %v", err)
	}
}
