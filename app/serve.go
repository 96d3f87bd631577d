package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/provider"
)

func serveCommand(parts Parts) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a declared configuration, and follow its file",
		Long: "Serve what a plenum.yaml declares. The file is followed while Plenum runs: a good change is taken\n" +
			"over whole, calls in flight finish on what they began with, and a bad change alters nothing and says why.\n" +
			"SIGTERM drains: calls in flight finish, new ones go elsewhere.",
		Example: "  plenum serve --config plenum.yaml",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), parts, path, cmd.ErrOrStderr())
		}),
	}
	cmd.Flags().StringVarP(&path, "config", "c", "plenum.yaml", "the configuration `file`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	return cmd
}

func serve(ctx context.Context, parts Parts, path string, stderr io.Writer) error {
	f, err := config.Load(path, config.Env{})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s; --config names another file, and `plenum up` needs none", path)
	}
	if err != nil {
		return fmt.Errorf("the configuration is not usable:\n%w", problems(parts, f, err))
	}
	// Before anything is opened: a configuration that does not hold leaves nothing behind.
	if _, err := understand(parts, f); err != nil {
		return fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	log := newLog(stderr, f.Log)
	n, err := Open(ctx, parts, f, log, stderr)
	if err != nil {
		return err
	}
	defer n.Close()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	w := &config.Watcher{Path: path, Build: n.build, Current: n.current, Trigger: hup, Notify: n.reloaded}
	if _, err := w.Load(); err != nil {
		return fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	n.warn()
	l, err := listen(ctx, f.Listen, "plenum serve")
	if err != nil {
		return err
	}
	if len(f.Keys) == 0 && len(n.keys) == 0 {
		log.Warn("there is no key yet, so nobody can call; `plenum create key NAME --config FILE` makes one", "config", path)
	}
	log.Info("serving", "url", urlOf(f, l.Addr()), "config", path, "version", n.current.Load().Version)
	return n.Serve(ctx, l, w.Run)
}

// problems returns all that is wrong with a configuration whose text has faults: those of the text, and
// those in what its parts say of each other.
func problems(parts Parts, f *config.File, err error) error {
	if f == nil {
		return err
	}
	if _, all := understand(parts, f); all != nil {
		return all
	}
	return err
}

// understand compiles a configuration, for nobody to be called by it.
func understand(parts Parts, f *config.File) (*config.Snapshot, error) {
	return forNobody(parts).compile(f, nil, nil)
}

// forNobody returns a compiler whose snapshots nobody is to be called by.
func forNobody(parts Parts) *compiler {
	mac := func(v plenum.Secret) [32]byte { return sha256.Sum256([]byte(v.Reveal())) } // only to tell keys apart
	return newCompiler(parts.Providers, catalog.New(), mac)
}

// reloaded tells of an attempt to take a changed configuration over.
func (n *Node) reloaded(r config.Reload) {
	n.metrics.Reloaded(r.Err == nil)
	if r.Err != nil {
		n.log.Error("the changed configuration was not taken over; the one in force stays", "why", r.Err.Error())
		return
	}
	n.log.Info("configuration taken over", "version", r.New.Version)
	if r.Old != nil {
		if fields := r.Old.NeedsRestart(r.New); len(fields) > 0 {
			n.log.Warn("some changes need a restart", "fields", strings.Join(fields, ", "))
		}
	}
	n.warn()
}

// warn tells the owner what of the configuration in force is not as they may think. What was told of the
// one before is not told again.
func (n *Node) warn() {
	s := n.current.Load()
	told := map[string]bool{}
	fresh := func(w string) bool {
		told[w] = true
		return !n.warned[w]
	}
	for _, w := range unenforced(s) {
		if fresh(w) {
			n.log.Warn("declared, and not enforced", "what", w)
		}
	}
	for _, w := range unwise(s) {
		if fresh(w) {
			n.log.Warn("declared, and unwise", "what", w)
		}
	}
	n.warned = told
}

// unwise returns what the providers say of their connections.
func unwise(s *config.Snapshot) []string {
	var out []string
	for i := range s.Declared.Connections {
		c, ok := s.Connection(s.Declared.Connections[i].Name)
		if !ok {
			continue
		}
		conn, ok := c.Handle.(*gateway.Connection)
		if !ok {
			continue
		}
		if w, ok := conn.Provider.(provider.Warner); ok {
			out = append(out, w.Warnings()...)
		}
	}
	return out
}

// unenforced names what the configuration declares and this version does not enforce, so that nobody
// relies on it.
func unenforced(s *config.Snapshot) []string {
	var out []string
	if len(s.Bounds.All) > 0 && !s.Declared.Database.Empty() && s.Declared.Valkey.Empty() {
		out = append(out, "budgets and limits are counted by each node alone, and several nodes may each spend all of one: have them share a Valkey server (valkey)")
	}
	for _, d := range s.Deployments {
		if d.Guardrail != "" {
			out = append(out, fmt.Sprintf("deployment %q names guardrail %q but guardrails are not enforced by this version", d.Name, d.Guardrail))
		}
		switch d.Strategy {
		case "", "ordered", "weighted":
		default:
			out = append(out, fmt.Sprintf("deployment %q has strategy %q, which this version does not have: its targets are tried in order", d.Name, d.Strategy))
		}
	}
	return out
}

// urlOf returns the address that people on this machine reach the listener by.
func urlOf(f *config.File, addr net.Addr) string {
	scheme := "http"
	if f.TLS != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
