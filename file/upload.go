package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// Bounds of an upload beside its file.
const (
	mostFields = 16
	fieldBytes = 4 << 10
	formBytes  = 1 << 20 // all of a form but the file
)

// form is what an upload says beside the file.
type form struct {
	purpose       string
	anchor, after string // OpenAI's expires_after
}

// upload reads a form and writes its file down as it comes, before it is known what else the form says.
type upload struct {
	keeper *Keeper
	call   *gateway.Call
	bounds Bounds
	form   form
	file   *File
}

// create takes an upload.
func (k *Keeper) create(ctx context.Context, c *gateway.Call, out gateway.Out) error {
	u := &upload{keeper: k, call: c, bounds: boundsOf(c)}
	err := u.read(ctx)
	if err == nil {
		err = u.check()
	}
	if err != nil {
		if u.file != nil {
			k.forget(ctx, u.file.ID)
		}
		return unavailable(err)
	}
	f, err := k.finish(ctx, *u.file)
	if err != nil {
		return unavailable(err)
	}
	return answer(c, out, f)
}

// boundsOf returns what the configuration allows.
func boundsOf(c *gateway.Call) Bounds {
	if c.Config == nil || c.Config.Declared == nil {
		return Bounds{}
	}
	f := &c.Config.Declared.Files
	return Bounds{Size: int64(f.MaxSize), Total: int64(f.MaxTotal)}
}

// read reads the form.
func (u *upload) read(ctx context.Context) error {
	media, params, err := mime.ParseMediaType(u.call.In.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return invalid("", "a file is uploaded as multipart/form-data, with the file in the field `file`")
	}
	limit := int64(1 << 62)
	if u.bounds.Size > 0 {
		limit = u.bounds.Size + formBytes
	}
	body, err := u.call.Stream(limit)
	if err != nil {
		return err
	}
	r := multipart.NewReader(body, params["boundary"])
	for range mostFields {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if err := u.part(ctx, part); err != nil {
			return err
		}
	}
	return invalid("", "the form has too many fields")
}

// part reads one part of the form.
func (u *upload) part(ctx context.Context, p *multipart.Part) error {
	name := p.FormName()
	if name == "file" {
		return u.content(ctx, p)
	}
	text, err := io.ReadAll(io.LimitReader(p, fieldBytes+1))
	if err != nil {
		return broken(err)
	}
	if len(text) > fieldBytes {
		return invalid(clip(name), "this field is too long")
	}
	switch name {
	case "purpose":
		u.form.purpose = string(text)
	case "expires_after[anchor]":
		u.form.anchor = string(text)
	case "expires_after[seconds]":
		u.form.after = string(text)
	}
	return nil
}

// content writes the file down.
func (u *upload) content(ctx context.Context, p *multipart.Part) error {
	if u.file != nil {
		return invalid("file", "one file is uploaded at a time")
	}
	f := File{ID: idFor(u.call), Name: nameOf(p), Media: p.Header.Get("Content-Type")}
	var in io.Reader = p
	if u.bounds.Size > 0 {
		in = &atMost{r: p, left: u.bounds.Size, limit: u.bounds.Size}
	}
	if err := u.keeper.write(ctx, u.call.Caller, f.ID, u.bounds, in); err != nil {
		return broken(err)
	}
	u.file = &f
	return nil
}

// nameOf returns a file's own name, without where it was.
func nameOf(p *multipart.Part) string {
	name := path.Base(strings.ReplaceAll(p.FileName(), `\`, "/"))
	if name == "." || name == "/" {
		name = "file"
	}
	return strings.ToValidUTF8(name[:min(len(name), 255)], "?")
}

// check says what is wrong with the form, and completes the file by it.
func (u *upload) check() error {
	if u.file == nil {
		return invalid("file", "the form has no file")
	}
	u.file.Purpose = u.form.purpose
	if spoken(u.call) == anthropicShape {
		u.file.Purpose = userData
		return nil
	}
	if !slices.Contains(purposes(), u.form.purpose) {
		return invalid("purpose", "purpose must be one of "+strings.Join(purposes(), ", "))
	}
	now := u.keeper.clock.Now()
	if u.form.purpose == forBatch {
		u.file.Expires = now.Add(30 * 24 * time.Hour).UnixMilli()
	}
	if u.form.after == "" && u.form.anchor == "" {
		return nil
	}
	seconds, err := strconv.Atoi(u.form.after)
	if err != nil || seconds < 3600 || seconds > 2592000 || u.form.anchor != "created_at" {
		return invalid("expires_after", "expires_after has the anchor created_at and between 3600 and 2592000 seconds")
	}
	u.file.Expires = now.Add(time.Duration(seconds) * time.Second).UnixMilli()
	return nil
}

// The purposes that this package knows by name.
const (
	forBatch = "batch"
	userData = "user_data"
	// Output is the purpose of what batches write.
	Output = "batch_output"
)

// purposes returns what an upload may be for.
func purposes() []string {
	return []string{"assistants", forBatch, "evals", "fine-tune", userData, "vision"}
}

// NewID returns an id for a new file, in the words of a dialect.
func NewID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

func idFor(c *gateway.Call) string {
	if spoken(c) == anthropicShape {
		return NewID("file_")
	}
	return NewID("file-")
}

// atMost fails, rather than ends, past the largest size of a file.
type atMost struct {
	r           io.Reader
	left, limit int64
}

// Read reads on.
func (a *atMost) Read(b []byte) (int, error) {
	n, err := a.r.Read(b)
	if a.left -= int64(n); a.left < 0 {
		return 0, &llm.Error{Kind: llm.TooLarge, Op: "file", Message: fmt.Sprintf("the file is larger than %d bytes (files.max_size)", a.limit)}
	}
	return n, err
}

func invalid(param, message string) error {
	return &llm.Error{Kind: llm.Invalid, Op: "file", Param: param, Message: message}
}

// broken says what became of a form that cannot be read: whose fault it is, whoever reads it has said.
func broken(err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || strings.HasPrefix(err.Error(), "multipart:") || strings.HasPrefix(err.Error(), "malformed MIME") {
		return &llm.Error{Kind: llm.Invalid, Op: "file", Message: "the form is not whole, or not what its content-type says", Err: err}
	}
	return err
}
