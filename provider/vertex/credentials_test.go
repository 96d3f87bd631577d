package vertex_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
	"github.com/plenum-foundry/plenum/provider/vertex"
)

// tokens is a token endpoint: it counts what it is asked, and answers with tokens that are called by number,
// or with a status.
type tokens struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64
	saw    atomic.Pointer[http.Request]
}

func newTokens(t *testing.T) *tokens {
	t.Helper()
	e := &tokens{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Metadata-Flavor", "Google")
		switch {
		case strings.HasSuffix(r.URL.Path, "/project-id"):
			fmt.Fprint(w, "machine-project")
			return
		case !strings.Contains(r.URL.Path, "token"):
			return
		}
		_ = r.ParseForm()
		e.saw.Store(r)
		if s := e.status.Load(); s != 0 {
			w.WriteHeader(int(s))
			if s == http.StatusBadRequest {
				fmt.Fprint(w, `{"error":"invalid_grant","error_description":"the account was deleted"}`)
			}
			return
		}
		fmt.Fprintf(w, `{"access_token":"ya29.secret-%d","expires_in":3600,"token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, e.asked.Add(1))
	}))
	t.Cleanup(e.Close)
	return e
}

// noGoogle keeps the machine's own configuration out of a test.
func noGoogle(t *testing.T) {
	t.Helper()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", "")
}

// serviceAccount is the key of an account that nobody has.
func serviceAccount(t *testing.T, uri string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": "of-the-key", "private_key_id": "1", "client_email": "a@of-the-key.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": uri + "/token",
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func open(t *testing.T, in provider.Settings) provider.Provider {
	t.Helper()
	p, err := vertex.Kind.New(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sign returns the address and the credential of a call.
func sign(t *testing.T, p provider.Provider) (address, auth string, err error) {
	t.Helper()
	plan, err := p.Plan("claude-x", llm.OpGenerate, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Sign(t.Context(), r, nil)
	return plan.URL, r.Header.Get("Authorization"), err
}

func given(json string) provider.Settings {
	return provider.Settings{Options: map[string]string{}, Credentials: map[string]plenum.Secret{"credentials_json": plenum.NewSecret(json)}}
}

// The key of a service account: it names its project, and one token serves all calls.
func TestServiceAccounts(t *testing.T) {
	noGoogle(t)
	e := newTokens(t)
	p := open(t, given(serviceAccount(t, e.URL)))
	for range 3 {
		at, auth, err := sign(t, p)
		if err != nil || auth != "Bearer ya29.secret-1" || !strings.Contains(at, "/projects/of-the-key/locations/global/") {
			t.Errorf("%s %s %v", at, auth, err)
		}
	}
	if got := e.saw.Load().Form.Get("grant_type"); got != "urn:ietf:params:oauth:grant-type:jwt-bearer" || e.saw.Load().Form.Get("assertion") == "" {
		t.Errorf("asked with %s", got)
	}
	if s := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(s, "ya29") || strings.Contains(s, "PRIVATE KEY") {
		t.Errorf("printed: %s", s)
	}
}

// A federation with the identities of another place: its token is exchanged at the token service.
func TestWorkloadIdentityFederation(t *testing.T) {
	noGoogle(t)
	e := newTokens(t)
	dir := t.TempDir()
	subject := filepath.Join(dir, "subject")
	if err := os.WriteFile(subject, []byte("the-workload's-own-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "federation.json")
	text := `{"type":"external_account","audience":"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
		"subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"` + e.URL + `/v1/token","credential_source":{"file":"` + subject + `"}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := open(t, provider.Settings{Options: map[string]string{"project": "p", "credentials_file": file}})
	if _, auth, err := sign(t, p); err != nil || auth != "Bearer ya29.secret-1" {
		t.Errorf("%s %v", auth, err)
	}
	if f := e.saw.Load().Form; f.Get("subject_token") != "the-workload's-own-token" || !strings.Contains(f.Get("scope"), "cloud-platform") {
		t.Errorf("asked with %v", f)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	p = open(t, provider.Settings{Options: map[string]string{"project": "p"}})
	if _, auth, err := sign(t, p); err != nil || auth != "Bearer ya29.secret-2" {
		t.Errorf("of the environment: %s %v", auth, err)
	}
}

// The account that is attached to the machine.
func TestMetadataServers(t *testing.T) {
	noGoogle(t)
	e := newTokens(t)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(e.URL, "http://"))
	p := open(t, provider.Settings{Options: map[string]string{"project": "p"}})
	if _, auth, err := sign(t, p); err != nil || auth != "Bearer ya29.secret-1" {
		t.Errorf("%s %v", auth, err)
	}
}

// What is wrong is said with what to do about it, and without the credentials.
func TestTokensThatCannotBeFetched(t *testing.T) {
	noGoogle(t)
	e := newTokens(t)
	key := serviceAccount(t, e.URL)
	for status, want := range map[int]string{400: "make a new key of the service account", 503: "fault of its own"} {
		e.status.Store(int64(status))
		_, auth, err := sign(t, open(t, given(key)))
		if auth != "" || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "was deleted") != (status == http.StatusBadRequest) {
			t.Errorf("%d: %s %v", status, auth, err)
		}
		if err != nil && strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%v", err)
		}
	}
	for text, want := range map[string]string{
		`{"type":"service_account"`: "credentials.credentials_json", `{"type":"odd","hunter2":1}`: "credentials.credentials_json",
	} {
		if _, err := vertex.Kind.New(given(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	in := given("hunter2")
	in.Options["project"] = "p"
	if _, _, err := sign(t, open(t, in)); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "not in JSON") {
		t.Errorf("got %v", err)
	}
	for _, file := range []string{"/nonexistent", os.Args[0]} {
		_, err := vertex.Kind.New(provider.Settings{Options: map[string]string{"project": "p", "credentials_file": file}})
		if err == nil || !strings.Contains(err.Error(), "credentials_file") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := vertex.Kind.New(provider.Settings{}); err == nil || !strings.Contains(err.Error(), "GOOGLE_CLOUD_PROJECT") {
		t.Errorf("got %v", err)
	}
}

// The global location has a host without a region, and what a model is called after is not its publisher.
func TestCase_F16_LocationsAndNames(t *testing.T) {
	for location, host := range map[string]string{
		"": "aiplatform.googleapis.com", "global": "aiplatform.googleapis.com", "eu": "aiplatform.eu.rep.googleapis.com",
		"us": "aiplatform.us.rep.googleapis.com", "asia-southeast1": "asia-southeast1-aiplatform.googleapis.com",
	} {
		p := open(t, provider.Settings{
			Options: map[string]string{"project": "p", "location": location}, Credentials: map[string]plenum.Secret{"access_token": plenum.NewSecret("t")},
		})
		at, auth, err := sign(t, p)
		if !strings.HasPrefix(at, "https://"+host+"/v1/projects/p/locations/") || auth != "Bearer t" || err != nil {
			t.Errorf("%s: %s %s %v", location, at, auth, err)
		}
		plan, err := p.Plan("meta-llama/claude-3", llm.OpGenerate, false)
		if err != nil || plan.Dialect.Name != "openai" {
			t.Errorf("%+v %v", plan, err)
		}
	}
}

// A token endpoint that leads to where clouds keep credentials is not followed.
func TestCase_I9_TokenEndpointsDoNotLeadToTheMetadata(t *testing.T) {
	noGoogle(t)
	s := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/computeMetadata/v1/", http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	if _, _, err := sign(t, open(t, given(serviceAccount(t, s.URL)))); err == nil || !strings.Contains(err.Error(), outbound.ErrRefused.Error()) {
		t.Errorf("given: %v", err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, []byte(serviceAccount(t, s.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	in := provider.Settings{Options: map[string]string{"credentials_file": file}}
	if _, _, err := sign(t, open(t, in)); err == nil || !strings.Contains(err.Error(), outbound.ErrRefused.Error()) {
		t.Errorf("of a file: %v", err)
	}
	// Nor is one that is said to be there.
	key := strings.ReplaceAll(serviceAccount(t, s.URL), s.URL, "http://169.254.169.254")
	if _, _, err := sign(t, open(t, given(key))); err == nil || !strings.Contains(err.Error(), outbound.ErrRefused.Error()) {
		t.Errorf("named: %v", err)
	}
}
