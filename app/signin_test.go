package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// browser goes from page to page as people do.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar, Timeout: 30 * time.Second}, t}
}

// open opens a page and returns where that led and what it says.
func (b *browser) open(method, address string, form url.Values, header ...string) (*http.Response, string) {
	b.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	q, err := http.NewRequestWithContext(b.t.Context(), method, address, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	resp, err := b.Do(q)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

// formAddress is where a page's form goes.
var formAddress = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// signIn signs somebody in: the provider's form asks for a name, and then whether Plenum may know it.
func (b *browser) signIn(address, name string) (*http.Response, string) {
	b.t.Helper()
	resp, text := b.open("GET", address, nil)
	for range 2 {
		m := formAddress.FindStringSubmatch(text)
		if m == nil || !strings.Contains(text, "oidc-provider") && !strings.Contains(text, `name="prompt"`) {
			break
		}
		to, err := resp.Request.URL.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
		if err != nil {
			b.t.Fatal(err)
		}
		form := url.Values{"prompt": {"login"}, "login": {name}, "password": {"x"}}
		if strings.Contains(text, `value="consent"`) {
			form = url.Values{"prompt": {"consent"}}
		}
		resp, text = b.open("POST", to.String(), form)
	}
	return resp, text
}

const theProvider = `
identity_providers:
  - name: corp
    title: Corp
    issuer: %s
    client_id: plenum
    client_secret: the-secret-of-the-client
    scopes: [openid, email, profile, groups]
    roles:
      - {group: platform, role: admin}
      - {group: physics, role: developer, project: lab}
projects: [{name: lab}]
members: [{name: bob@example.com, roles: [{role: auditor}]}]
`

// heard is what a program says, for several to read.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// people is a Plenum that a real provider signs people in to.
type people struct {
	*manager
	issuer string
}

func peopled(t *testing.T, more string) *people {
	t.Helper()
	m := manage(t, "")
	issuer := testkit.OIDC(t, m.url+"/sign-in/corp/callback")
	f, err := config.Parse("test.yaml", []byte("data_dir: "+m.dir+"\nadmin_key: "+theAdminKey+"\n"+fmt.Sprintf(theProvider, issuer)+more), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.file = f
	m.mu.Unlock()
	if err := m.rebuild(); err != nil {
		t.Fatal(err)
	}
	return &people{m, issuer}
}

func (p *people) groups(t *testing.T, text string) {
	t.Helper()
	resp, err := http.Post(p.issuer+"/test/groups", "application/json", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// me asks the management API who one is.
func (b *browser) me(base string) (int, map[string]any) {
	b.t.Helper()
	resp, text := b.open("GET", base+"/admin/v1/me", nil)
	var v map[string]any
	_ = json.Unmarshal([]byte(text), &v)
	return resp.StatusCode, v
}

func TestPeopleSignInByTheirProvider(t *testing.T) {
	p := peopled(t, "")
	p.groups(t, `{"ann":["platform","physics"],"cid":["nobodys"]}`)
	ann := newBrowser(t)
	if status, _ := ann.me(p.url); status != 401 {
		t.Errorf("who is not signed in is answered %d", status)
	}
	resp, text := ann.signIn(p.url+"/sign-in", "ann")
	if resp.StatusCode != 200 || !strings.Contains(text, "You are signed in as ann@example.com") {
		t.Fatalf("she ends at %s: %d %s", resp.Request.URL, resp.StatusCode, text)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("the page may do %q", csp)
	}
	status, me := ann.me(p.url)
	if status != 200 || me["name"] != "member:ann@example.com" || !strings.Contains(fmt.Sprint(me["roles"]), "admin") || !strings.Contains(fmt.Sprint(me["roles"]), "lab") {
		t.Errorf("she is %d %v", status, me)
	}
	// She may do what her groups let her, from pages of this Plenum alone.
	make := func(header ...string) int {
		resp, _ := ann.open("POST", p.url+"/admin/v1/projects?dry_run=true", nil, append(header, "Content-Type", "application/json")...)
		return resp.StatusCode
	}
	if got := make("Sec-Fetch-Site", "cross-site"); got != 401 && got != 403 {
		t.Errorf("what another site sends is answered %d", got)
	}
	if got := make("Sec-Fetch-Site", "same-origin"); got != 400 { // the body is empty, and she may
		t.Errorf("what she sends herself is answered %d", got)
	}
	// She is a member now, with what her provider says, and the file's members stay as they are.
	member := p.must(t, 200, "GET", "/members/ann@example.com", "")["spec"].(map[string]any)
	if member["identity_provider"] != "corp" || member["title"] != "ANN" || !strings.Contains(fmt.Sprint(member["groups"]), "physics") {
		t.Errorf("she is declared as %v", member)
	}
	bob := newBrowser(t)
	bob.signIn(p.url+"/sign-in", "bob")
	if _, me := bob.me(p.url); !strings.Contains(fmt.Sprint(me["roles"]), "auditor") {
		t.Errorf("bob, whom the file declares, is %v", me)
	}
	for name, want := range map[string]string{"cid": "nobody has given you a role", "unverified-dan": "verified"} {
		if resp, text := newBrowser(t).signIn(p.url+"/sign-in", name); resp.StatusCode != 403 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	// Out of the group, she is out of the role at her next sign-in; a member that is disabled is out at once.
	p.groups(t, `{"ann":["physics"]}`)
	again := newBrowser(t)
	again.signIn(p.url+"/sign-in", "ann")
	if _, me := again.me(p.url); strings.Contains(fmt.Sprint(me["roles"]), "admin") {
		t.Errorf("out of the group she is %v", me)
	}
	p.must(t, 200, "PATCH", "/members/ann@example.com", `{"disabled":true}`)
	if status, _ := again.me(p.url); status != 401 {
		t.Errorf("disabled, she is answered %d", status)
	}
	if resp, text := newBrowser(t).signIn(p.url+"/sign-in", "ann"); resp.StatusCode != 403 || !strings.Contains(text, "shut out") {
		t.Errorf("disabled, she signs in: %d %s", resp.StatusCode, text)
	}
	// Signing out ends a session; so does who manages.
	if resp, text := bob.open("POST", p.url+"/sign-out", url.Values{}); resp.StatusCode != 200 || !strings.Contains(text, "Sign out of Corp as well") {
		t.Errorf("signing out: %d %s", resp.StatusCode, text)
	}
	if status, _ := bob.me(p.url); status != 401 {
		t.Errorf("signed out, he is answered %d", status)
	}
	bob.signIn(p.url+"/sign-in", "bob")
	sessions := p.must(t, 200, "GET", "/sessions?member=bob%40example.com", "")["data"].([]any)
	if len(sessions) != 1 {
		t.Fatalf("bob's sessions: %v", sessions)
	}
	p.must(t, 204, "DELETE", "/sessions/"+sessions[0].(map[string]any)["id"].(string), "")
	if status, _ := bob.me(p.url); status != 401 {
		t.Errorf("with his session ended he is answered %d", status)
	}
	audits := ""
	for _, want := range []string{"sign_in", "sign_out", "end_session", "declare_member", "identity_provider:corp", "member:ann@example.com", "nobody has given you a role"} {
		for end := time.Now().Add(30 * time.Second); !strings.Contains(audits, want); time.Sleep(50 * time.Millisecond) { // it is shipped soon
			if audits = fmt.Sprint(p.must(t, 200, "GET", "/audit?limit=1000", "")["data"]); time.Now().After(end) {
				t.Fatalf("the audit says nothing of %q", want)
			}
		}
	}
	if strings.Contains(audits, "plenum_st_") {
		t.Error("the audit has the secret of a session")
	}
	// Where it cannot be written down nobody signs in.
	if err := p.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	late := newBrowser(t)
	if resp, text := late.signIn(p.url+"/sign-in", "bob"); resp.StatusCode != 503 || !strings.Contains(text, "unrecorded") {
		t.Errorf("unrecorded he ends at %s: %d %s", resp.Request.URL, resp.StatusCode, text)
	}
	if status, _ := late.me(p.url); status != 401 {
		t.Errorf("not signed in he is answered %d", status)
	}
}

func TestASignInCannotBeForged(t *testing.T) {
	p := peopled(t, "")
	p.groups(t, `{"ann":["platform"],"eve":["platform"]}`)
	// A callback in a browser that began nothing, with another's state, or twice.
	resp, text := newBrowser(t).open("GET", p.url+"/sign-in/corp/callback?code=x&state=y", nil)
	if resp.StatusCode != 403 || !strings.Contains(text, "not begun in this browser") {
		t.Errorf("a callback out of nowhere: %d %s", resp.StatusCode, text)
	}
	eve := newBrowser(t)
	var code *url.URL
	eve.CheckRedirect = func(q *http.Request, _ []*http.Request) error {
		if strings.Contains(q.URL.Path, "/callback") && q.URL.Query().Get("code") != "" {
			code = q.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	eve.signIn(p.url+"/sign-in", "eve")
	if code == nil {
		t.Fatal("the provider gave no code")
	}
	ann := newBrowser(t)
	ann.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ann.open("GET", p.url+"/sign-in/corp", nil)
	if resp, _ := ann.open("GET", code.String(), nil); resp.StatusCode != 403 {
		t.Errorf("eve's code in ann's browser: %d", resp.StatusCode)
	}
	if status, _ := ann.me(p.url); status != 401 {
		t.Errorf("ann is signed in as somebody: %d", status)
	}
	if resp, _ := eve.open("GET", code.String(), nil); resp.StatusCode != 200 {
		t.Errorf("eve's own code: %d", resp.StatusCode)
	}
	if resp, _ := eve.open("GET", code.String(), nil); resp.StatusCode != 403 {
		t.Errorf("the same again: %d", resp.StatusCode)
	}
	// No way leads to another site.
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		b := newBrowser(t)
		if resp, _ := b.signIn(p.url+"/sign-in?next="+url.QueryEscape(next), "ann"); resp.Request.URL.Host != strings.TrimPrefix(p.url, "http://") {
			t.Errorf("%s leads to %s", next, resp.Request.URL)
		}
	}
	// A secret that is made up, or another kind of key, is none.
	for _, token := range []string{"plenum_st_", "plenum_st_made-up", "plenum_dc_x"} {
		if status, _ := p.ask(t, "GET", "/admin/v1/me", "", "Authorization", "Bearer "+token); status != 401 {
			t.Errorf("%s is answered %d", token, status)
		}
	}
	// What a browser carries is sealed: a changed one is none.
	b := newBrowser(t)
	b.CheckRedirect = ann.CheckRedirect
	resp, _ = b.open("GET", p.url+"/sign-in/corp", nil)
	carried := resp.Cookies()[0]
	carried.Value = carried.Value[:len(carried.Value)-4] + "AAAA"
	u, _ := url.Parse(p.url)
	b.Jar.SetCookies(u, []*http.Cookie{carried})
	to, _ := resp.Location()
	if resp, _ := b.open("GET", p.url+"/sign-in/corp/callback?code=x&state="+to.Query().Get("state"), nil); resp.StatusCode != 403 {
		t.Errorf("a changed cookie: %d", resp.StatusCode)
	}
}

func TestACommandLineIsSignedInByABrowser(t *testing.T) {
	p := peopled(t, "")
	p.groups(t, `{"ann":["platform"]}`)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("PLENUM_ADMIN_KEY", "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said, done := &heard{}, make(chan error, 1)
	go func() { done <- login(ctx, p.url, said) }()
	var page string
	for page == "" && ctx.Err() == nil {
		if m := regexp.MustCompile(`Open +(\S+)`).FindStringSubmatch(said.String()); m != nil {
			page = m[1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	ann := newBrowser(t)
	resp, text := ann.signIn(page, "ann") // the page has her sign in, and comes back
	if resp.StatusCode != 200 || !strings.Contains(text, "as ann@example.com") || !strings.Contains(text, "Allow") {
		t.Fatalf("the page: %s %d %s", resp.Request.URL, resp.StatusCode, text)
	}
	code := resp.Request.URL.Query().Get("user_code")
	if resp, _ := ann.open("POST", p.url+"/sign-in/device", url.Values{"user_code": {code}}, "Sec-Fetch-Site", "cross-site"); resp.StatusCode == 200 {
		t.Error("another site can allow a command line")
	}
	if resp, _ := ann.open("POST", p.url+"/sign-in/device", url.Values{"user_code": {"BCDF-GHJK"}}); resp.StatusCode != 404 {
		t.Errorf("a code that nobody asked for: %d", resp.StatusCode)
	}
	if resp, text := ann.open("POST", p.url+"/sign-in/device", url.Values{"user_code": {strings.ToLower(code)}}, "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 200 || !strings.Contains(text, "Allowed") {
		t.Fatalf("allowing it: %d %s", resp.StatusCode, text)
	}
	if err := <-done; err != nil || !strings.Contains(said.String(), "as ann@example.com") {
		t.Fatalf("the command line: %v %s", err, said)
	}
	file, err := sessionsFile()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || filepath.Base(file) != "sessions.json" {
		t.Errorf("the session is kept as %v, %v", info, err)
	}
	run := func(args ...string) string {
		var out bytes.Buffer
		cmd := Command(Parts{})
		cmd.SetArgs(append(args, "--url", p.url))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		if err := cmd.ExecuteContext(ctx); err != nil {
			return err.Error()
		}
		return out.String()
	}
	if got := run("whoami"); !strings.Contains(got, "member:ann@example.com\n  admin everywhere") {
		t.Errorf("whoami: %s", got)
	}
	if got := run("logout"); !strings.Contains(got, "Signed out") {
		t.Errorf("logout: %s", got)
	}
	if got := run("whoami"); !strings.Contains(got, "plenum login") {
		t.Errorf("whoami after it: %s", got)
	}
}
