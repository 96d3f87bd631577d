package resolve

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/llm"
)

// Owners knows who owns what upstreams keep. All callers of a deployment share one account with the vendor; who
// made what, only Plenum knows.
type Owners interface {
	// Owned returns those of the ids that the project owns, with where they are.
	Owned(ctx context.Context, project string, ids []string) (map[string]Place, error)
	// Own notes that a caller made something.
	Own(ctx context.Context, who plenum.Principal, kind, id string, at Place) error
	// Disown forgets it.
	Disown(ctx context.Context, id string) error
}

// Place is where a thing is kept: by which deployment it was made, and at which of its targets.
type Place struct{ Deployment, Connection string }

// lifecycle is one call on what an upstream keeps.
type lifecycle struct {
	owners Owners
	may    May
	call   *gateway.Call
	codec  dialect.Lifecycle
	seal   Sealer
	both   bool   // a thread is made together with a run
	id     string // what the path names; "" where one is made, or they are listed
	place  Place
}

// Sealer makes what stands in the address at which a caller goes on with an upload. Nil makes nothing.
type Sealer func(who plenum.Principal, upload string) (plenum.Secret, error)

// passLifecycle checks that everything that a call names is the caller's, sends it where that is, and notes
// what it makes.
func passLifecycle(ctx context.Context, l *lifecycle, out gateway.Out, next gateway.Handler) error {
	c := l.call
	codec, ok := c.Codec.(dialect.Lifecycle)
	if !ok || l.owners == nil {
		return &llm.Error{Kind: llm.NotFound, Op: "resolve", Message: "calls on what a vendor keeps do not pass here, since nothing is kept here of whose it is: whoever runs the gateway must give it a store (data_dir or database); models answer all the same"}
	}
	l.codec, l.id = codec, c.In.Vars["id"]
	if l.id != "" && codec.ID != nil {
		l.id = codec.ID(l.id)
	}
	if l.makesBoth() {
		l.id, l.both = "", true
	}
	if err := c.Load(); err != nil {
		return err
	}
	if err := l.own(ctx); err != nil {
		return err
	}
	if err := l.target(); err != nil {
		return err
	}
	return next(ctx, c, &ownerOut{Out: out, ctx: ctx, l: l})
}

// makesBoth knows the one path of its kind: POST /threads/runs makes a thread together with a run.
func (l *lifecycle) makesBoth() bool {
	return l.codec.Resource == "threads" && l.id == "runs" && l.call.In.Vars["rest"] == "" && l.call.In.Method == http.MethodPost
}

// own checks that the thing in the path and all in the body are the caller's.
func (l *lifecycle) own(ctx context.Context) error {
	ids, err := l.named()
	if err != nil {
		return err
	}
	if l.id != "" {
		ids = append(ids, l.id)
	}
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > mostNamed {
		return &llm.Error{Kind: llm.Invalid, Op: "resolve", Message: fmt.Sprintf("a call names at most %d things", mostNamed)}
	}
	owned, err := l.owners.Owned(ctx, l.call.Caller.Project, ids)
	if err != nil {
		return &llm.Error{Kind: llm.Overloaded, Op: "resolve", Message: "who owns this cannot be looked up at the moment; try again", Err: err}
	}
	for _, id := range ids {
		p, ok := owned[id]
		if !ok {
			return &llm.Error{Kind: llm.NotFound, Op: "resolve", Message: fmt.Sprintf("there is no %q at the upstream for this project: it was not made through this gateway, was deleted, or belongs to another project; the list of its kind (GET) has what there is", clip(id))}
		}
		if l.place != (Place{}) && p != l.place {
			return &llm.Error{Kind: llm.Invalid, Op: "resolve", Message: fmt.Sprintf("%q is at another vendor's account than the rest of what this call names; name things of one account in a call", clip(id))}
		}
		l.place = p
	}
	return nil
}

// mostNamed bounds how many things a call names.
const mostNamed = 2000

// named returns the ids that stand in a body, or the upload that it is a piece of.
func (l *lifecycle) named() ([]string, error) {
	u := l.codec.Upload
	if u == nil {
		return named(l.call.In, l.codec.Named)
	}
	query, err := url.ParseQuery(l.call.In.RawQuery)
	if err != nil {
		return nil, &llm.Error{Kind: llm.Invalid, Op: "resolve", Message: "the query cannot be read", Err: err}
	}
	if id := u.Session(query); id != "" {
		return []string{id}, nil
	}
	return nil, nil
}

