package batch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/splice"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// mistralWords says that a batch is spoken of as Mistral does: a job of input files, or of requests that it brings
// along, all of one model.
const mistralWords = "mistral"

// readMistral reads a job, and keeps the requests that it brings along, a line each.
func (e *Engine) readMistral(ctx context.Context, c *gateway.Call, b *Batch) error {
	var q struct {
		Files    []string          `json:"input_files"`
		Requests []json.RawMessage `json:"requests"`
		Endpoint string            `json:"endpoint"`
		Model    string            `json:"model"`
		Agent    string            `json:"agent_id"`
		Metadata map[string]string `json:"metadata"`
		Hours    *float64          `json:"timeout_hours"`
	}
	if err := json.Unmarshal(c.In.Body, &q); err != nil {
		return invalid("", "the body is not a JSON object with endpoint, model, and input_files or requests")
	}
	hours := 24.0
	if q.Hours != nil {
		hours = *q.Hours
	}
	known := append(endpoints(), "/v1/fim/completions")
	_, r := route(e.dialects, q.Endpoint)
	switch {
	case !slices.Contains(known, q.Endpoint) || r == nil:
		return invalid("endpoint", "endpoint must be one of "+strings.Join(known, ", "))
	case q.Agent != "":
		return invalid("agent_id", "an agent at a vendor cannot be asked in a batch here: name a deployment in model")
	case hours < 1 || hours > 720 || math.IsNaN(hours):
		return invalid("timeout_hours", "timeout_hours is a number from 1 to 720")
	case len(q.Metadata) > 16:
		return invalid("metadata", "metadata has at most 16 entries")
	case (len(q.Files) == 0) == (len(q.Requests) == 0):
		return invalid("input_files", "a job has either input_files or requests")
	case len(q.Files) > 1:
		return invalid("input_files", "a job has one input file here: put the lines of the others into it, or make a job of each")
	case len(q.Requests) > 10_000:
		return invalid("requests", "requests has at most 10000 requests; upload a file for more")
	}
	b.ID = "batch_" + strings.ToLower(rand.Text())
	b.Endpoint, b.Model, b.Metadata, b.Window = q.Endpoint, q.Model, q.Metadata, strconv.Itoa(int(hours))+"h"
	b.Expires = b.Created + int64(hours*float64(time.Hour.Milliseconds()))
	if len(q.Files) == 1 {
		return e.readMistralFile(ctx, c, b, q.Files[0])
	}
	var text bytes.Buffer
	for _, r := range q.Requests {
		if err := json.Compact(&text, r); err != nil {
			return invalid("requests", "requests cannot be read")
		}
		text.WriteByte('\n')
	}
	if err := e.room(ctx, c, int64(text.Len())); err != nil {
		return err
	}
	b.Input = b.ID + ".requests"
	return e.putPart(ctx, b, b.Input, &text)
}

func (e *Engine) readMistralFile(ctx context.Context, c *gateway.Call, b *Batch, id string) error {
	f, err := e.files.Find(ctx, c.Caller, id)
	if err != nil {
		return err
	}
	if f.Purpose != "batch" {
		return invalid("input_files", fmt.Sprintf("the file %s was uploaded for %q and not for a batch", f.ID, f.Purpose))
	}
	b.Input = f.ID
	return nil
}

// asMistral reads a line as Mistral has it: it may have no name, and no model, which is then the job's.
func (l *line) asMistral(j *job) {
	if l.name == "" {
		l.name = strconv.Itoa(l.n)
	}
	if j.Model == "" || !splice.IsObject(string(l.body)) {
		return
	}
	var found [1]splice.Member
	o, err := splice.Scan(l.body, splice.MaxDepth, []string{"model"}, found[:])
	if err != nil || found[0].Found() && !found[0].Value.IsNull(l.body) {
		return
	}
	ed := splice.NewEdit(l.body)
	if name, err := json.Marshal(j.Model); err != nil {
		return
	} else if found[0].Found() {
		ed.Set(found[0].Value, name)
	} else {
		ed.Insert(o.Span, "model", name)
	}
	if body, err := ed.Bytes(); err == nil {
		l.body = body
	}
}

