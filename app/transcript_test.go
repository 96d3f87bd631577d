package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/proof"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/transcript"
)

const transcribed = `
connections: [{name: a, provider: openai, base_url: "%s/v1", credentials: {api_key: k}}]
deployments:
  - {name: m, targets: [{connection: a, upstream_model: gpt-4o}]}
  - {name: e, targets: [{connection: a, upstream_model: text-embedding-3-small}]}
  - {name: silent, keep_content: false, targets: [{connection: a, upstream_model: gpt-4o}]}
content: {calls: true, call_bytes: 64KiB, redact: [keys]}
projects:
  - {name: web, content: {calls: true}}
  - {name: lab, content: {calls: true, redact: [email]}}
  - {name: quiet}
  - {name: never, content: {calls: true, keep: false}}
members:
  - {name: ann@example.com}
keys:
  - {name: web, project: web, member: ann@example.com, secret: the-key-of-project-web}
  - {name: lab, project: lab, secret: the-key-of-project-lab}
  - {name: quiet, project: quiet, secret: the-key-of-project-quiet}
  - {name: never, project: never, secret: the-key-of-project-never}
`

// talker answers chats, streamed and whole, and embeddings. The stream says a key in pieces.
func talker(t *testing.T) *testkit.Upstream {
	t.Helper()
	up := testkit.NewUpstream(t)
	up.Handle(func(r *testkit.Request) testkit.Answer {
		switch {
		case strings.HasSuffix(r.Path, "/embeddings"):
			return testkit.JSON(`{"object":"list","model":"e","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`)
		case strings.Contains(string(r.Body), `"stream":true`):
			say := func(text string) string {
				return testkit.Event("", fmt.Sprintf(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, text))
			}
			return testkit.SSE(say("The key is sk-abcdef"), say("ghijklmnopqrstuvwxyz, keep "), say("it safe."),
				testkit.Event("", `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`),
				testkit.Event("", `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`),
				testkit.Event("", "[DONE]"))
		}
		return testkit.JSON(completionAnswer)
	})
	return up
}

// transcripts waits until so many are kept, and returns them, the oldest first.
func (m *manager) transcripts(t *testing.T, want int) []store.Transcript {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		ts, err := m.store.Transcripts(t.Context(), store.TranscriptFilter{})
		if err != nil {
			t.Fatal(err)
		}
		if len(ts) == want {
			for i := range ts[:len(ts)/2] {
				ts[i], ts[len(ts)-1-i] = ts[len(ts)-1-i], ts[i]
			}
			return ts
		}
		if len(ts) > want || time.Now().After(until) {
			t.Fatalf("there are %d transcripts, want %d: %+v", len(ts), want, ts)
		}
	}
}

// read reads a transcript as the management API shows it.
func (m *manager) read(t *testing.T, call string) *transcript.Document {
	t.Helper()
	status, text := m.ask(t, "GET", "/admin/v1/transcripts/"+call+"?reason="+url.QueryEscape("ticket 4711"), "", "Authorization", "Bearer "+m.key)
	d := &transcript.Document{}
	if err := json.Unmarshal([]byte(text), d); err != nil || status != 200 {
		t.Fatalf("reading %s: %d %s %v", call, status, text, err)
	}
	return d
}

