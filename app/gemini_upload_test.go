package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/all"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// anUpload is one that has begun, with what goes on with it.
type anUpload struct {
	*world
	up     *testkit.Upstream
	pepper *identity.Pepper
	log    *bytes.Buffer // of the edge, at its most talkative; read it after done
	done   func()
	sealed string
	holds  identity.Ephemeral
}

func beginUpload(t *testing.T) *anUpload {
	t.Helper()
	w, up := googleWorld(t)
	a := &anUpload{world: w, up: up, log: &bytes.Buffer{}}
	talkative := slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv := httptest.NewServer(gateway.NewEdge(all.Dialects(), w.current, w.handler, talkative))
	t.Cleanup(srv.Close)
	w.url, a.done = srv.URL, srv.Close
	var err error
	if a.pepper, err = identity.NewPepper([]byte(strings.Repeat("p", 32))); err != nil { // as newWorld's
		t.Fatal(err)
	}
	up.Script(testkit.Text(200, "text/plain", "").WithHeader("X-Goog-Upload-Url", "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=up-1&upload_protocol=resumable"))
	resp, got := w.post("/upload/v1beta/files", `{"file":{}}`, asJSON("X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start")...)
	at, err := url.Parse(resp.Header.Get("X-Goog-Upload-Url"))
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s: %v", resp.StatusCode, got, err)
	}
	a.sealed = at.Query().Get(identity.UploadParam)
	cred := identity.Cred{Kind: identity.UploadCred, Secret: plenum.NewSecret(a.sealed)}
	if a.holds, _, err = a.pepper.OpenEphemeral(cred, w.current.Load().KeyByID, time.Now()); err != nil {
		t.Fatal(err)
	}
	return a
}

// piece sends one with nothing but a secret.
func (a *anUpload) piece(secret string) (int, string) {
	resp, got := a.post("/upload/v1beta/files?upload_id=up-1&upload_protocol=resumable&"+identity.UploadParam+"="+secret, "abc", "Authorization", "", "X-Goog-Upload-Command", "upload")
	return resp.StatusCode, got
}

func (a *anUpload) seal(e identity.Ephemeral) string {
	s, err := a.pepper.Seal(e)
	if err != nil {
		a.t.Fatal(err)
	}
	return s.Reveal()
}

func TestTheSecretOfAnUploadEndsWithItsDay(t *testing.T) {
	a := beginUpload(t)
	left := time.Until(time.Unix(a.holds.Expires, 0))
	if !strings.HasPrefix(a.holds.Upload, "uploads/") || strings.Contains(a.holds.Upload, "up-1") || left <= 0 || left > uploadFor {
		t.Fatalf("it is of %q, for %v more", a.holds.Upload, left)
	}
	past := a.holds
	past.Expires = time.Now().Add(-time.Second).Unix()
	before := a.up.Count()
	if code, got := a.piece(a.seal(past)); code != http.StatusUnauthorized || !strings.Contains(got, "expired") || a.up.Count() != before {
		t.Errorf("after its time: %d %s", code, got)
	}
	a.up.Script(testkit.Text(200, "text/plain", ""))
	if code, got := a.piece(a.sealed); code != 200 {
		t.Errorf("within it: %d %s", code, got)
	}
}

func TestTheSecretOfAnUploadEndsWithItsKey(t *testing.T) {
	a := beginUpload(t)
	gone := a.holds
	gone.KeyID = "key_that_was_revoked"
	before := a.up.Count()
	if code, got := a.piece(a.seal(gone)); code != http.StatusUnauthorized || a.up.Count() != before {
		t.Errorf("of a key that is gone: %d %s", code, got)
	}
	other, err := identity.NewPepper([]byte(strings.Repeat("q", 32)))
	if err != nil {
		t.Fatal(err)
	}
	a.pepper = other
	if code, got := a.piece(a.seal(a.holds)); code != http.StatusUnauthorized || a.up.Count() != before {
		t.Errorf("of another Plenum: %d %s", code, got)
	}
}

func TestTheSecretOfAnUploadIsNoKey(t *testing.T) {
	a := beginUpload(t)
	session := a.seal(identity.Ephemeral{KeyID: a.holds.KeyID, Model: "gem", Expires: a.holds.Expires})
	before := a.up.Count()
	if code, got := a.piece(session); code != http.StatusUnauthorized {
		t.Errorf("a secret for a session, in an upload's address: %d %s", code, got)
	}
	if code, got := a.piece(worldKey); code != http.StatusUnauthorized {
		t.Errorf("a key, in the place of the secret: %d %s", code, got)
	}
	for name, header := range map[string]string{"Authorization": "Bearer " + a.sealed, "X-Goog-Api-Key": a.sealed} {
		send := []string{"Authorization", "", name, header}
		for _, path := range []string{"/v1/chat/completions", "/v1beta/models/gem:generateContent", "/upload/v1beta/files?upload_id=up-1"} {
			if resp, got := a.post(path, `{"model":"gem"}`, asJSON(send...)...); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("as %s at %s: %d %s", name, path, resp.StatusCode, got)
			}
		}
	}
	header := http.Header{"Authorization": {"Bearer " + a.sealed}}
	if s, resp, err := a.open(header); err == nil {
		t.Errorf("it opened a session: %v %v", s, resp.Status)
	} else if resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session: %v, %v", resp, err)
	}
	if a.up.Count() != before {
		t.Errorf("%d of them reached the vendor", a.up.Count()-before)
	}
}

func TestTheSecretOfAnUploadIsNowhereWritten(t *testing.T) {
	a := beginUpload(t)
	a.up.Script(testkit.Text(200, "text/plain", ""), testkit.Text(500, "text/plain", "no"))
	told := ""
	for _, secret := range []string{a.sealed, a.sealed, a.sealed + "x"} { // one passes, one fails upstream, one is refused
		_, got := a.piece(secret)
		told += got
	}
	a.done()
	for _, r := range a.up.Requests() {
		told += r.Path + "?" + r.RawQuery + fmt.Sprint(r.Header) + string(r.Body)
	}
	for i := range 4 {
		told += fmt.Sprintf("%+v", a.records.nth(t, i))
	}
	if told += a.log.String(); strings.Contains(told, a.sealed) || strings.Contains(told, identity.UploadParam) {
		t.Errorf("it is in what is kept, sent or said:\n%s", told)
	}
}
