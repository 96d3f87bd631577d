package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"testing"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/store"
)

// memory is a store of files in memory.
type memory struct {
	Store
	objects  map[string]store.Object
	contents map[string][]byte
}

func (m *memory) CreateObject(_ context.Context, o store.Object) error {
	m.objects[o.ID] = o
	return nil
}

func (m *memory) UpdateObject(_ context.Context, id string, change func(*store.Object) error) (store.Object, error) {
	o := m.objects[id]
	err := change(&o)
	m.objects[id] = o
	return o, err
}

func (m *memory) DeleteObject(_ context.Context, id string) error {
	delete(m.objects, id)
	delete(m.contents, id)
	return nil
}

func (m *memory) PutContent(_ context.Context, id string, r io.Reader) (int64, error) {
	b, err := io.ReadAll(r)
	if err == nil {
		m.contents[id] = b
	}
	return int64(len(b)), err
}

// said keeps an answer.
type saidOut struct{ body []byte }

func (s *saidOut) Begin(gateway.Head) error { return nil }

func (s *saidOut) Chunk(ch dialect.Chunk) error {
	s.body = append(s.body, ch.Body...)
	return nil
}

func FuzzUpload(f *testing.F) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("b")
	_ = w.WriteField("purpose", "batch")
	p, _ := w.CreateFormFile("file", `C:\x\..\lines "1".jsonl`)
	_, _ = io.WriteString(p, "text")
	_ = w.Close()
	f.Add(b.Bytes(), "b")
	f.Add(b.Bytes()[:b.Len()/2], "b")
	f.Add([]byte("--b\r\n\r\n--b--"), "b")
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		m := &memory{objects: map[string]store.Object{}, contents: map[string][]byte{}}
		k := New(m, clock.Real, slog.New(slog.DiscardHandler))
		d := &dialect.Dialect{Name: "openai", Routes: []dialect.Route{{Op: llm.OpFileCreate, Codec: dialect.Own{}}}}
		c, err := gateway.NewCall("job", plenum.Principal{KeyID: "k", Project: "p"}, d, llm.OpFileCreate, "/v1/files", body)
		if err != nil {
			t.Fatal(err)
		}
		c.In.Header = http.Header{"Content-Type": {"multipart/form-data; boundary=" + boundary}}
		out := &saidOut{}
		err = k.create(t.Context(), c, out)
		var e *llm.Error
		switch {
		case err == nil:
			if len(m.objects) != 1 || len(m.contents) != 1 || len(out.body) == 0 {
				t.Errorf("an upload left %d objects and %d contents", len(m.objects), len(m.contents))
			}
		case !errors.As(err, &e):
			t.Errorf("the error is of no kind: %v", err)
		case len(m.objects)+len(m.contents) > 0:
			t.Errorf("an upload that was refused left %d objects", len(m.objects))
		case e.Kind == llm.Overloaded:
			t.Errorf("the caller's fault is told as ours: %v", err)
		}
	})
}