// saidMistral says a batch as Mistral does.
func saidMistral(b *Batch) map[string]any {
	status := map[Status]string{
		validating: "QUEUED", inProgress: "RUNNING", finalizing: "RUNNING", completed: "SUCCESS", failed: "FAILED", expired: "TIMEOUT_EXCEEDED",
		cancelling: "CANCELLATION_REQUESTED", cancelled: "CANCELLED",
	}[b.Status]
	inputs, faults := []string{}, []any{}
	if !strings.HasSuffix(b.Input, ".requests") {
		inputs = append(inputs, b.Input)
	}
	for _, f := range b.Faults {
		faults = append(faults, map[string]any{"message": f.Message, "count": 1})
	}
	return map[string]any{
		"id": b.ID, "object": "batch", "input_files": inputs, "metadata": b.Metadata, "endpoint": b.Endpoint, "model": orNull(b.Model), "agent_id": nil,
		"output_file": orNull(b.Output), "error_file": orNull(b.Errors), "errors": faults, "outputs": nil, "status": status,
		"created_at": b.Created / 1000, "started_at": seconds(b.Started), "completed_at": seconds(b.Ended),
		"total_requests": b.Total, "completed_requests": b.Done + b.Failed, "succeeded_requests": b.Done, "failed_requests": b.Failed,
	}
}

// listMistral tells the jobs of a project, a numbered page at a time.
func (e *Engine) listMistral(ctx context.Context, c *gateway.Call, out gateway.Out, q url.Values) error {
	page, size := 0, 100
	for name, to := range map[string]*int{"page": &page, "page_size": &size} {
		if v := q.Get(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > mostListed {
				return invalid(name, fmt.Sprintf("%s is a number from 0 to %d", name, mostListed))
			}
			*to = n
		}
	}
	found, err := e.store.Objects(ctx, store.ObjectFilter{Kind: Kind, Project: c.Caller.Project, Label: mistralWords, Limit: mostListed})
	if err != nil {
		return unavailable(err)
	}
	total := len(found)
	from := min(page*size, total)
	data, err := e.saidAll(ctx, c, found[from:min(from+size, total)])
	if err != nil {
		return err
	}
	return sayJSON(c, out, map[string]any{"object": "list", "data": data, "total": total})
}

// mostListed is how many jobs are looked at for a list: numbered pages are counted from the newest.
const mostListed = 10_000

// wantsInline reports whether the outputs are wanted along with the job.
func wantsInline(c *gateway.Call) bool {
	q, err := url.ParseQuery(c.In.RawQuery)
	yes, _ := strconv.ParseBool(q.Get("inline"))
	return err == nil && yes
}

// mostInline is how much of an output is told along with a job.
const mostInline = 16 << 20

// sayInline says a job with what it came to.
func (e *Engine) sayInline(ctx context.Context, c *gateway.Call, out gateway.Out, b *Batch) error {
	v := saidMistral(b)
	outputs := []json.RawMessage{}
	size := 0
	for _, id := range [...]string{b.Output, b.Errors} {
		if id == "" {
			continue
		}
		r, err := e.store.Content(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // it is kept no longer
		}
		if err != nil {
			return unavailable(err)
		}
		in := bufio.NewReader(r)
		for err == nil {
			var text []byte
			text, err = readLine(in)
			if size += len(text); size > mostInline {
				_ = r.Close()
				return &llm.Error{Kind: llm.TooLarge, Op: "batch", Param: "inline", Message: "the outputs are larger than 16 MiB: fetch the files output_file and error_file"}
			}
			if text = bytes.TrimSpace(text); len(text) > 0 {
				outputs = append(outputs, text)
			}
		}
		_ = r.Close()
		if !errors.Is(err, io.EOF) {
			return unavailable(err)
		}
	}
	if b.Status.over() {
		v["outputs"] = outputs
	}
	return sayJSON(c, out, v)
}