// named returns the ids that stand in a body. What looks like one and is none of ours is taken for another's.
func named(in dialect.Inbound, idOf func(string) string) ([]string, error) {
	if len(in.Body) == 0 {
		return nil, nil
	}
	media, params, err := mime.ParseMediaType(in.Header.Get("Content-Type"))
	switch {
	case err == nil && media == "application/json":
		return namedInJSON(in.Body, idOf)
	case err == nil && media == "multipart/form-data":
		return namedInForm(in.Body, params["boundary"])
	}
	return nil, &llm.Error{Kind: llm.Unsupported, Op: "resolve", Message: "whose things a body of this type names cannot be checked; send application/json or multipart/form-data"}
}

func namedInJSON(body []byte, idOf func(string) string) ([]string, error) {
	ids := numbered(body)
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, &llm.Error{Kind: llm.Invalid, Op: "resolve", Message: "the body is not JSON", Err: err}
		}
		switch s, ok := t.(string); {
		case ok && idOf != nil:
			if id := idOf(s); id != "" {
				ids = append(ids, id)
			}
		case ok && looksLikeID(s):
			ids = append(ids, s)
		}
	}
}

// namedInForm looks at the fields of a form. Its files are content.
func namedInForm(body []byte, boundary string) ([]string, error) {
	var ids []string
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		var text []byte
		if err == nil && p.FileName() == "" {
			text, err = io.ReadAll(io.LimitReader(p, 1<<20))
		}
		if err != nil {
			return nil, &llm.Error{Kind: llm.Invalid, Op: "resolve", Message: "the form cannot be read", Err: err}
		}
		if s := strings.TrimSpace(string(text)); looksLikeID(s) {
			ids = append(ids, s)
		} else if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
			more, err := namedInJSON([]byte(s), nil)
			if err != nil {
				return nil, err
			}
			ids = append(ids, more...)
		}
	}
}

// looksLikeID reports whether a text has the form of the ids of things that vendors keep.
func looksLikeID(s string) bool {
	if len(s) < 8 || len(s) > 200 {
		return false
	}
	cut := strings.IndexAny(s, "-_")
	if cut < 0 {
		return false
	}
	switch s[:cut] {
	case "asst", "cfile", "cntr", "conv", "eval", "evalrun", "file", "ftckpt", "ftjob", "run", "skill", "step", "thread", "upload", "vector", "video", "vs", "vsfb",
		"cthr", "cksess":
	case "agent", "depl", "drun", "drm", "env", "memstore", "sesn", "tunnel", "uprof", "vlt", "voice", "cons", "ag":
		if len(s) < 24 { // these are words as well
			return false
		}
	default:
		return false
	}
	digits, plain := 0, true
	for _, c := range s[cut+1:] {
		plain = plain && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-')
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' {
			digits++
		}
	}
	return plain && digits > 0 // "file_search" is a word
}

// target chooses the deployment: the one that has what the call names, the one that the caller names, in
// plenum-deployment or as the model, or else the first that lets such calls pass.
func (l *lifecycle) target() error {
	c := l.call
	name := c.In.Header.Get("Plenum-Deployment")
	if l.place.Deployment != "" {
		name = l.place.Deployment
	}
	d, ok := c.Config.Deployment(name)
	if name != "" {
		if !ok {
			return noDeployment(c, l.may, name, "plenum-deployment")
		}
	} else if d, ok = c.Config.Deployment(c.Head.Model); l.codec.Once && c.Head.Model != "" && !ok {
		return unknown(c, l.may)
	} else if !ok || !d.Lifecycle && !l.codec.Once {
		d = first(c)
	}
	r := &c.Trail.Record
	r.Asked = clip(c.Head.Model)
	if d == nil || !d.Lifecycle {
		return &llm.Error{
			Kind: llm.Forbidden, Op: "resolve", Code: "lifecycle_not_allowed",
			Message: "what passes here can be neither priced nor screened, so it is refused unless a deployment lets it pass (lifecycle: allow); name one in the header plenum-deployment",
		}
	}
	c.Deployment, r.Deployment = d, d.Name
	for _, t := range d.Targets {
		if l.place.Connection == "" || t.Offer.Connection == l.place.Connection {
			t.Offer.Price = plenum.Price{} // nobody knows what these cost
			c.Candidates = []plenum.Target{t}
			l.place = Place{d.Name, t.Offer.Connection}
			return nil
		}
	}
	return &llm.Error{Kind: llm.NotFound, Op: "resolve", Message: fmt.Sprintf("the connection that has this is not a target of the deployment %q any more; whoever runs the gateway must put it back", d.Name)}
}

