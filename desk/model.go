package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// trial is a conformance run that is going on.
type trial struct {
	desk    *Desk
	card    *Submission
	network string
	most    plenum.Micros // what it may cost
	spent   atomic.Int64  // micro-dollars
}

// model is a card's model as one check calls it: through the pipeline of every call, in a configuration that has
// nothing else, over a transport that keeps what passes.
type model struct {
	trial   *trial
	snap    *config.Snapshot
	target  plenum.Target
	heard   *recorder
	secrets []string
}

// change is what a check makes different of a card.
type change struct {
	upstream string // another model
	key      string // another value of every credential
}

func (t *trial) model(ch change) (*model, error) {
	s := *t.card
	if ch.upstream != "" {
		s.UpstreamModel = ch.upstream
	}
	m := &model{trial: t, heard: &recorder{}}
	if len(s.Credentials) > 0 {
		given := map[string]string{}
		for name, v := range s.Credentials {
			m.secrets = append(m.secrets, v)
			if given[name] = v; ch.key != "" {
				given[name] = ch.key
			}
		}
		s.Credentials = given
	}
	f := config.New()
	f.Keys = []config.Key{{Name: "desk", Project: "desk", Secret: plenum.NewSecret(rand.Text())}}
	var items []config.Item
	if s.Connection == "" {
		items = append(items, s.connection(t.network, "", func(v string) (string, error) { return v, nil }))
	} else if c, ok := t.desk.foundry.Snapshot().Connection(s.Connection); ok {
		own := c.Connection
		own.Terms = ""
		f.Connections = append(f.Connections, own)
		for _, v := range own.Credentials {
			m.secrets = append(m.secrets, v.Reveal())
		}
	}
	items = append(items, s.deployment("", nil, true))
	var shelf config.Shelf
	f, left := shelf.Put(f, items, 1)
	if len(left) > 0 {
		return nil, left
	}
	var err error
	m.snap, err = config.Compile(f, config.Options{
		Kinds: t.desk.foundry.Kinds(),
		MAC:   func(v plenum.Secret) [32]byte { return sha256.Sum256([]byte(v.Reveal())) },
		Connect: func(c *config.Connection) (any, error) {
			conn, err := t.desk.foundry.Connect(c)
			if err != nil {
				return nil, err
			}
			m.heard.under, conn.Transport = conn.Transport, m.heard
			return conn, nil
		},
	})
	if err != nil {
		return nil, err
	}
	m.target = m.snap.Deployments[0].Targets[0]
	return m, nil
}

func (m *model) close() {
	if c, ok := m.heard.under.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// caller is whom the calls are made for: a key that is nowhere else.
func (m *model) caller() plenum.Principal {
	return plenum.Principal{KeyID: "declared:desk", Project: "desk"}
}

// Run sends a call through the pipeline, under the configuration of this one model, and counts what it costs.
func (m *model) Run(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	c.Config = m.snap
	err := gateway.NewRunner(nil, m.trial.desk.pipeline).Run(ctx, c, out)
	r := c.Trail.Snapshot()
	m.trial.spent.Add(int64(r.Cost))
	return err
}

// ask sends a request of Chat Completions, and returns the answer.
func (m *model) ask(ctx context.Context, body map[string]any) (*answer, error) {
	body["model"] = m.trial.card.ID()
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	c, err := gateway.NewCall("desk:"+m.trial.card.ID(), m.caller(), m.trial.desk.chat, llm.OpGenerate, "/v1/chat/completions", b)
	if err != nil {
		return nil, err
	}
	c.Pin, c.Understand, c.Bare = &m.target, true, true
	a := &answer{fold: llm.NewFolder()}
	if err := m.Run(ctx, c, a); err != nil {
		return a, err
	}
	if a.got == nil {
		a.got = a.fold.Response()
	}
	return a, nil
}

// answer gathers what came.
type answer struct {
	head   gateway.Head
	fold   *llm.Folder
	got    *llm.Response
	pieces int // events that say something
}

// Begin notes how it comes.
func (a *answer) Begin(h gateway.Head) error {
	a.head = h
	return nil
}

// Chunk gathers a piece.
func (a *answer) Chunk(ch dialect.Chunk) error {
	if r, ok := ch.Result.(*llm.Response); ok {
		a.got = r
		return nil
	}
	for _, ev := range ch.Events {
		a.pieces++
		a.fold.Add(ev)
	}
	return nil
}

// text is what the answer says.
func (a *answer) text() string {
	var b strings.Builder
	if len(a.got.Choices) > 0 {
		for _, bl := range a.got.Choices[0].Blocks {
			if t, ok := bl.(llm.Text); ok {
				b.WriteString(t.Text)
			}
		}
	}
	return strings.TrimSpace(b.String())
}

// read and wrote are the tokens that the upstream reports.
func (a *answer) read() int64 {
	u := &a.got.Usage
	return u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h
}

func (a *answer) wrote() int64 { return a.got.Usage.Output + a.got.Usage.Reasoning }

// clip bounds what a report keeps of a request and of an answer.
const clip = 2 << 10

// recorder is a transport that keeps what passed last.
type recorder struct {
	under http.RoundTripper

	mu     sync.Mutex
	sent   string
	body   *capture
	status int
	kind   string
	came   *capture
}

// RoundTrip sends a request.
func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	out := *q
	sent := &capture{}
	if q.Body != nil {
		out.Body = sent.tee(q.Body)
	}
	r.mu.Lock()
	r.sent, r.body, r.came, r.status, r.kind = q.Method+" "+q.URL.Path, sent, nil, 0, ""
	r.mu.Unlock()
	resp, err := r.under.RoundTrip(&out)
	if err != nil {
		return nil, err
	}
	came := &capture{}
	resp.Body = came.tee(resp.Body)
	r.mu.Lock()
	r.status, r.kind, r.came = resp.StatusCode, resp.Header.Get("Content-Type"), came
	r.mu.Unlock()
	return resp, nil
}

// reply returns the status and the beginning of the last answer.
func (r *recorder) reply() (int, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.came == nil {
		return 0, nil
	}
	return r.status, r.came.bytes()
}

// last returns what was sent and what came last, without secrets.
func (r *recorder) last(secrets []string) (sent, came string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.body == nil {
		return "", ""
	}
	sent = r.sent + "\n" + string(r.body.bytes())
	if r.came != nil {
		came = fmt.Sprintf("%d %s\n%s", r.status, r.kind, r.came.bytes())
	}
	return hidden(sent, secrets), hidden(came, secrets)
}

// hidden takes secrets out of a text, and bounds it.
func hidden(s string, secrets []string) string {
	for _, v := range secrets {
		if v != "" {
			s = strings.ReplaceAll(s, v, "(secret)")
		}
	}
	s = strings.ToValidUTF8(s, "?")
	if len(s) > clip {
		s = strings.ToValidUTF8(s[:clip], "") + "..."
	}
	return s
}

// capture keeps the beginning of what is read.
type capture struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// mostKept is more than a report shows: an error's shape is read from it, and a secret that the clip would cut is found whole.
const mostKept = 16 << 10

func (c *capture) tee(body io.ReadCloser) io.ReadCloser { return &tee{body, c} }

func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.b.Bytes())
}

type tee struct {
	io.ReadCloser
	to *capture
}

// Read reads on.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.to.mu.Lock()
	if room := mostKept - t.to.b.Len(); room > 0 {
		t.to.b.Write(p[:min(n, room)])
	}
	t.to.mu.Unlock()
	return n, err
}

// moment is a time as a report has it.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
