package batch

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// create makes a batch. It is run later, by whichever node takes it.
func (e *Engine) create(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	if err := c.Load(); err != nil {
		return err
	}
	b := &Batch{}
	b.Dialect, b.Caller, b.Status, b.Created = wordsOf(c), c.Caller, validating, e.now()
	read := e.readOpenAI
	switch {
	case b.anthropic():
		read = e.readAnthropic
	case b.mistral():
		read = e.readMistral
	}
	if err := read(ctx, c, b); err != nil {
		return unavailable(err)
	}
	o := store.Object{ID: b.ID, Kind: Kind, Project: c.Caller.Project, KeyID: c.Caller.KeyID, Member: c.Caller.Member, Label: b.Dialect, Created: b.Created}
	err := b.keepIn(&o)
	if err == nil {
		err = e.store.CreateObject(ctx, o)
	}
	if err != nil {
		return unavailable(err)
	}
	e.nudge()
	return e.say(c, out, b)
}

// readOpenAI reads what OpenAI's batches are made of.
func (e *Engine) readOpenAI(ctx context.Context, c *gateway.Call, b *Batch) error {
	var q struct {
		Input    string            `json:"input_file_id"`
		Endpoint string            `json:"endpoint"`
		Window   string            `json:"completion_window"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(c.In.Body, &q); err != nil {
		return invalid("", "the body is not a JSON object with input_file_id, endpoint and completion_window")
	}
	window, err := time.ParseDuration(q.Window)
	switch {
	case !slices.Contains(endpoints(), q.Endpoint):
		return invalid("endpoint", "endpoint must be one of "+strings.Join(endpoints(), ", "))
	case err != nil || window < time.Minute || window > 30*24*time.Hour:
		return invalid("completion_window", "completion_window is a time such as 24h, at most 720h")
	case len(q.Metadata) > 16:
		return invalid("metadata", "metadata has at most 16 entries")
	case q.Input == "":
		return invalid("input_file_id", "input_file_id is missing")
	}
	if _, r := route(e.dialects, q.Endpoint); r == nil {
		return invalid("endpoint", "nothing answers at "+q.Endpoint+" here")
	}
	f, err := e.files.Find(ctx, c.Caller, q.Input)
	if err != nil {
		return err
	}
	if f.Purpose != "batch" {
		return invalid("input_file_id", fmt.Sprintf("the file %s was uploaded for %q and not for a batch", f.ID, f.Purpose))
	}
	b.ID = "batch_" + strings.ToLower(rand.Text())
	b.Input, b.Endpoint, b.Window, b.Metadata = f.ID, q.Endpoint, q.Window, q.Metadata
	b.Expires = b.Created + window.Milliseconds()
	return nil
}

// readAnthropic reads a message batch and keeps its requests, a line each.
func (e *Engine) readAnthropic(ctx context.Context, c *gateway.Call, b *Batch) error {
	var q struct {
		Requests []json.RawMessage `json:"requests"`
	}
	if err := json.Unmarshal(c.In.Body, &q); err != nil {
		return invalid("", "the body is not a JSON object with requests")
	}
	switch n := len(q.Requests); {
	case n == 0:
		return invalid("requests", "requests has at least one request")
	case n > mostLines:
		return invalid("requests", fmt.Sprintf("requests has at most %d requests", mostLines))
	}
	seen := map[string]bool{}
	var text bytes.Buffer
	for i, r := range q.Requests {
		var l struct {
			CustomID string `json:"custom_id"`
		}
		param := "requests." + strconv.Itoa(i) + ".custom_id"
		switch err := json.Unmarshal(r, &l); {
		case err != nil || l.CustomID == "" || len(l.CustomID) > nameBytes:
			return invalid(param, param+": a request has a custom_id, and params")
		case seen[l.CustomID]:
			return invalid(param, param+": it is that of another request as well")
		}
		seen[l.CustomID] = true
		if err := json.Compact(&text, r); err != nil {
			return invalid("requests", "requests cannot be read")
		}
		text.WriteByte('\n')
	}
	b.ID = "msgbatch_" + strings.ToLower(rand.Text())
	b.Input, b.Endpoint, b.Total, b.Status = b.ID+".requests", "/v1/messages", len(q.Requests), inProgress
	b.Expires = b.Created + (24 * time.Hour).Milliseconds()
	if err := e.room(ctx, c, int64(text.Len())); err != nil {
		return err
	}
	return e.putPart(ctx, b, b.Input, &text)
}

// room refuses what would make a project's files larger than they may be.
func (e *Engine) room(ctx context.Context, c *gateway.Call, n int64) error {
	if c.Config == nil || c.Config.Declared == nil {
		return nil
	}
	used, err := e.store.ObjectsSize(ctx, c.Caller.Project)
	if total := int64(c.Config.Declared.Files.MaxTotal); err == nil && total > 0 && used+n > total {
		return &llm.Error{Kind: llm.Quota, Op: "batch", Code: "storage_full", Message: fmt.Sprintf("the files of this project would be larger than %d bytes (files.max_total); delete some", total)}
	}
	return err
}

func (e *Engine) get(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	b, err := e.find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	if wordsOf(c) == mistralWords && wantsInline(c) {
		return e.sayInline(ctx, c, out, b)
	}
	return e.say(c, out, b)
}

// cancel stops a batch: no further line is begun, and those under way are answered.
func (e *Engine) cancel(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	b, err := e.find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	if b.Status.over() && !b.anthropic() && !b.mistral() {
		return &llm.Error{Kind: llm.Conflict, Op: "batch", Message: fmt.Sprintf("the batch is %s and cannot be cancelled", b.Status)}
	}
	if b, err = e.change(ctx, b.ID, func(b *Batch) error {
		if b.Status == validating || b.Status == inProgress {
			b.Status, b.Cancelling = cancelling, e.now()
		}
		return nil
	}); err != nil {
		return unavailable(err)
	}
	e.mu.Lock()
	if r := e.running[b.ID]; r != nil {
		r.stopped.Store(true)
	}
	e.mu.Unlock()
	e.nudge()
	if err := e.count(ctx, b); err != nil {
		return err
	}
	return e.say(c, out, b)
}

// delete forgets a message batch that has ended.
func (e *Engine) delete(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	b, err := e.find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	if !b.Status.over() {
		return invalid("id", "the batch has not ended; cancel it first")
	}
	for _, id := range [...]string{b.ID + ".requests", b.ID + ".results", b.ID} {
		if err := e.store.DeleteObject(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return unavailable(err)
		}
	}
	if wordsOf(c) == mistralWords {
		return sayJSON(c, out, map[string]any{"id": b.ID, "object": "batch", "deleted": true})
	}
	return sayJSON(c, out, map[string]any{"id": b.ID, "type": "message_batch_deleted"})
}

// results sends what a message batch came to.
func (e *Engine) results(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	b, err := e.find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	if !b.Status.over() || b.Output == "" {
		return &llm.Error{Kind: llm.NotFound, Op: "batch", Message: "the batch has no results yet; its processing_status says ended when it has"}
	}
	r, err := e.store.Content(ctx, b.Output)
	if errors.Is(err, store.ErrNotFound) {
		return &llm.Error{Kind: llm.NotFound, Op: "batch", Message: "the results are not kept any more: they are for 30 days"}
	}
	if err != nil {
		return unavailable(err)
	}
	defer r.Close()
	return gateway.SendPieces(out, gateway.Head{Status: http.StatusOK, Header: http.Header{
		"Content-Type": {"application/x-jsonl"}, "X-Content-Type-Options": {"nosniff"},
	}}, r)
}

// list tells the batches of a project in the caller's words, page by page.
func (e *Engine) list(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	words := wordsOf(c)
	anthropic := words == "anthropic"
	q, err := url.ParseQuery(c.In.RawQuery)
	if err != nil {
		return invalid("", "the query cannot be read")
	}
	if words == mistralWords {
		return e.listMistral(ctx, c, out, q)
	}
	page, err := file.PageOf(q, anthropic, 100)
	if err != nil {
		return err
	}
	if !anthropic && q.Get("limit") == "" {
		page.Limit = 20
	}
	found, more, err := page.Read(ctx, e.store, store.ObjectFilter{Kind: Kind, Project: c.Caller.Project, Label: words})
	if err != nil {
		return unavailable(err)
	}
	data, err := e.saidAll(ctx, c, found)
	if err != nil {
		return err
	}
	return sayJSON(c, out, file.Listed(anthropic, data, found, more))
}

// saidAll returns batches in the words of the caller.
func (e *Engine) saidAll(ctx context.Context, c *gateway.Call, found []store.Object) ([]any, error) {
	data := make([]any, 0, len(found))
	for i := range found {
		b, err := batchOf(&found[i])
		if err == nil && !b.Status.over() {
			err = e.count(ctx, b)
		}
		if err != nil {
			return nil, unavailable(err)
		}
		data = append(data, said(c, b))
	}
	return data, nil
}

func (e *Engine) say(c *gateway.Call, out gateway.Out, b *Batch) error {
	return sayJSON(c, out, said(c, b))
}

func sayJSON(c *gateway.Call, out gateway.Out, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return gateway.SendJSON(c, out, http.StatusOK, body)
}

// said returns a batch in the words of the caller.
func said(c *gateway.Call, b *Batch) any {
	switch wordsOf(c) {
	case "anthropic":
		return saidAnthropic(b)
	case mistralWords:
		return saidMistral(b)
	}
	return saidOpenAI(b)
}

// saidOpenAI says a batch as OpenAI does.
func saidOpenAI(b *Batch) map[string]any {
	v := map[string]any{
		"id": b.ID, "object": "batch", "endpoint": b.Endpoint, "errors": nil, "input_file_id": b.Input, "completion_window": b.Window,
		"status": b.Status, "output_file_id": orNull(b.Output), "error_file_id": orNull(b.Errors), "created_at": b.Created / 1000,
		"in_progress_at": seconds(b.Started), "expires_at": b.Expires / 1000, "finalizing_at": seconds(b.Finalizing),
		"cancelling_at": seconds(b.Cancelling), "metadata": b.Metadata,
		"request_counts": map[string]int{"total": b.Total, "completed": b.Done, "failed": b.Failed},
	}
	for name, status := range map[string]Status{"completed_at": completed, "failed_at": failed, "expired_at": expired, "cancelled_at": cancelled} {
		v[name] = nil
		if b.Status == status {
			v[name] = seconds(b.Ended)
		}
	}
	if len(b.Faults) > 0 {
		v["errors"] = map[string]any{"object": "list", "data": b.Faults}
	}
	return v
}

// saidAnthropic says a batch as Anthropic does.
func saidAnthropic(b *Batch) map[string]any {
	status, void := "in_progress", map[string]int{}
	switch {
	case b.Status.over():
		status = "ended"
		if b.Status == cancelled {
			void["canceled"] = b.Void
		} else {
			void["expired"] = b.Void
		}
	case b.Status == cancelling:
		status = "canceling"
	}
	processing := b.Total - b.Done - b.Failed
	if status == "ended" {
		processing = 0
	}
	v := map[string]any{
		"id": b.ID, "type": "message_batch", "processing_status": status, "created_at": stamp(b.Created), "expires_at": stamp(b.Expires),
		"ended_at": nil, "cancel_initiated_at": nil, "archived_at": nil, "results_url": nil,
		"request_counts": map[string]int{
			"processing": processing, "succeeded": b.Done, "errored": b.Failed - b.Void, "canceled": void["canceled"], "expired": void["expired"],
		},
	}
	if status == "ended" {
		v["ended_at"], v["results_url"] = stamp(b.Ended), "/v1/messages/batches/"+b.ID+"/results" // below the base URL that the caller uses
	}
	if b.Cancelling > 0 {
		v["cancel_initiated_at"] = stamp(b.Cancelling)
	}
	return v
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func seconds(ms int64) any {
	if ms == 0 {
		return nil
	}
	return ms / 1000
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