func first(c *gateway.Call) *plenum.Deployment {
	for _, d := range c.Config.Callable() {
		if d.Lifecycle {
			return d
		}
	}
	return nil
}

// ownerOut notes what an answer makes, and takes out of a list what is not the caller's.
type ownerOut struct {
	gateway.Out
	ctx  context.Context //nolint:containedctx // it lives as long as the call
	l    *lifecycle
	told bool   // what a stream makes is known
	head []byte // of a stream, until it is
}

// mostHead is how far into a stream what it makes is looked for.
const mostHead = 16 << 10

// begun looks at the beginning of a stream for what it makes, before the caller knows of it.
func (o *ownerOut) begun(piece []byte) error {
	l := o.l
	o.head = append(o.head, piece[:min(len(piece), mostHead-len(o.head))]...)
	o.told = len(o.head) == mostHead
	_, rest, ok := bytes.Cut(o.head, []byte(`"`+l.codec.Made+`"`))
	if !ok {
		return nil
	}
	rest = bytes.TrimLeft(rest, ": ")
	id, _, ok := bytes.Cut(bytes.TrimPrefix(rest, []byte(`"`)), []byte(`"`))
	if !ok || !bytes.HasPrefix(rest, []byte(`"`)) || len(id) == 0 || len(id) > 200 {
		return nil
	}
	o.told = true
	return l.owners.Own(o.ctx, l.call.Caller, l.codec.Resource, string(id), l.place)
}

// Begin looks for an upload that the answer begins: the rest of it is to come here, and only from who began it.
func (o *ownerOut) Begin(h gateway.Head) error {
	u := o.l.codec.Upload
	if u == nil || h.Header.Get(u.Header) == "" {
		return o.Out.Begin(h)
	}
	in := &o.l.call.In
	at, err := url.Parse(h.Header.Get(u.Header))
	if err != nil {
		return &llm.Error{Kind: llm.BadUpstream, Op: "resolve", Message: "the upstream's address for the upload is none", Err: err}
	}
	query := at.Query()
	query.Del("key")
	id := u.Session(query)
	if id == "" {
		return &llm.Error{Kind: llm.BadUpstream, Op: "resolve", Message: "the upstream's address for the upload does not name it"}
	}
	if err := o.l.owners.Own(o.ctx, o.l.call.Caller, "uploads", id, o.l.place); err != nil {
		return &llm.Error{Kind: llm.Overloaded, Op: "resolve", Message: "who owns this cannot be noted at the moment", Err: err, Upstream: &llm.Upstream{NoRetry: true}}
	}
	h.Header = h.Header.Clone()
	if o.l.seal != nil { // some SDKs send their key with the first piece alone
		secret, err := o.l.seal(o.l.call.Caller, id)
		if err != nil {
			return &llm.Error{Kind: llm.Internal, Op: "resolve", Message: "the address of the upload cannot be made", Err: err}
		}
		query.Set(identity.UploadParam, secret.Reveal())
	}
	h.Header.Set(u.Header, in.Origin+in.Path+"?"+query.Encode())
	return o.Out.Begin(h)
}

// Chunk looks at a whole answer before the caller sees it.
func (o *ownerOut) Chunk(ch dialect.Chunk) error {
	l := o.l
	in := &l.call.In
	rest := in.Vars["rest"]
	var err error
	switch {
	case ch.Body == nil && l.codec.Made != "" && l.id == "" && !o.told:
		err = o.begun(ch.Frame.Raw)
	case ch.Body == nil:
	case l.id == "" && in.Method == http.MethodGet:
		ch.Body, err = o.mine(ch.Body)
	case in.Method == http.MethodDelete && rest == "":
		err = l.owners.Disown(o.ctx, l.id)
	default:
		err = o.note(ch.Body)
	}
	if err != nil {
		return &llm.Error{Kind: llm.Overloaded, Op: "resolve", Message: "who owns this cannot be noted at the moment; it may have been made all the same, and nobody can reach it here", Err: err, Upstream: &llm.Upstream{NoRetry: true}}
	}
	return o.Out.Chunk(ch)
}

