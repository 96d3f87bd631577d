package awskms_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plenum-foundry/plenum/vault"
	"github.com/plenum-foundry/plenum/vault/awskms"
)

const key = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	for _, uri := range []string{"aws-kms://", "aws-kms://key/1", "aws-kms://arn:aws:s3:eu-central-1:1:key/1", "aws-kms://arn:aws:kms::1:key/1", "aws-kms://arn:aws:kms:eu-central-1:1:"} {
		if _, err := (awskms.Service{}).GetAEAD(uri); err == nil || !strings.Contains(err.Error(), "arn:aws:kms:REGION") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if (awskms.Service{}).Supported("gcp-kms://x") || !(awskms.Service{}).Supported(key) {
		t.Error("it takes addresses that are not its own, or not those that are")
	}
}

// TestWhatIsSealedUnderAKeyOfAWSOpensAtItsPlace has a service that says what was sent to it (the wire of AWS KMS, API version
// 2014-11-01); test/kms does it with a server that somebody else made.
func TestWhatIsSealedUnderAKeyOfAWSOpensAtItsPlace(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			KeyID                     string `json:"KeyId"`
			Plaintext, CiphertextBlob []byte
			EncryptionContext         map[string]string
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/kms/aws4_request") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		target := r.Header.Get("X-Amz-Target")
		asked = append(asked, target)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		arn := strings.TrimPrefix(key, "aws-kms://")
		context, _ := json.Marshal(q.EncryptionContext)
		switch seal := append([]byte(string(context)+"|"), 'x'); target {
		case "TrentService.Encrypt":
			_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": arn, "CiphertextBlob": append(seal, q.Plaintext...)})
		case "TrentService.Decrypt":
			plain, ok := bytes.CutPrefix(q.CiphertextBlob, seal)
			if !ok {
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]any{"__type": "InvalidCiphertextException"})
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": arn, "Plaintext": plain})
		}
	}))
	defer s.Close()
	t.Setenv("AWS_ENDPOINT_URL_KMS", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	open := func() *vault.Vault {
		m, err := vault.FromService(key, []vault.Service{awskms.Service{}})
		if err != nil {
			t.Fatal(err)
		}
		return vault.New(m)
	}
	v := open()
	a, err := v.Seal([]byte("said"), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.Seal([]byte("said too"), "b")
	if err != nil {
		t.Fatal(err)
	}
	again := open()
	if plain, err := again.Open(a, "a"); err != nil || string(plain) != "said" {
		t.Errorf("opened: %q, %v", plain, err)
	}
	if plain, err := again.Open(b, "a"); err == nil {
		t.Errorf("at the place of another it opens as %q", plain)
	}
	if got := strings.Join(asked, " "); got != "TrentService.Encrypt TrentService.Decrypt" {
		t.Errorf("the service was asked %s: it is asked once for a data key", got)
	}
}
