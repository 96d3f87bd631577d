package admin

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/transcript"
)

// Transcript is what is told of a transcript without reading it.
type Transcript struct {
	Call       string    `json:"call"`
	Project    string    `json:"project"`
	KeyID      string    `json:"key_id"`
	Member     string    `json:"member,omitempty"`
	Deployment string    `json:"deployment,omitempty"`
	Start      time.Time `json:"start"`
	Bytes      int64     `json:"bytes"` // of what was asked and answered, as it went over the wire
	Commitment string    `json:"commitment"`
}

// deletion says which transcripts are to be deleted. What is left out chooses all.
type deletion struct {
	Project    string     `json:"project,omitempty"`
	Key        string     `json:"key,omitempty"`
	Member     string     `json:"member,omitempty"`
	Deployment string     `json:"deployment,omitempty"`
	From       *time.Time `json:"from,omitempty"`
	To         *time.Time `json:"to,omitempty"`
	All        bool       `json:"all,omitempty"`
}

// deleted is how many transcripts were deleted.
type deleted struct {
	Deleted int64 `json:"deleted"`
}

func (s *Server) transcripts() []*operation {
	text := map[string]any{"type": "string"}
	when := map[string]any{"type": "string", "format": "date-time"}
	dry := param{"dry_run", "Only count them.", map[string]any{"type": "boolean"}}
	reason := map[string]any{"type": "string", "minLength": leastReason, "maxLength": mostReason}
	return []*operation{
		{
			method: http.MethodGet, path: "/transcripts", id: "list_transcripts", summary: "List the calls of which what was asked and answered is kept, the latest first", noun: transcripts, verb: read,
			query: pages(
				param{"project", "Only of this project.", text}, param{"key", "Only of the key of this id.", text},
				param{"member", "Only of keys of this member.", text}, param{"deployment", "Only of this deployment.", text},
				param{"from", "Only what began at this time (RFC 3339) or after.", when}, param{"to", "Only what began before this time.", when},
			),
			answers: map[int]map[string]any{http.StatusOK: listSchema(schemaOf(reflect.TypeFor[Transcript]()))}, serve: s.listTranscripts,
		},
		{
			method: http.MethodGet, path: "/transcripts/{name}", id: "read_transcript", summary: "Read what was asked and answered in a call, which is written down with the reason", noun: transcripts, verb: read,
			query:   []param{{"reason", "Why it is read, for the audit: at least three letters.", reason}},
			answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[transcript.Document]())}, tells: tellReason, serve: s.readTranscript,
		},
		{
			method: http.MethodDelete, path: "/transcripts/{name}", id: "delete_transcript", summary: "Delete what was asked and answered in a call; the record of the call stays", noun: transcripts, verb: write,
			answers: map[int]map[string]any{http.StatusNoContent: nil}, serve: s.deleteTranscript,
		},
		{
			method: http.MethodPost, path: "/transcripts:delete", id: "delete_transcripts", summary: "Delete all transcripts of a project, a key, a member, a deployment or a time", noun: transcripts, verb: write,
			query: []param{dry}, body: schemaOf(reflect.TypeFor[deletion]()),
			answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[deleted]())}, serve: s.deleteTranscripts,
		},
	}
}

// The bounds of a reason, in bytes.
const (
	leastReason = 3
	mostReason  = 500
)

// tellReason notes why a transcript is read, before it is.
func tellReason(q *request) error {
	why := strings.TrimSpace(query(q.Request, "reason"))
	if len(why) < leastReason || len(why) > mostReason {
		return fail(http.StatusBadRequest, "reason_missing", "say why it is read, as reason in the query, in 3 to 500 bytes: it is written down with who reads it")
	}
	q.entry.After = asJSON(map[string]string{"reason": why})
	return nil
}

func noTranscript() *Problem {
	return fail(http.StatusNotFound, "not_found", "there is no transcript of that call: its project does not have its calls kept, it is deleted, or it comes in a second")
}

