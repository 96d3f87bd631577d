package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
)

// request makes the request that an event is sent in. Its headers are those of the Standard Webhooks specification, so
// that receivers need no code of their own to check them.
func request(ctx context.Context, a *config.Alert, id string, body []byte, now time.Time) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address of the receiver is not one") // which may hold a secret
	}
	at := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Plenum")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", Sign(a.Secret, id, at, body))
	return r, nil
}

// Sign returns the signature of an event: v1, and the HMAC-SHA-256 of its id, time and body in base64. A secret that begins with
// whsec_ is base64 of the key, any other is the key itself.
func Sign(secret plenum.Secret, id, at string, body []byte) string {
	key := []byte(secret.Reveal())
	if s, ok := strings.CutPrefix(secret.Reveal(), "whsec_"); ok {
		if b, err := base64.StdEncoding.DecodeString(s); err == nil {
			key = b
		}
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + at + "."))
	m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
}
