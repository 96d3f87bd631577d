package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// Whoever may open a data directory may do what they like with it, and needs no other key. A node answers to its management
// API at a socket in that directory, so that what is done at the command line is checked, audited and in force at once,
// as what comes from afar is.
const (
	socketDir  = "run" // of the data directory; nobody else may look into it
	socketName = "admin.sock"
)

// localKey is where a request's context says that it came by the socket, and whose it is.
type localKey struct{}

// localActor returns who sends a request by the socket; false where it did not come by it.
func localActor(r *http.Request, actor admin.Actor) (admin.Actor, bool) {
	who, ok := r.Context().Value(localKey{}).(string)
	if ok {
		actor.Name, actor.From, actor.Grants = who, "local", []plenum.Grant{{Role: plenum.RoleOwner}}
	}
	return actor, ok
}

// short calls f with a path to a file in a directory that is short enough for a socket's (104 bytes on some systems): by
// a link, where need be.
func short(dir, name string, f func(path string) error) error {
	path := filepath.Join(dir, name)
	if len(path) < 100 {
		return f(path)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", plenum.Product)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	link := filepath.Join(tmp, "d")
	if err := os.Symlink(abs, link); err != nil {
		return err
	}
	return f(filepath.Join(link, name))
}

// listenLocal opens the socket of the data directory. The ledger's lock keeps other nodes off the directory: a socket
// that is there already is nobody's.
func (n *Node) listenLocal(ctx context.Context) (net.Listener, error) {
	dir := filepath.Join(n.dir, socketDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory is entered
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var l net.Listener
	err := short(dir, socketName, func(path string) (err error) {
		var c net.ListenConfig
		l, err = c.Listen(ctx, "unix", path)
		return err
	})
	return l, err
}

// serveLocal answers at the socket until the context ends.
func (n *Node) serveLocal(ctx context.Context, l net.Listener) error {
	defer os.Remove(filepath.Join(n.dir, socketDir, socketName))
	srv := &http.Server{
		Handler: n.management, ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, localKey{}, "local:"+peer(c))
		},
	}
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(last)
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving commands on this machine: %w", err)
	}
	return nil
}

// localClient returns a client whose every connection goes to the socket of a data directory; nil where nobody answers there.
func localClient(ctx context.Context, dataDir string) *http.Client {
	dial := func(ctx context.Context) (c net.Conn, err error) {
		err = short(filepath.Join(dataDir, socketDir), socketName, func(path string) error {
			var d net.Dialer
			c, err = d.DialContext(ctx, "unix", path)
			return err
		})
		return c, err
	}
	c, err := dial(ctx)
	if err != nil {
		return nil
	}
	_ = c.Close()
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}}
}

// bench is where a command works: at a Plenum elsewhere (--url), at the one that runs on the data which are meant, or, where
// none runs, at the data themselves. It is the management API each time.
type bench struct {
	place
	remote
	parts Parts
}

func (b *bench) flags(cmd *cobra.Command) {
	b.place.flags(cmd)
	cmd.Flags().StringVar(&b.base, "url", "", "the `address` of a Plenum elsewhere, which PLENUM_ADMIN_KEY opens; PLENUM_URL if left out")
	cmd.MarkFlagsMutuallyExclusive("url", "config")
	cmd.MarkFlagsMutuallyExclusive("url", "data-dir")
}

// with runs what a command does while a Plenum can be reached.
func (b *bench) with(cmd *cobra.Command, do func(ctx context.Context) error) error {
	ctx := cmd.Context()
	if b.base != "" || os.Getenv("PLENUM_URL") != "" && !cmd.Flags().Changed("config") && !cmd.Flags().Changed("data-dir") {
		return do(ctx)
	}
	f, err := b.file()
	if err != nil {
		return err
	}
	if f.Database.Empty() {
		if _, err := os.Stat(filepath.Join(f.DataDir, store.DatabaseName)); errors.Is(err, os.ErrNotExist) {
			return errNoData(f.DataDir)
		}
	}
	if b.client = localClient(ctx, f.DataDir); b.client != nil {
		return do(ctx)
	}
	return b.alone(ctx, f, do)
}

// alone runs a node that serves nobody but this command.
func (b *bench) alone(ctx context.Context, f *config.File, do func(ctx context.Context) error) error {
	n, err := Open(ctx, b.parts, f, slog.New(slog.DiscardHandler), io.Discard)
	if err != nil {
		return err
	}
	if _, err = n.build(bare(f)); err == nil {
		err = n.rebuild()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the configuration is not usable:\n%w", err), n.Close())
	}
	l, err := n.listenLocal(ctx)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- n.serveLocal(run, l) }()
	b.client = localClient(ctx, f.DataDir)
	err = do(ctx)
	stop()
	return errors.Join(err, <-ended, n.ledger.Drain(context.WithoutCancel(ctx), n.store), n.Close())
}

// bare is a configuration without what calls need: whoever makes a key has not all vendors' credentials in his shell.
func bare(f *config.File) *config.File {
	out := config.New()
	out.DataDir, out.Database, out.Pepper, out.Ledger = f.DataDir, f.Database, f.Pepper, f.Ledger
	out.Projects, out.Members, out.ServiceAccounts, out.Keys = f.Projects, f.Members, f.ServiceAccounts, f.Keys
	return out
}
