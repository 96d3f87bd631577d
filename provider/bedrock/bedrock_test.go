package bedrock

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/provider"
	"github.com/plenum-foundry/plenum/test/specs"
)

// NoAWS is noAWS for the other tests of this package.
func NoAWS(t *testing.T) { t.Helper(); noAWS(t) }

// noAWS keeps the machine's own AWS configuration out of a test.
func noAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_BEARER_TOKEN_BEDROCK", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "credentials"))
}

func static(base string) provider.Settings {
	return provider.Settings{
		Connection: "test", BaseURL: base, Options: map[string]string{"region": "eu-west-1"}, Header: http.Header{"X-Own": {"1"}},
		Credentials: map[string]plenum.Secret{
			"access_key_id": plenum.NewSecret("AKIDEXAMPLE"), "secret_access_key": plenum.NewSecret(testSecret), "session_token": plenum.NewSecret("token-1"),
		},
	}
}

const testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// Law: the signature fits the request as it arrives, whatever the model is called, and no other.
func TestSignaturesFitWhatArrives(t *testing.T) {
	noAWS(t)
	var seen error
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = verify(r) }))
	defer srv.Close()
	p, err := Kind.New(static(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"us.anthropic.claude-v1:0", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova", "a b+c"} {
		plan, err := p.Plan(model, llm.OpGenerate, true)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"messages":[]}`
		r, err := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL+"?a=1&b=x%20y", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if err := p.Sign(t.Context(), r, []byte(body)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if seen != nil {
			t.Errorf("%s: %v", model, seen)
		}
		r.Body = io.NopCloser(strings.NewReader(`{"messages":{}}`))
		if resp, err = http.DefaultClient.Do(r); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if seen == nil {
			t.Errorf("%s: another body passed", model)
		}
	}
}

// verify checks a signature by itself, after the public description of Signature Version 4.
func verify(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	auth := r.Header.Get("Authorization")
	if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 ") {
		return errors.New("not signed: " + auth)
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(strings.TrimPrefix(auth, "AWS4-HMAC-SHA256 "), ", ") {
		k, v, _ := strings.Cut(p, "=")
		parts[k] = v
	}
	scope := strings.SplitN(parts["Credential"], "/", 2)
	if scope[0] != "AKIDEXAMPLE" || !strings.HasSuffix(scope[1], "/eu-west-1/bedrock/aws4_request") {
		return errors.New("scope " + parts["Credential"])
	}
	if r.Header.Get("X-Amz-Security-Token") != "token-1" {
		return errors.New("no session token")
	}
	names := strings.Split(parts["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-amz-date", "x-amz-security-token", "content-type", "x-own"} {
		if !slices.Contains(names, must) {
			return errors.New(must + " is not signed")
		}
	}
	var canon strings.Builder
	canon.WriteString(r.Method + "\n" + escapePath(r.URL.EscapedPath()) + "\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n")
	for _, n := range names {
		v := r.Header.Get(n)
		switch n {
		case "host":
			v = r.Host
		case "content-length":
			v = r.Header.Get("Content-Length")
		}
		canon.WriteString(n + ":" + strings.TrimSpace(v) + "\n")
	}
	canon.WriteString("\n" + parts["SignedHeaders"] + "\n" + sum(body))
	date := r.Header.Get("X-Amz-Date")
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope[1] + "\n" + sum([]byte(canon.String()))
	key := []byte("AWS4" + testSecret)
	for p := range strings.SplitSeq(scope[1], "/") {
		key = mac(key, p)
	}
	if got := hex.EncodeToString(mac(key, text)); got != parts["Signature"] {
		return errors.New("the signature does not fit")
	}
	return nil
}

// escapePath escapes a path as it stands once more, as every service but one wants it.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}

func sum(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// The published vectors, where they are at hand: those without a body, whose length the signer would sign.
func TestVectorsOfTheVendor(t *testing.T) {
	dir := specs.Folder(t, filepath.Join("aws", "sigv4-testsuite"))
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.req"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".req") + ".authz")
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Base(file) {
		case "get-utf8.req": // escapes its path once, as one service alone wants it
			continue
		case "get-vanilla-with-session-token.req": // does not show the token
			continue
		}
		r, ok := vector(string(raw))
		if !ok {
			continue
		}
		n++
		c := chain{signer: v4.NewSigner(), now: func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }}
		c.retrieve = func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: testSecret, SessionToken: r.Header.Get("X-Amz-Security-Token")}, nil
		}
		if err := c.sign(t.Context(), r, nil, "service", "us-east-1"); err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("Authorization"); got != strings.TrimSpace(string(want)) {
			t.Errorf("%s:\ngot  %s\nwant %s", filepath.Base(file), got, want)
		}
	}
	if n < 8 {
		t.Errorf("only %d vectors were read", n)
	}
}

// vector reads a request of the vectors, unless it has a body or headers that no request of ours has.
func vector(raw string) (*http.Request, bool) {
	head, body, _ := strings.Cut(raw, "\n\n")
	lines := strings.Split(head, "\n")
	first := strings.SplitN(lines[0], " ", 2)
	target := strings.TrimSuffix(first[1], " HTTP/1.1")
	u, err := url.Parse("https://example.amazonaws.com" + target)
	if body != "" || err != nil || strings.ContainsAny(target, " ") {
		return nil, false
	}
	r := &http.Request{Method: first[0], URL: u, Header: http.Header{}, Host: "example.amazonaws.com"}
	for _, l := range lines[1:] {
		k, v, ok := strings.Cut(l, ":")
		if !ok || strings.HasPrefix(l, " ") {
			return nil, false // folded lines
		}
		if !strings.EqualFold(k, "Host") {
			r.Header.Add(k, v)
		}
	}
	return r, true
}

func TestCredentialsOfTheEnvironmentAndOfProfiles(t *testing.T) {
	noAWS(t)
	model := "m"
	signed := func(in provider.Settings) (string, string) {
		p, err := Kind.New(in)
		if err != nil {
			return "", err.Error()
		}
		plan, err := p.Plan(model, llm.OpGenerate, false)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequestWithContext(t.Context(), plan.Method, plan.URL, http.NoBody)
		if err := p.Sign(t.Context(), r, nil); err != nil {
			return plan.URL, err.Error()
		}
		return plan.URL, r.Header.Get("Authorization")
	}
	none := func(options map[string]string) provider.Settings { return provider.Settings{Options: options} }

	if at, got := signed(none(nil)); !strings.Contains(got, "finding AWS credentials") || !strings.Contains(at, "us-east-1") {
		t.Errorf("without any: %s %s", at, got)
	}
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[team]\naws_access_key_id=AKIDTEAM\naws_secret_access_key=s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(conf, []byte("[profile team]\nregion=eu-north-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_CONFIG_FILE", conf)
	if at, got := signed(none(map[string]string{"profile": "team"})); !strings.Contains(got, "AKIDTEAM") || !strings.Contains(at, "eu-north-1") {
		t.Errorf("of a profile: %s %s", at, got)
	}
	if _, got := signed(none(map[string]string{"profile": "nobody"})); !strings.Contains(got, "nobody") {
		t.Errorf("of no profile: %s", got)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_REGION", "ap-southeast-2")
	if at, got := signed(none(nil)); !strings.Contains(got, "Credential=AKIDENV/") || !strings.Contains(got, "/ap-southeast-2/bedrock/") || !strings.Contains(at, "ap-southeast-2") {
		t.Errorf("of the environment: %s %s", at, got)
	}
	if _, got := signed(none(map[string]string{"dialect": "openai"})); !strings.Contains(got, "/bedrock-mantle/aws4_request") {
		t.Errorf("at the compatible address: %s", got)
	}
	model = "xai.grok-4.3"
	if at, got := signed(none(nil)); at != "https://bedrock-mantle.ap-southeast-2.api.aws/openai/v1/chat/completions" || !strings.Contains(got, "/bedrock-mantle/aws4_request") {
		t.Errorf("a model that is only at the compatible address: %s %s", at, got)
	}
	model = "m"
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "bearer-1")
	if _, got := signed(none(nil)); got != "Bearer bearer-1" {
		t.Errorf("a bearer token of the environment: %s", got)
	}
	if _, got := signed(provider.Settings{Credentials: map[string]plenum.Secret{"access_key_id": plenum.NewSecret("x")}}); !strings.Contains(got, "belong together") {
		t.Errorf("half a key: %s", got)
	}
}

// What hands out credentials leads to where clouds keep them by no redirect.
func TestCase_I9_CredentialsDoNotComeByARedirectToTheMetadata(t *testing.T) {
	noAWS(t)
	s := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	for _, in := range []provider.Settings{static(""), {}} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client(in).Do(q)
		if !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("it ends in %v", err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
}

// AWS's own way through a container's endpoint and through STS is guarded. The address redirected to is one that no
// connection can be made to, so that nothing is sent anywhere should this fail.
func TestCase_I9_AWSsLibraryGoesByTheGuard(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("http://224.0.0.1/", http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	noAWS(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", s.URL)
	c, err := newChain(provider.Settings{Options: map[string]string{"region": "eu-west-1"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := c.retrieve(ctx); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("a container's: %v", err)
	}
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://224.0.0.1")
	in := static("")
	in.Options["role_arn"] = "arn:aws:iam::123456789012:role/r"
	if c, err = newChain(in); err != nil {
		t.Fatal(err)
	}
	if _, err := c.retrieve(ctx); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("a role's: %v", err)
	}
}
