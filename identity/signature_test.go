package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/test/specs"
)

// signedCall is a request as AWS's own signer signs it.
func signedCall(t *testing.T, p *Pepper, k *plenum.Key, body string, at time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://plenum.example:8080/model/us.a%3Ab%2Fc/converse?x=1&a=%20", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: p.AWSSecret(k).Reveal()},
		r, hex.EncodeToString(sum[:]), "bedrock", "us-east-1", at)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "not signed")
	return r
}

func TestASignatureIsCheckedAgainstAllThatItCovers(t *testing.T) {
	p, err := NewPepper(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	_, key, err := New(rand.Reader, p, now)
	if err != nil {
		t.Fatal(err)
	}
	find := func(id string) (*plenum.Key, bool) { return &key, id == key.ID }
	const body = `{"messages":[]}`
	for name, c := range map[string]struct {
		change func(*http.Request)
		body   string
		now    time.Time
		revoke bool
		code   string
	}{
		"as it was signed":     {},
		"another body":         {body: `{"messages":[1]}`, code: "invalid_signature"},
		"another method":       {change: func(r *http.Request) { r.Method = http.MethodPut }, code: "invalid_signature"},
		"another path":         {change: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/model/other/converse", "" }, code: "invalid_signature"},
		"another query":        {change: func(r *http.Request) { r.URL.RawQuery = "x=2" }, code: "invalid_signature"},
		"another host":         {change: func(r *http.Request) { r.Host = "evil.example" }, code: "invalid_signature"},
		"a changed header":     {change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, code: "invalid_signature"},
		"another agent":        {change: func(r *http.Request) { r.Header.Set("User-Agent", "other") }},
		"another date":         {change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261123T120001Z") }, code: "invalid_signature"},
		"another day":          {change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261124T120000Z") }, code: "incomplete_signature"},
		"no date":              {change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, code: "incomplete_signature"},
		"too late":             {now: now.Add(6 * time.Minute), code: "expired_signature"},
		"too early":            {now: now.Add(-6 * time.Minute), code: "expired_signature"},
		"in time":              {now: now.Add(4 * time.Minute)},
		"a session":            {change: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, code: "session_token"},
		"a compressed body":    {change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, code: "encoded_payload"},
		"a hash not signed":    {change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, code: "incomplete_signature"},
		"another key":          {change: func(r *http.Request) { replaceIn(r, key.ID, "key_other") }, code: "unknown_key"},
		"host not signed":      {change: func(r *http.Request) { replaceIn(r, ";host;", ";") }, code: "incomplete_signature"},
		"half of a signature":  {change: func(r *http.Request) { replaceIn(r, "Signature=", "Sig=") }, code: "incomplete_signature"},
		"a revoked key":        {revoke: true, code: "revoked_key"},
		"nothing but the word": {change: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }, code: "incomplete_signature"},
	} {
		t.Run(name, func(t *testing.T) {
			r := signedCall(t, p, &key, body, now)
			if c.change != nil {
				c.change(r)
			}
			key.Revoked = 0
			if c.revoke {
				key.Revoked = 1
			}
			got, at := body, now
			if c.body != "" {
				got = c.body
			}
			if !c.now.IsZero() {
				at = c.now
			}
			s, err := ReadSigned(r)
			var who plenum.Principal
			if err == nil {
				who, err = p.Verify(s, find, []byte(got), at)
			}
			if Code(err) != c.code || (err == nil) != (who.KeyID == key.ID) {
				t.Errorf("it is %v, %v; want %q", who, err, c.code)
			}
			if err != nil && strings.Contains(err.Error(), p.AWSSecret(&key).Reveal()) {
				t.Error("the error has the secret in it")
			}
		})
	}
	other := key
	other.ID = "key_2"
	if p.AWSSecret(&key).Reveal() == p.AWSSecret(&other).Reveal() {
		t.Error("two keys have one secret")
	}
}

func replaceIn(r *http.Request, was, is string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), was, is, 1))
}

// TestSignaturesAreThoseOfAWSsOwnVectors. Paths that are not plain are left out: the vectors write them as no
// client sends them.
func TestSignaturesAreThoseOfAWSsOwnVectors(t *testing.T) {
	dir := specs.Folder(t, filepath.Join("aws", "sigv4-testsuite"))
	requests, err := filepath.Glob(filepath.Join(dir, "*", "*.req"))
	if err != nil {
		t.Fatal(err)
	}
	secret, checked := plenum.NewSecret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), 0
	for _, path := range requests {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		authz, err := os.ReadFile(strings.TrimSuffix(path, ".req") + ".authz")
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n\n")
		line, fields, _ := strings.Cut(head, "\n")
		target, _, _ := strings.Cut(strings.SplitN(line, " ", 2)[1], " HTTP/")
		if strings.ContainsAny(target, "% ") || strings.ContainsFunc(target, func(r rune) bool { return r > '~' }) || strings.Contains(fields, "\n ") || strings.Contains(path, "session-token") || strings.Contains(target, "..") || strings.Contains(target, "/./") || strings.Contains(target, "//") {
			continue
		}
		r, err := http.NewRequest(strings.Fields(line)[0], "http://example.amazonaws.com"+target, strings.NewReader(body))
		if err != nil {
			continue
		}
		for f := range strings.SplitSeq(fields, "\n") {
			name, value, _ := strings.Cut(f, ":")
			r.Header.Add(name, value)
		}
		r.Header.Set("Authorization", string(authz))
		s, err := ReadSigned(r)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		sum := sha256.Sum256([]byte(body))
		if got := s.sign(secret, hex.EncodeToString(sum[:])); got != s.signature {
			t.Errorf("%s: the signature is %s, want %s", filepath.Base(path), got, s.signature)
		}
		checked++
	}
	t.Logf("%d of %d vectors", checked, len(requests))
	if checked < 15 {
		t.Errorf("only %d of %d vectors were checked", checked, len(requests))
	}
}

func FuzzReadSigned(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=key_a/20261123/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=a2", "20261123T123829Z", "/model/a%2Fb/converse", "x=1&y")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e/20261123/r/s/aws4_request,SignedHeaders=:authority;x-amz-date,Signature=1", "20261123T000000Z", "/", "%zz")
	f.Fuzz(func(t *testing.T, authorization, date, path, query string) {
		r := &http.Request{Method: "POST", Host: "h", URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Authorization": {authorization}, "X-Amz-Date": {date}}}
		s, err := ReadSigned(r)
		if err != nil {
			if Code(err) == "" {
				t.Errorf("an error that is not the caller's: %v", err)
			}
			return
		}
		if got := s.sign(plenum.NewSecret("secret"), strings.Repeat("0", 64)); len(got) != 64 {
			t.Errorf("the signature is %q", got)
		}
	})
}

func TestWhatStandsInTheAddressOfAnUploadIsTakenOut(t *testing.T) {
	for query, want := range map[string]string{
		"a=1&plenum-upload=ek_x&b=2":        "a=1&b=2",
		"plenum%2Dupload=ek_x&b=2":          "b=2",
		"PLENUM-UPLOAD=ek_x":                "",
		"plenum-uploads=ek_x&plenum=upload": "plenum-uploads=ek_x&plenum=upload",
	} {
		c, rest, _ := Credential(http.Header{}, query)
		if rest != want || (c.Kind == UploadCred) != (want != query) {
			t.Errorf("%s: the rest is %q, and the credential of kind %d", query, rest, c.Kind)
		}
	}
}
