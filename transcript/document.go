package transcript

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/redact"
)

// Document is a transcript as it is read: whose call it was, what was asked, and what was answered.
type Document struct {
	Call       string `json:"call"`
	Project    string `json:"project"`
	KeyID      string `json:"key_id"`
	Member     string `json:"member,omitempty"`
	Deployment string `json:"deployment,omitempty"`
	Start      int64  `json:"start_us"` // Unix microseconds
	Op         llm.Op `json:"operation"`
	Dialect    string `json:"dialect"`
	Path       string `json:"path"`
	Status     int    `json:"status"`
	Outcome    string `json:"outcome"`
	Request    Part   `json:"request"`
	Answer     Part   `json:"answer"`
	Salt       string `json:"salt"` // of the commitment
	// Commitment is what the ledger has of it; see [Document.Commit].
	Commitment string `json:"commitment"`
}

// Part is one side of what was said, in the caller's dialect. It has Text, or Base64 where it is none, or says by Omitted why
// it has neither.
type Part struct {
	Media    string `json:"media,omitempty"`
	Bytes    int    `json:"bytes"` // as they went over the wire
	Text     string `json:"text,omitempty"`
	Base64   []byte `json:"base64,omitempty"`
	Folded   bool   `json:"folded,omitempty"`   // a stream, said as a whole answer
	Redacted bool   `json:"redacted,omitempty"` // something was taken out of it
	Omitted  string `json:"omitted,omitempty"`
}

// sum returns the SHA-256 of what is kept, in hexadecimal.
func (p *Part) sum() string {
	b := p.Base64
	if b == nil {
		b = []byte(p.Text)
	}
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Commit returns what the ledger has of a document: the SHA-256 of four lines, which are the call's id, the salt, and the
// SHA-256 of each side as it is kept. Nobody can guess from it what was said, for the salt is only in the document; and
// nobody can put other words in the place of those that were kept.
func (d *Document) Commit() string {
	s := sha256.Sum256([]byte(d.Call + "\n" + d.Salt + "\n" + d.Request.sum() + "\n" + d.Answer.sum() + "\n"))
	return "sha256:" + hex.EncodeToString(s[:])
}

// item is a call whose transcript is to be kept.
type item struct {
	doc      Document
	asked    gateway.Words
	answered gateway.Words
	redactor *redact.Redactor
	row      row
}

func (i *item) size() int { return len(i.asked.Bytes) + len(i.answered.Bytes) + itemSize }

// itemSize is about what an item takes beside what was said.
const itemSize = 1 << 10

// itemOf takes of a call that has ended what there is to keep.
func itemOf(c *gateway.Call, h *gateway.Heard) *item {
	r := c.Trail.Snapshot()
	red, _ := c.Config.RedactorOf(r.Project).(*redact.Redactor)
	return &item{
		doc: Document{
			Call: r.ID, Project: r.Project, KeyID: r.KeyID, Member: r.Member, Deployment: r.Deployment, Start: r.Start,
			Op: r.Op, Dialect: r.Dialect, Path: r.Path, Status: r.Status, Outcome: string(r.Outcome),
		},
		asked: h.Asked, answered: h.Answered, redactor: red,
	}
}

// write makes the document, redacted and committed to.
func (i *item) write() ([]byte, error) {
	d := &i.doc
	d.Request, d.Answer = part(&i.asked, i.redactor), part(&i.answered, i.redactor)
	d.Salt = rand.Text()
	d.Commitment = d.Commit()
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("writing the transcript of %s: %w", d.Call, err)
	}
	return b, nil
}

// part makes of words what is kept of them.
func part(w *gateway.Words, r *redact.Redactor) Part {
	p := Part{Media: w.Media, Bytes: w.Size, Folded: w.Folded, Omitted: w.Failed}
	switch {
	case p.Omitted != "":
	case w.Bytes == nil && w.Size > 0:
		p.Omitted = "it is larger than content.call_bytes"
	case r == nil && utf8.Valid(w.Bytes):
		p.Text = string(w.Bytes)
	case r == nil:
		p.Base64 = w.Bytes
	default:
		p.redact(w.Bytes, r)
	}
	return p
}

// redact keeps what is left. Of what cannot be read nothing is: what is to be taken out may be anywhere in it.
func (p *Part) redact(b []byte, r *redact.Redactor) {
	media, _, err := mime.ParseMediaType(p.Media)
	if len(b) > 0 && b[0] == '{' || b != nil && media == "application/json" {
		if clean, err := r.JSON(b, redact.Mechanical); err == nil {
			p.Text, p.Redacted = string(clean), string(clean) != string(b)
			return
		}
	}
	if (err == nil && strings.HasPrefix(media, "text/") && media != "text/event-stream" || len(b) == 0) && media != dialect.NDJSON && utf8.Valid(b) {
		text, n := r.Text(string(b))
		p.Text, p.Redacted = text, n > 0
		return
	}
	p.Omitted = "it is no text that can be redacted"
}

// Read returns the document in a body that was kept, and an error where it is not what was committed to.
func Read(body []byte, committed string) (*Document, error) {
	d := &Document{}
	if err := json.Unmarshal(body, d); err != nil {
		return nil, fmt.Errorf("reading a transcript: %w", err)
	}
	if is := d.Commit(); is != committed || is != d.Commitment {
		return nil, fmt.Errorf("the transcript of %s is not what was kept: it comes to %s and not %s", d.Call, is, committed)
	}
	return d, nil
}