func (s *Server) listTranscripts(q *request) (reply, error) {
	limit, after, err := pageOf(q)
	if err != nil {
		return reply{}, err
	}
	f := store.TranscriptFilter{KeyID: query(q.Request, "key"), Member: query(q.Request, "member"), Deployment: query(q.Request, "deployment"), Limit: limit + 1}
	if f.Project, err = project(q); err != nil {
		return reply{}, err
	}
	if f.From, f.To, err = window(q); err != nil {
		return reply{}, err
	}
	if f.Before, f.BeforeID, err = moment(after); err != nil {
		return reply{}, err
	}
	kept, err := s.store.Transcripts(q.Context(), f)
	if err != nil {
		return reply{}, err
	}
	shown := make([]Transcript, len(kept))
	for i := range kept {
		t := &kept[i]
		shown[i] = Transcript{t.Call, t.Project, t.KeyID, t.Member, t.Deployment, time.UnixMicro(t.Start).UTC(), t.Size, t.Sum}
	}
	return latest(shown, limit, func(t *Transcript) (int64, string) { return t.Start.UnixMicro(), t.Call }), nil
}

// keptTranscript returns the transcript that a request names, where its project is the actor's business.
func (s *Server) keptTranscript(q *request) (store.Transcript, error) {
	t, err := s.store.Transcript(q.Context(), q.PathValue("name"))
	if errors.Is(err, store.ErrNotFound) || err == nil && !q.reach.covers(t.Project) {
		return t, noTranscript()
	}
	return t, err
}

func (s *Server) readTranscript(q *request) (reply, error) {
	t, err := s.keptTranscript(q)
	q.entry.Project = t.Project
	if err != nil {
		return reply{}, err
	}
	d, err := transcript.Read(t.Body, t.Sum)
	if err != nil {
		p := fail(http.StatusInternalServerError, "changed", "the transcript is not the one that was kept: compare the ledger")
		p.cause = err
		return reply{}, p
	}
	return reply{status: http.StatusOK, body: d}, nil
}

func (s *Server) deleteTranscript(q *request) (reply, error) {
	t, err := s.keptTranscript(q)
	if err != nil {
		return reply{}, err
	}
	q.entry.Project = t.Project
	if _, err := s.store.DeleteTranscripts(q.Context(), store.TranscriptFilter{Call: q.PathValue("name")}); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// atOnce is how many transcripts are deleted in one step: nobody else waits long for the store.
const atOnce = 1000

func (s *Server) deleteTranscripts(q *request) (reply, error) {
	var d deletion
	if err := strict(q.body, &d); err != nil {
		return reply{}, err
	}
	if d == (deletion{}) {
		return reply{}, Invalid("project", "say whose transcripts: project, key, member, deployment, from or to, or all: true")
	}
	if d.From != nil && d.To != nil && !d.From.Before(*d.To) {
		return reply{}, Invalid("to", "is not after from")
	}
	f := store.TranscriptFilter{KeyID: d.Key, Member: d.Member, Deployment: d.Deployment}
	var err error
	if f.Project, err = q.within(d.Project); err != nil {
		return reply{}, err
	}
	if d.From != nil {
		f.From = d.From.UnixMicro()
	}
	if d.To != nil {
		f.To = d.To.UnixMicro()
	}
	var out deleted
	if q.dry {
		out.Deleted, err = s.store.CountTranscripts(q.Context(), f)
		return reply{status: http.StatusOK, body: out}, err
	}
	f.Limit = atOnce
	for {
		n, err := s.store.DeleteTranscripts(q.Context(), f)
		out.Deleted += n
		q.entry.After = asJSON(map[string]any{"asked": d, "deleted": out.Deleted})
		if err != nil {
			return reply{}, err
		}
		if n < atOnce {
			return reply{status: http.StatusOK, body: out}, nil
		}
	}
}