// note notes what the answer says was made: a new thing, and what it brought along.
func (o *ownerOut) note(body []byte) error {
	l := o.l
	if l.codec.Once {
		return nil // nothing was made
	}
	if l.codec.Told != nil {
		for id, kind := range l.codec.Told(body) {
			if id == l.id {
				continue
			}
			if err := l.owners.Own(o.ctx, l.call.Caller, kind, id, l.place); err != nil {
				return err
			}
		}
		return nil
	}
	var a struct {
		ID      string   `json:"id"`
		Thread  string   `json:"thread_id"`
		Results []string `json:"result_files"`
		File    *struct {
			ID string `json:"id"`
		} `json:"file"`
	}
	if json.Unmarshal(body, &a) != nil {
		return nil // it is not an object
	}
	if l.codec.Made != "" {
		a.ID = member(body, l.codec.Made)
	}
	kinds := map[string]string{}
	switch {
	case l.both:
		kinds[a.Thread] = "threads"
	case l.id == "":
		kinds[a.ID] = l.codec.Resource
	}
	for _, id := range a.Results {
		kinds[id] = "files"
	}
	if a.File != nil && l.codec.Resource == "uploads" {
		kinds[a.File.ID] = "files"
	}
	delete(kinds, "")
	for id, kind := range kinds {
		if err := l.owners.Own(o.ctx, l.call.Caller, kind, id, l.place); err != nil {
			return err
		}
	}
	return nil
}

// member returns a text member of an object, or "".
func member(body []byte, name string) string {
	var all map[string]json.RawMessage
	var text string
	if json.Unmarshal(body, &all) == nil {
		_ = json.Unmarshal(all[name], &text) // what is no text names nothing
	}
	return text
}

// bare says that a list stands by itself and not in an object: it is put into one while it is looked at.
func bare(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) }

// mine leaves of a list what the caller's project owns.
func (o *ownerOut) mine(body []byte) ([]byte, error) {
	if bare(body) {
		list, err := o.mine(slices.Concat([]byte(`{"data":`), body, []byte("}")))
		if err != nil {
			return nil, err
		}
		list = bytes.TrimSuffix(bytes.TrimPrefix(bytes.TrimSpace(list), []byte(`{"data":`)), []byte("}"))
		return list, nil
	}
	list := map[string]json.RawMessage{}
	var data []json.RawMessage
	member := cmp.Or(o.l.codec.List, "data")
	if err := json.Unmarshal(body, &list); err == nil && o.l.codec.List != "" && list[member] == nil {
		return body, nil // there is nothing
	}
	if json.Unmarshal(body, &list) != nil || json.Unmarshal(list[member], &data) != nil {
		return nil, errors.New("the upstream's list is none")
	}
	var ids []string
	for _, d := range data {
		ids = append(ids, o.l.idOf(d))
	}
	owned, err := o.l.owners.Owned(o.ctx, o.l.call.Caller.Project, ids)
	if err != nil {
		return nil, err
	}
	kept, first, last := []json.RawMessage{}, "", ""
	for i, d := range data {
		if _, ok := owned[ids[i]]; ok {
			kept, last = append(kept, d), ids[i]
			if first == "" {
				first = last
			}
		}
	}
	if len(kept) == len(data) {
		return body, nil
	}
	o.l.call.Trail.Change(member + " (what other projects own is left out)")
	for name, v := range map[string]any{member: kept, "first_id": first, "last_id": last} {
		if _, ok := list[name]; ok {
			if list[name], err = json.Marshal(v); err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(list)
}

// idOf returns the id of an element of a list. What has none is nobody's.
func (l *lifecycle) idOf(v json.RawMessage) string {
	if l.codec.Told != nil {
		for id, kind := range l.codec.Told(v) {
			if kind == l.codec.Resource {
				return id
			}
		}
		return ""
	}
	if l.codec.Made != "" {
		if id := member(v, l.codec.Made); id != "" {
			return id
		}
	}
	return member(v, "id")
}
