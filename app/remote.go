package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
)

// remote is a running Plenum, reached through its management API.
type remote struct {
	base   string
	client *http.Client // to the socket of a Plenum on this machine; nil is over the network
}

func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.base, "url", "", "the `address` of the Plenum; PLENUM_URL if left out, or else http://"+config.New().Listen)
}

// address returns where the Plenum is.
func (r *remote) address() string {
	return strings.TrimSuffix(cmp.Or(r.base, os.Getenv("PLENUM_URL"), "http://"+config.New().Listen), "/")
}

// largestReply bounds what is read of an answer.
const largestReply = 256 << 20

// way returns where requests go, and the key that they show: none at the socket of a data directory, which is where they
// go if nobody has said anything else.
func (r *remote) way(ctx context.Context) (base string, key plenum.Secret, err error) {
	if r.client != nil {
		return "http://" + plenum.Product, key, nil
	}
	base = r.address()
	key = plenum.NewSecret(os.Getenv("PLENUM_ADMIN_KEY"))
	if key.Empty() {
		key = keptToken(base)
	}
	if !key.Empty() {
		return base, key, nil
	}
	if r.base == "" && os.Getenv("PLENUM_URL") == "" {
		if r.client = localClient(ctx, defaultDataDir()); r.client != nil {
			return r.way(ctx)
		}
	}
	return "", key, errors.New("sign in with `plenum login`, or set PLENUM_ADMIN_KEY to the admin key of the Plenum that is running (admin_key in its configuration), or to a key of its management API")
}

// send sends a request and returns the answer's body. What the Plenum refuses is an error in its words.
func (r *remote) send(ctx context.Context, method, path string, query url.Values, body []byte) ([]byte, error) {
	answer, err := r.open(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	b, err := io.ReadAll(io.LimitReader(answer, largestReply))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of Plenum: %w", err)
	}
	return b, nil
}

// copy writes what is at a path as it comes, however much it is.
func (r *remote) copy(ctx context.Context, w io.Writer, path string, query url.Values) error {
	answer, err := r.open(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if _, err := io.Copy(w, answer); err != nil {
		return fmt.Errorf("reading the answer of Plenum, of which this is not all: %w", err)
	}
	return nil
}

// open sends a request and returns the body of an answer that is no refusal.
func (r *remote) open(ctx context.Context, method, path string, query url.Values, body []byte) (io.ReadCloser, error) {
	base, key, err := r.way(ctx)
	if err != nil {
		return nil, err
	}
	address := base + admin.Prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	q, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the address %q is not usable: %w", base, err)
	}
	if !key.Empty() {
		q.Header.Set("Authorization", "Bearer "+key.Reveal())
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if r.client != nil {
		base = "Plenum"
	}
	resp, err := cmp.Or(r.client, http.DefaultClient).Do(q)
	if err != nil {
		return nil, fmt.Errorf("asking the Plenum at %s, which must be running: %w", base, err)
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, largestReply))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", base, err)
	}
	return nil, saidNo(base, resp.StatusCode, b)
}

// saidNo says what a Plenum had against a request.
func saidNo(base string, status int, body []byte) error {
	var p struct {
		admin.Problem
		Error struct{ Message string }
	}
	_ = json.Unmarshal(body, &p)
	switch {
	case len(p.Faults) > 0:
		lines := make([]string, 0, len(p.Faults))
		for _, f := range p.Faults {
			parts := make([]string, 0, 3)
			for _, s := range []string{f.Item, f.Path, f.Detail} {
				if s != "" {
					parts = append(parts, s)
				}
			}
			lines = append(lines, strings.Join(parts, ": "))
		}
		return fmt.Errorf("%s refuses it:\n%s", base, strings.Join(lines, "\n"))
	case p.Detail != "":
		return fmt.Errorf("%s says: %s (%d)", base, p.Detail, status)
	case p.Error.Message != "":
		return fmt.Errorf("%s says: %s (%d)", base, p.Error.Message, status)
	}
	return fmt.Errorf("%s answers with status %d; is it a Plenum?", base, status)
}

// get reads what is at a path into v.
func (r *remote) get(ctx context.Context, path string, query url.Values, v any) error {
	return r.read(ctx, http.MethodGet, path, query, nil, v)
}

// post sends something to a path and reads the answer into v.
func (r *remote) post(ctx context.Context, path string, what, v any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return r.read(ctx, http.MethodPost, path, nil, body, v)
}

func (r *remote) read(ctx context.Context, method, path string, query url.Values, body []byte, v any) error {
	b, err := r.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// eachItem calls f with every item of a list, page by page.
func eachItem[T any](ctx context.Context, r *remote, path string, query url.Values, f func(T)) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "1000")
	for {
		var page struct {
			Data []T
			Next string
		}
		if err := r.get(ctx, path, query, &page); err != nil {
			return err
		}
		for _, x := range page.Data {
			f(x)
		}
		if page.Next == "" {
			return nil
		}
		query.Set("after", page.Next)
	}
}
