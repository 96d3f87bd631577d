package app

import (
	"bytes"
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
type remote struct{ base string }

func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.base, "url", "", "the `address` of the Plenum; PLENUM_URL if left out, or else http://"+config.New().Listen)
}

// largestReply bounds what is read of an answer.
const largestReply = 256 << 20

// send sends a request and returns the answer's body. What the Plenum refuses is an error in its words.
func (r *remote) send(ctx context.Context, method, path string, query url.Values, body []byte) ([]byte, error) {
	base := r.base
	if base == "" {
		base = os.Getenv("PLENUM_URL")
	}
	if base == "" {
		base = "http://" + config.New().Listen
	}
	key := plenum.NewSecret(os.Getenv("PLENUM_ADMIN_KEY"))
	if key.Empty() {
		return nil, errors.New("set PLENUM_ADMIN_KEY to the admin key of the Plenum that is running (admin_key in its configuration), or to a key of its management API")
	}
	address := strings.TrimSuffix(base, "/") + admin.Prefix + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	q, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the address %q is not usable: %w", base, err)
	}
	q.Header.Set("Authorization", "Bearer "+key.Reveal())
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, fmt.Errorf("asking the Plenum at %s, which must be running: %w", base, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, largestReply))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", base, err)
	}
	if resp.StatusCode >= 300 {
		return nil, saidNo(base, resp.StatusCode, b)
	}
	return b, nil
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

// eachItem calls f with every item of a list, page by page.
func eachItem[T any](ctx context.Context, r *remote, path string, query url.Values, f func(T)) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "1000")
	for {
		b, err := r.send(ctx, http.MethodGet, path, query, nil)
		if err != nil {
			return err
		}
		var page struct {
			Data []T
			Next string
		}
		if err := json.Unmarshal(b, &page); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
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
