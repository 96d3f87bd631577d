package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store/sqlite"

	plenum "github.com/plenum-foundry/plenum"
)

// How much the Plenum with much to know knows.
const (
	manyKeys        = 10_000
	manyProjects    = 1_000
	manyDeployments = 5_000
	manyConnections = 50
)

// startMany starts a Plenum that knows many keys, projects and deployments, beside those of all others, and says how long
// it takes to start, and to take a new key over.
func (b *bed) startMany(ctx context.Context, binary, dir string) (*target, error) {
	data := filepath.Join(b.home(dir, "many"), "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := makeKeys(ctx, data, manyKeys, nil); err != nil {
		return nil, err
	}
	made := time.Since(began)
	began = time.Now()
	t, err := b.launch("many", binary, dir, "", func(addr, dir string) string { return manyConf(addr, dir, b.mock) })
	if err != nil {
		return nil, err
	}
	started := time.Since(began)
	var fresh plenum.Secret
	if err := makeKeys(ctx, data, 1, &fresh); err != nil {
		return nil, err
	}
	began = time.Now()
	if err := accepted(ctx, t.addr, fresh); err != nil {
		return nil, err
	}
	u, err := tree(t.pid)
	if err != nil {
		return nil, err
	}
	fmt.Printf("many: %d keys (made in %s), %d projects, %d deployments: started in %s, a new key taken over in %s, %d MB\n",
		manyKeys, made.Round(time.Millisecond), manyProjects, manyDeployments, started.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), u.rss/1e6)
	return t, nil
}

// makeKeys keeps keys in a data directory; the secret of the last goes to last.
func makeKeys(ctx context.Context, data string, n int, last *plenum.Secret) error {
	pepper, err := identity.LoadOrCreatePepper(data)
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, filepath.Join(data, "plenum.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	for i := range n {
		secret, key, err := identity.New(rand.Reader, pepper, time.Now())
		if err != nil {
			return err
		}
		key.Name, key.Project = fmt.Sprint("key-", i), fmt.Sprint("project-", i%manyProjects)
		if err := db.CreateKey(ctx, key); err != nil {
			return err
		}
		if last != nil {
			*last = secret
		}
	}
	return nil
}

// accepted waits until a key is good.
func accepted(ctx context.Context, addr string, key plenum.Secret) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/models/openai-unary", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+key.Reveal())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("a new key was not taken over in 30 s")
}

// manyConf is the configuration of all others, and much beside.
func manyConf(addr, dir, mock string) string {
	var b strings.Builder
	base, _, _ := strings.Cut(plenumConf(addr, dir, mock), "deployments:\n")
	_, own, _ := strings.Cut(plenumConf(addr, dir, mock), "deployments:\n")
	head, rest, _ := strings.Cut(base, "connections:\n")
	b.WriteString(head + "connections:\n")
	for i := range manyConnections {
		fmt.Fprintf(&b, "  - {name: c-%d, provider: openai, base_url: \"http://%s/v1\", credentials: {api_key: sk-bench}}\n", i, mock)
	}
	b.WriteString(rest + "projects:\n")
	for i := range manyProjects {
		fmt.Fprintf(&b, "  - {name: project-%d}\n", i)
	}
	b.WriteString("deployments:\n" + own)
	for i := range manyDeployments {
		fmt.Fprintf(&b, "  - {name: d-%d, model: openai/gpt-4o, targets: [{connection: c-%d, upstream_model: gpt-4o}]}\n", i, i%manyConnections)
	}
	return b.String()
}
