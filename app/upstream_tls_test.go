package app

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// strict is an upstream that serves those alone whose certificate an authority vouches for.
type strict struct {
	*httptest.Server
	mu  sync.Mutex
	saw []string // protocols and callers, by their certificates
}

func newStrict(t *testing.T, server, clients *authority) *strict {
	t.Helper()
	s := &strict{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.saw = append(s.saw, r.Proto+" "+r.TLS.PeerCertificates[0].Subject.CommonName)
		s.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/realtime") {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer ws.CloseNow()
			_ = ws.Write(r.Context(), websocket.MessageText, []byte(`{"type":"session.created","event_id":"e0","session":{"type":"realtime","id":"sess_1","model":"up"}}`))
			_, _, _ = ws.Read(r.Context())
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, completionAnswer)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server.server("upstream")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.pool, MinVersion: tls.VersionTLS12}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// served says whom it served so far.
func (s *strict) served() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.saw, ", ")
}

// inPEM returns a certificate and its key as text.
func inPEM(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestAConnectionShowsItsCertificate declares a connection to a place of one's own authority that wants a certificate.
func TestAConnectionShowsItsCertificate(t *testing.T) {
	theirs, ours := newAuthority(t), newAuthority(t)
	up := newStrict(t, theirs, ours)
	ca, _ := inPEM(t, tls.Certificate{Certificate: [][]byte{theirs.cert.Raw}, PrivateKey: theirs.key})
	cert, key := inPEM(t, ours.client("plenum"))
	_, another := inPEM(t, ours.client("plenum"))
	m := manage(t, "")
	secret := m.must(t, 201, "POST", "/keys", `{"name":"k"}`)["secret"].(string)
	put := func(want int, base string, tls map[string]string) string {
		spec, err := json.Marshal(map[string]any{
			"name": "a", "provider": "openai-compatible", "base_url": base, "network": "private", "credentials": map[string]string{"api_key": "the-key-of-a-vendor"}, "tls": tls,
		})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(m.must(t, want, "PUT", "/connections/a", string(spec)))
	}
	put(201, up.URL+"/v1", nil)
	m.must(t, 201, "POST", "/deployments", `{"name":"org/m","targets":[{"connection":"a","upstream_model":"up"}],"retry":{"attempts":1}}`)
	calls := func(want int) {
		t.Helper()
		if status, body := m.call(t, secret, "org/m"); status != want {
			t.Errorf("a call: %d %s, want %d", status, body, want)
		}
	}
	calls(502) // nobody knows their authority
	put(200, up.URL+"/v1", map[string]string{"ca": ca})
	calls(502) // they do not know us
	if saw := up.served(); saw != "" {
		t.Fatalf("it served %s", saw)
	}
	shown := put(200, up.URL+"/v1", map[string]string{"ca": ca, "cert": cert, "key": key})
	calls(200)
	if strings.Contains(shown, "PRIVATE") || !strings.Contains(shown, "(kept)") {
		t.Errorf("the connection is shown as %s", shown)
	}
	ws, resp, err := websocket.Dial(t.Context(), strings.Replace(m.url, "http", "ws", 1)+"/v1/realtime?model=org/m", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + secret}}})
	if err != nil {
		t.Fatal(err, resp)
	}
	if _, said, err := ws.Read(t.Context()); err != nil || !strings.Contains(string(said), "session.created") {
		t.Errorf("the session says %s, %v", said, err)
	}
	_ = ws.CloseNow()
	if got := up.served(); got != "HTTP/2.0 plenum, HTTP/1.1 plenum" {
		t.Errorf("it saw %s", got)
	}
	// A name that the certificate has not, and what cannot be.
	put(200, up.URL+"/v1", map[string]string{"ca": ca, "cert": cert, "key": key, "server_name": "elsewhere.example"})
	calls(502)
	for want, tls := range map[string]map[string]string{
		"tls.ca: has no certificate":            {"ca": "nothing"},
		"give cert and key, or neither":         {"cert": cert},
		"not a certificate and its private key": {"cert": cert, "key": another},
		"unknown field":                         {"certificate": cert},
	} {
		if said := put(422, up.URL+"/v1", tls); !strings.Contains(said, want) || strings.Contains(said, "PRIVATE") {
			t.Errorf("want %q in %s", want, said)
		}
	}
	if said := put(422, "http://127.0.0.1:1/v1", map[string]string{"ca": ca}); !strings.Contains(said, "https://") {
		t.Errorf("over plain HTTP: %s", said)
	}
}