func TestAProjectsCallsAreKeptAsTheyWereAskedAndAnswered(t *testing.T) {
	dir := t.TempDir()
	m := &manager{serveNode(t, dir, "admin_key: "+theAdminKey+fmt.Sprintf(transcribed, talker(t).URL)), theAdminKey}
	chat := func(key, model, text, more string) string {
		return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]%s}`, model, text, more)
	}
	var answers []string
	for _, c := range []struct {
		project, path, body string
		status              int
	}{
		{"web", "/v1/chat/completions", chat("web", "m", "a whole question", ""), 200},
		{"web", "/v1/chat/completions", chat("web", "m", "a streamed question", `,"stream":true`), 200},
		{"web", "/v1/messages", `{"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"asked in another dialect"}]}`, 200},
		{"web", "/v1/embeddings", `{"model":"e","input":"a text to embed"}`, 200},
		{"web", "/v1/chat/completions", chat("web", "nobody", "what is refused", ""), 404},
		{"web", "/v1/chat/completions", chat("web", "m", strings.Repeat("much ", 20_000), ""), 200},
		{"lab", "/v1/chat/completions", chat("lab", "m", "write to ann@example.com, sk-0123456789abcdef0123", ""), 200},
		// of these nothing is kept
		{"quiet", "/v1/chat/completions", chat("quiet", "m", "not to be kept", ""), 200},
		{"never", "/v1/chat/completions", chat("never", "m", "not to be kept", ""), 200},
		{"web", "/v1/chat/completions", chat("web", "silent", "not to be kept", ""), 200},
		{"web", "/v1/models", "", 200},
	} {
		method := "POST"
		if c.body == "" {
			method = "GET"
		}
		status, text := m.ask(t, method, c.path, c.body, "Authorization", "Bearer the-key-of-project-"+c.project)
		if status != c.status {
			t.Fatalf("%s: %d %s", c.body, status, text)
		}
		answers = append(answers, text)
	}
	kept := m.transcripts(t, 7)
	reader := m.roles(t, map[string]string{"reader": `{"role":"reader"}`})["reader"]
	docs := make([]*transcript.Document, len(kept))
	for i := range kept {
		docs[i] = reader.read(t, kept[i].Call)
	}

	whole, streamed, crossed, embedded, refused, large, lab := docs[0], docs[1], docs[2], docs[3], docs[4], docs[5], docs[6]
	if whole.Request.Text != chat("web", "m", "a whole question", "") || whole.Answer.Text != answers[0] || whole.Answer.Bytes != len(answers[0]) {
		t.Errorf("a whole answer: %+v", whole)
	}
	if whole.Project != "web" || whole.Member != "ann@example.com" || whole.KeyID == "" || whole.Deployment != "m" || whole.Dialect != "openai" || whole.Outcome != "ok" || whole.Status != 200 {
		t.Errorf("whose it was: %+v", whole)
	}
	const said = "The key is [KEY], keep it safe."
	for _, d := range []*transcript.Document{streamed, crossed} {
		if !d.Answer.Folded || !d.Answer.Redacted || !strings.Contains(d.Answer.Text, said) || strings.Contains(d.Answer.Text, "ghijkl") || d.Answer.Media != "application/json" {
			t.Errorf("a streamed answer: %+v", d.Answer)
		}
	}
	if streamed.Answer.Bytes != len(answers[1]) || !strings.Contains(streamed.Answer.Text, `"chat.completion"`) || !strings.Contains(crossed.Answer.Text, `"type":"message"`) {
		t.Errorf("streams in their dialects: %s and %s", streamed.Answer.Text, crossed.Answer.Text)
	}
	if !strings.Contains(embedded.Request.Text, "a text to embed") || !strings.Contains(embedded.Answer.Text, "0.5") {
		t.Errorf("embeddings: %+v", embedded)
	}
	if !strings.Contains(refused.Request.Text, "what is refused") || refused.Status != 404 || !strings.Contains(refused.Answer.Text, "error") {
		t.Errorf("a call that was refused: %+v", refused)
	}
	if large.Request.Omitted == "" || large.Request.Bytes < 100_000 || large.Answer.Text != answers[5] {
		t.Errorf("what is too large: %+v", large)
	}
	if got := lab.Request.Text; !strings.Contains(got, "write to [EMAIL], [KEY]") || !lab.Request.Redacted {
		t.Errorf("what a project has taken out: %s", got)
	}
	if counts := m.Node.transcripts.Counts(); counts.Kept != 7 || counts.Dropped != 0 {
		t.Errorf("counted: %+v", counts)
	}

	// Nothing of it can be read in the data directory, nor in what the ledger exports.
	m.end(t)
	if err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, word := range []string{"streamed question", "keep it safe", "a text to embed", "what is refused"} {
			if bytes.Contains(b, []byte(word)) {
				t.Errorf("%s has %q", filepath.Base(path), word)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTranscriptsAreReadByReadersAloneAndDeletedWithTheChainValid(t *testing.T) {
	m := manage(t, fmt.Sprintf(transcribed, talker(t).URL))
	for _, p := range []string{"web", "lab", "web"} {
		if status, text := m.ask(t, "POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"of `+p+`"}]}`, "Authorization", "Bearer the-key-of-project-"+p); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	kept := m.transcripts(t, 3)
	web, lab, other := kept[0].Call, kept[1].Call, kept[2].Call
	who := m.roles(t, map[string]string{
		"owner": `{"role":"owner"}`, "admin": `{"role":"admin"}`, "auditor": `{"role":"auditor"}`, "developer": `{"role":"developer","project":"web"}`,
		"billing": `{"role":"billing"}`, "publisher": `{"role":"publisher","publisher":"openai"}`,
		"reader": `{"role":"reader"}`, "of lab": `{"role":"reader","project":"lab"}`,
	})
	who["admin_key"] = m
	reason := "?reason=ticket+4711"
	for name, x := range who {
		want, wantLab := 403, 403
		switch name {
		case "reader":
			want, wantLab = 200, 200
		case "of lab":
			want, wantLab = 404, 200
		}
		if status, v := x.do(t, "GET", "/transcripts/"+web+reason, ""); status != want {
			t.Errorf("%s reads what web said: %d %v", name, status, v)
		}
		if status, v := x.do(t, "GET", "/transcripts/"+lab+reason, ""); status != wantLab {
			t.Errorf("%s reads what lab said: %d %v", name, status, v)
		}
		status, v := x.do(t, "GET", "/transcripts", "")
		if data, _ := v["data"].([]any); wantLab == 403 && status != 403 || name == "reader" && len(data) != 3 || name == "of lab" && len(data) != 1 {
			t.Errorf("%s lists %d %v", name, status, v)
		}
	}
	if status, v := who["reader"].do(t, "GET", "/transcripts/"+web, ""); status != 400 || v["code"] != "reason_missing" {
		t.Errorf("without a reason: %d %v", status, v)
	}
	// An admin cannot make themselves a reader, nor take a reader's place.
	for _, c := range [][3]string{
		{"PATCH", "/members/admin", `{"roles":[{"role":"admin"},{"role":"reader"}]}`},
		{"POST", "/members", `{"name":"eve","roles":[{"role":"reader","project":"web"}]}`},
		{"POST", "/keys", `{"name":"x","member":"reader","admin":true}`},
		{"POST", "/identity_providers", `{"name":"mine","issuer":"https://idp.example.com","client_id":"x","client_secret":"y","roles":[{"group":"g","role":"reader"}]}`},
	} {
		if status, v := who["admin"].do(t, c[0], c[1], c[2]); status != 403 {
			t.Errorf("an admin at %s %s %s: %d %v", c[0], c[1], c[2], status, v)
		}
	}
	doc := who["reader"].read(t, other)

	// Who was denied what, who has read what and why, is in the ledger.
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	read, err := m.store.Audits(t.Context(), store.AuditFilter{Noun: "transcripts", Actor: "member:reader", Decision: ledger.Allowed})
	if err != nil || len(read) != 3 {
		t.Fatalf("%d entries of what the reader has read, %v", len(read), err)
	}
	if a := &read[0]; a.Action != "read_transcript" || a.Name != other || string(a.After) != `{"reason":"ticket 4711"}` {
		t.Errorf("the audit has %+v", a)
	}
	denied, err := m.store.Audits(t.Context(), store.AuditFilter{Noun: "transcripts", Actor: "member:auditor", Decision: ledger.Refused})
	if err != nil || len(denied) != 3 {
		t.Errorf("%d entries of what the auditor was denied, %v", len(denied), err)
	}

	// A commitment is in the ledger, and anyone can make it again of what is read.
	line := func(s string) string { x := sha256.Sum256([]byte(s)); return hex.EncodeToString(x[:]) }
	sum := "sha256:" + line(doc.Call+"\n"+doc.Salt+"\n"+line(doc.Request.Text)+"\n"+line(doc.Answer.Text)+"\n")
	kept0, err := m.store.Audits(t.Context(), store.AuditFilter{Noun: "transcripts", Actor: "plenum", Project: "web"})
	if err != nil || doc.Commitment != sum || !strings.Contains(fmt.Sprint(entries(kept0)), fmt.Sprintf("%q:%q", other, sum)) {
		t.Errorf("the ledger has %v, want %s of %s; %v", entries(kept0), sum, other, err)
	}

	// Those of a member are deleted by who may not read them, and the chain holds.
	if v := who["admin"].must(t, 200, "POST", "/transcripts:delete?dry_run=true", `{"member":"ann@example.com"}`); v["deleted"] != 2.0 {
		t.Errorf("tried: %v", v)
	}
	who["admin"].must(t, 422, "POST", "/transcripts:delete", `{}`)
	who["developer"].must(t, 403, "POST", "/transcripts:delete", `{"project":"web"}`)
	who["reader"].must(t, 403, "DELETE", "/transcripts/"+lab, "")
	if v := who["admin"].must(t, 200, "POST", "/transcripts:delete", `{"member":"ann@example.com"}`); v["deleted"] != 2.0 {
		t.Errorf("deleted: %v", v)
	}
	who["reader"].must(t, 404, "GET", "/transcripts/"+web+reason, "")
	m.transcripts(t, 1)
	who["owner"].must(t, 204, "DELETE", "/transcripts/"+lab, "")
	who["owner"].must(t, 404, "DELETE", "/transcripts/"+lab, "")
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := proof.Export(t.Context(), &b, m.store, 1); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), sum[len("sha256:"):]) || strings.Contains(b.String(), "of web") {
		t.Error("the export is without the commitment, or has what was said")
	}
	if rep, err := proof.Verify(&b, proof.Options{}); err != nil || len(rep.Findings) > 0 {
		t.Errorf("after transcripts were deleted: %+v, %v", rep, err)
	}
}

// entries are what entries of the audit have after.
func entries(as []ledger.Audit) (out []string) {
	for i := range as {
		out = append(out, string(as[i].After))
	}
	return out
}

func TestATranscriptThatWasChangedIsNotShown(t *testing.T) {
	m := manage(t, fmt.Sprintf(transcribed, talker(t).URL))
	if status, text := m.ask(t, "POST", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"yes"}]}`, "Authorization", "Bearer the-key-of-project-web"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	call := m.transcripts(t, 1)[0].Call
	was, err := m.store.Transcript(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	is := bytes.Replace(was.Body, []byte("yes"), []byte("no!"), 1)
	if err := m.store.ReplaceTranscript(t.Context(), call, was.Body, is); err != nil {
		t.Fatal(err)
	}
	reader := m.roles(t, map[string]string{"reader": `{"role":"reader"}`})["reader"]
	if status, v := reader.do(t, "GET", "/transcripts/"+call+"?reason=looking", ""); status != 500 || v["code"] != "changed" {
		t.Errorf("what was changed in the store: %d %v", status, v)
	}
}

func TestTranscriptsGoWhenTheirRetentionIsOver(t *testing.T) {
	m := manage(t, fmt.Sprintf(strings.Replace(transcribed, "{name: lab, content: {", "{name: lab, content: {retention: 24h, ", 1), talker(t).URL))
	now := time.Now()
	age := func(call, project string, age time.Duration) store.Transcript {
		return store.Transcript{Call: call, Project: project, Start: now.Add(-age).UnixMicro(), Body: []byte("{}")}
	}
	if err := m.store.PutTranscripts(t.Context(), []store.Transcript{
		age("web-old", "web", 721*time.Hour), age("web-new", "web", 719*time.Hour), age("lab-old", "lab", 25*time.Hour),
		age("lab-new", "lab", 23*time.Hour), age("gone-old", "gone", 721*time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	if err := m.Node.transcripts.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := m.transcripts(t, 2)
	if left[0].Call != "web-new" || left[1].Call != "lab-new" {
		t.Errorf("left are %+v", left)
	}
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	told, err := m.store.Audits(t.Context(), store.AuditFilter{Noun: "transcripts"})
	if err != nil || len(told) != 2 || !strings.Contains(fmt.Sprint(entries(told)), `"deleted":2`) {
		t.Errorf("the ledger has %v, %v", entries(told), err)
	}
}

// keepsTranscripts is store.Transcripts by a name that none of its methods has.
type keepsTranscripts = store.Transcripts

// away is a store that takes no transcripts while it is away.
type away struct {
	keepsTranscripts
	is atomic.Bool
}

func (a *away) PutTranscripts(ctx context.Context, ts []store.Transcript) error {
	if a.is.Load() {
		return errors.New("the store is away")
	}
	return a.keepsTranscripts.PutTranscripts(ctx, ts)
}

func TestTranscriptsWaitForAStoreThatIsAwayAndWhatIsDroppedIsTold(t *testing.T) {
	m := manage(t, fmt.Sprintf(strings.Replace(transcribed, ", redact: [keys]}", "}", 1), talker(t).URL)) // looking through 75 MB takes long
	gone := &away{keepsTranscripts: m.store}
	gone.is.Store(true)
	k := transcript.New(gone, m.ledger, m.current.Load, clock.Real, slog.New(slog.DiscardHandler))
	run, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(run) }()
	n := 0
	end := func(size int) {
		n++
		c := &gateway.Call{Config: m.current.Load(), Trail: gateway.NewTrail(fmt.Sprint("call-", n), time.Now())}
		c.Trail.Record.Project = "web"
		said := gateway.Words{Media: "text/plain", Bytes: bytes.Repeat([]byte("x"), size), Size: size}
		k.Keep(c, &gateway.Heard{Asked: said})
	}
	for range 3 {
		end(25 << 20)
	}
	if c := k.Counts(); c.Dropped != 1 || c.Kept != 0 {
		t.Errorf("of 75 MB while the store is away: %+v", c)
	}
	gone.is.Store(false)
	end(1)
	m.transcripts(t, 3)
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	if err := m.ledger.Drain(t.Context(), m.store); err != nil {
		t.Fatal(err)
	}
	told, err := m.store.Audits(t.Context(), store.AuditFilter{Noun: "transcripts", Project: "web"})
	all := fmt.Sprint(entries(told))
	if err != nil || strings.Count(all, `"dropped":1`) != 1 || strings.Count(all, "sha256:") != 3 {
		t.Errorf("the ledger has %s, %v", all, err)
	}
}
