package file

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// shape is whose words files are spoken of in.
type shape int

// The shapes.
const (
	openaiShape shape = iota
	anthropicShape
	mistralShape
)

func spoken(c *gateway.Call) shape {
	if c.Dialect.Name == "anthropic" {
		return anthropicShape
	}
	if strings.Contains(c.In.Header.Get("User-Agent"), "mistral-client-") {
		return mistralShape
	}
	return openaiShape
}

// openaiFile is a file as OpenAI says it.
type openaiFile struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Bytes     int64  `json:"bytes"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt *int64 `json:"expires_at,omitempty"`
	Filename  string `json:"filename"`
	Purpose   string `json:"purpose"`
	Status    string `json:"status"`
}

// mistralFile is a file as Mistral's clients expect it, which know OpenAI's members and some more.
type mistralFile struct {
	openaiFile
	SampleType string `json:"sample_type"`
	Source     string `json:"source"`
	Deleted    bool   `json:"deleted"`
}

// anthropicFile is a file as Anthropic says it.
type anthropicFile struct {
	ID           string `json:"id"`
	Type         string `json:"type"`
	Filename     string `json:"filename"`
	MimeType     string `json:"mime_type"`
	SizeBytes    int64  `json:"size_bytes"`
	CreatedAt    string `json:"created_at"`
	Downloadable bool   `json:"downloadable"`
}

// said returns a file in the caller's words.
func said(c *gateway.Call, f *File) any {
	if spoken(c) == anthropicShape {
		media := f.Media
		if media == "" {
			media = "application/octet-stream"
		}
		created := time.UnixMilli(f.Created).UTC().Format(time.RFC3339)
		return anthropicFile{f.ID, "file", f.Name, media, f.Size, created, true}
	}
	o := openaiFile{f.ID, "file", f.Size, f.Created / 1000, nil, f.Name, f.Purpose, "processed"}
	if f.Expires > 0 {
		at := f.Expires / 1000
		o.ExpiresAt = &at
	}
	if spoken(c) == mistralShape {
		m := mistralFile{openaiFile: o, SampleType: "batch_request", Source: "upload"}
		if f.Purpose == Output {
			m.SampleType, m.Source = "batch_result", "mistral"
		}
		return m
	}
	return o
}

func answer(c *gateway.Call, out gateway.Out, f File) error { return say(c, out, said(c, &f)) }

func say(c *gateway.Call, out gateway.Out, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return gateway.SendJSON(c, out, http.StatusOK, b)
}

func (k *Keeper) get(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	f, err := k.Find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	return answer(c, out, f)
}

func (k *Keeper) delete(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	f, err := k.Find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	if err := k.Delete(ctx, f.ID); err != nil {
		return unavailable(err)
	}
	if spoken(c) == anthropicShape {
		return say(c, out, map[string]any{"id": f.ID, "type": "file_deleted"})
	}
	return say(c, out, map[string]any{"id": f.ID, "object": "file", "deleted": true})
}

// content sends a file as it is. What callers keep here is theirs: no browser shall take it for a page of ours.
func (k *Keeper) content(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	f, err := k.Find(ctx, c.Caller, c.In.Vars["id"])
	if err != nil {
		return err
	}
	r, err := k.Open(ctx, f.ID)
	if err != nil {
		return unavailable(err)
	}
	defer r.Close()
	return gateway.SendPieces(out, gateway.Head{Status: http.StatusOK, Header: http.Header{
		"Content-Type":           {"application/octet-stream"},
		"Content-Length":         {strconv.FormatInt(f.Size, 10)},
		"Content-Disposition":    {mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})},
		"X-Content-Type-Options": {"nosniff"},
	}}, r)
}

// list tells the files of a project, page by page.
func (k *Keeper) list(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	q, err := url.ParseQuery(c.In.RawQuery)
	if err != nil {
		return invalid("", "the query cannot be read")
	}
	f := store.ObjectFilter{Kind: Kind, Project: c.Caller.Project, Status: kept, Label: q.Get("purpose")}
	page, err := PageOf(q, spoken(c) == anthropicShape, 10000)
	if err != nil {
		return err
	}
	found, more, err := page.Read(ctx, k.store, f)
	if err != nil {
		return unavailable(err)
	}
	data := make([]any, 0, len(found))
	now := k.clock.Now().UnixMilli()
	for i := range found {
		if o := &found[i]; o.Expires == 0 || o.Expires > now {
			file := fileOf(o)
			data = append(data, said(c, &file))
		}
	}
	return say(c, out, Listed(spoken(c) == anthropicShape, data, found, more))
}

// Page is a page of a list, as a caller asks for it.
type Page struct {
	After, Before string
	Limit         int
	Oldest        bool
}

// PageOf reads which page a query asks for: after, limit and order in OpenAI's words; after_id, before_id and
// limit in Anthropic's.
func PageOf(q url.Values, anthropic bool, most int) (Page, error) {
	p := Page{After: q.Get("after"), Limit: most, Oldest: q.Get("order") == "asc"}
	if anthropic {
		p, most = Page{After: q.Get("after_id"), Before: q.Get("before_id"), Limit: 20}, 1000
	}
	if v := q.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > most {
			return p, &llm.Error{Kind: llm.Invalid, Op: "list", Param: "limit", Message: fmt.Sprintf("limit is a number from 1 to %d", most)}
		}
		p.Limit = n
	}
	return p, nil
}

// Read returns the objects of the page, and whether there are more after it.
func (p Page) Read(ctx context.Context, s store.Objects, f store.ObjectFilter) ([]store.Object, bool, error) {
	f.OldestFirst, f.Limit = p.Oldest, p.Limit+1
	cursor := p.After
	if p.Before != "" {
		cursor, f.OldestFirst = p.Before, !p.Oldest // read backwards from there
	}
	if cursor != "" {
		o, err := s.Object(ctx, cursor)
		if err != nil || o.Project != f.Project {
			return nil, false, &llm.Error{Kind: llm.Invalid, Op: "list", Param: "after", Message: "there is nothing of the id that the page begins after", Err: err}
		}
		f.After, f.AfterCreated = o.ID, o.Created
	}
	found, err := s.Objects(ctx, f)
	more := len(found) > p.Limit
	if more {
		found = found[:p.Limit]
	}
	if p.Before != "" {
		slices.Reverse(found)
	}
	return found, more, err
}

// Listed returns a page as a caller reads it.
func Listed(anthropic bool, data []any, found []store.Object, more bool) map[string]any {
	page := map[string]any{"data": data, "has_more": more, "first_id": nil, "last_id": nil}
	if !anthropic {
		page["object"] = "list"
	}
	if n := len(found); n > 0 {
		page["first_id"], page["last_id"] = found[0].ID, found[n-1].ID
	}
	return page
}
