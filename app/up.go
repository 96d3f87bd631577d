package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/identity"
)

// upOptions are the flags of `plenum up`.
type upOptions struct {
	listen  string
	dataDir string
	offline bool
	engine  string
}

func upCommand(parts Parts) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start on embedded defaults: nothing to configure",
		Long: "Start Plenum on embedded defaults, on this machine.\n\n" +
			"A small open-weight model is fetched once and answers on this machine's processor. Vendor keys found in\n" +
			"the environment (XAI_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY and the like) become connections at once,\n" +
			"and every model of theirs can be called by its name.",
		Example: "  plenum up\n  OPENAI_API_KEY=... plenum up --listen 127.0.0.1:9000\n  plenum up --engine none",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return up(cmd.Context(), parts, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "the `address` to serve on")
	cmd.Flags().StringVar(&o.dataDir, "data-dir", defaultDataDir(), "the `directory` of everything that Plenum keeps")
	cmd.Flags().BoolVar(&o.offline, "offline", false, "fetch nothing; use what is on this machine")
	cmd.Flags().StringVar(&o.engine, "engine", "auto", "the local engine: auto, none, "+strings.Join(engineNames(parts), ", "))
	return cmd
}

func engineNames(parts Parts) []string {
	var names []string
	for _, k := range parts.Engines {
		names = append(names, k.Name)
	}
	return names
}

// defaultDataDir is ./data where there is one already, and else a place of the user's.
func defaultDataDir() string {
	if s, err := os.Stat("data"); err == nil && s.IsDir() {
		if _, err := os.Stat(filepath.Join("data", "plenum.db")); err == nil {
			return "data"
		}
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, plenum.Product)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "data"
	}
	return filepath.Join(home, ".local", "share", plenum.Product)
}

func up(ctx context.Context, parts Parts, o upOptions, stdout, stderr io.Writer) error {
	cat := catalog.New()
	f := config.Defaults(config.Env{}, config.Known{Kinds: vendors(parts), Models: cat.Models, Patterns: cat.Patterns})
	f.Listen, f.DataDir, f.Log.Level = o.listen, o.dataDir, "warn"
	if key := os.Getenv("PLENUM_ADMIN_KEY"); key != "" {
		f.AdminKey = plenum.NewSecret(key)
	}
	log := newLog(stderr, f.Log)
	n, err := Open(ctx, parts, f, log, stderr)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.rebuild(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; is another Plenum running there? --listen takes another address", f.Listen, err)
	}
	key, err := n.firstKey(ctx)
	if err != nil {
		return err
	}
	g := &greeter{out: stdout, url: urlOf(f, l.Addr()), key: key, vendors: f.Connections, terminal: isTerminal(stdout)}
	g.hello()
	eng, err := chooseEngine(ctx, parts, o)
	if err != nil {
		return err
	}
	if eng == nil {
		g.ready(n.callable())
		return n.Serve(ctx, l)
	}
	sup := &engine.Supervisor{Engine: eng, OnState: func(s engine.State) { n.engineState(s, g) }}
	return n.Serve(ctx, l, func(ctx context.Context) error {
		if err := sup.Run(ctx); err != nil {
			g.engineFailed(err, n.callable())
		}
		return nil // Plenum goes on without its engine: the vendors' models still answer
	})
}

// vendors are the providers that environment variables make connections of: not the local ones.
func vendors(parts Parts) []config.Kind {
	var out []config.Kind
	for _, k := range parts.Providers {
		if !k.Local {
			out = append(out, known(k))
		}
	}
	return out
}

// firstKey makes a key where there is none yet. Its secret is shown this once.
func (n *Node) firstKey(ctx context.Context) (plenum.Secret, error) {
	if len(n.keys) > 0 {
		return plenum.Secret{}, nil
	}
	return n.makeKey(ctx, "first", "default")
}

// makeKey makes a key and keeps it in the store.
func (n *Node) makeKey(ctx context.Context, name, project string) (plenum.Secret, error) {
	secret, key, err := identity.New(rand.Reader, n.pepper, time.Now())
	if err != nil {
		return plenum.Secret{}, fmt.Errorf("making a key: %w", err)
	}
	key.Name, key.Project = name, project
	if err := n.store.CreateKey(ctx, key); err != nil {
		return plenum.Secret{}, fmt.Errorf("keeping a key: %w", err)
	}
	if err := n.loadKeys(ctx); err != nil {
		return plenum.Secret{}, err
	}
	return secret, n.rebuild()
}

// callable returns the names of the deployments that can be called.
func (n *Node) callable() []string {
	var names []string
	for _, d := range n.current.Load().Callable() {
		names = append(names, d.Name)
	}
	return names
}

// chooseEngine returns the engine asked for; with auto, a server that runs already, or else the first
// that Plenum can bring.
func chooseEngine(ctx context.Context, parts Parts, o upOptions) (engine.Engine, error) {
	if o.engine == "none" {
		return nil, nil
	}
	var last engine.Engine
	for _, k := range parts.Engines {
		e := k.New(engine.Settings{Offline: o.offline})
		if o.engine == k.Name {
			return e, nil
		}
		if o.engine != "auto" {
			continue
		}
		if last == nil {
			last = e
		}
	}
	if o.engine != "auto" {
		return nil, fmt.Errorf("there is no engine %q; use auto, none, %s", o.engine, strings.Join(engineNames(parts), ", "))
	}
	return last, ctx.Err()
}

// engineState follows the engine: what it offers when it is ready becomes a connection with
// deployments, and is taken away when it is not.
func (n *Node) engineState(s engine.State, g *greeter) {
	switch s.Phase {
	case engine.Ready:
		if err := n.Extend(func(f *config.File) { addEngine(f, s.Endpoint) }); err != nil {
			n.log.Error("taking the local engine over", "err", err)
			return
		}
		g.ready(n.callable())
	case engine.Installing:
		g.progress(s.Progress)
	case engine.Starting, engine.Probing:
		g.doing(s.Message)
	case engine.Restarting:
		n.log.Warn("the local engine failed and is started again", "why", s.Message)
	}
}

// localName is what the connection to the local engine is called.
const localName = "local"

// addEngine declares a connection to the engine and a deployment for each of its models.
func addEngine(f *config.File, e engine.Endpoint) {
	c := config.Connection{
		Name: localName, Provider: "llamacpp", BaseURL: e.BaseURL, Credentials: map[string]plenum.Secret{},
		// On a processor the first word of a long prompt takes its time.
		Timeouts: config.Timeouts{Connect: 5 * time.Second, FirstByte: 5 * time.Minute, Idle: 2 * time.Minute, Total: 30 * time.Minute},
	}
	if !e.Key.Empty() {
		c.Credentials["api_key"] = e.Key
	}
	f.Connections = append(f.Connections[:len(f.Connections):len(f.Connections)], c)
	f.Deployments = f.Deployments[:len(f.Deployments):len(f.Deployments)]
	free := plenum.Rate(0)
	for _, m := range e.Models {
		f.Deployments = append(f.Deployments, config.Deployment{
			Name: m.ID, Strategy: "ordered", Parameters: "report", Lossy: "allow",
			Targets: []config.Target{{
				Connection: localName, Upstream: m.ID, Weight: 1, Priority: 1, Context: m.Context,
				Price: &config.Price{Input: &free, Output: &free},
			}},
		})
	}
}

// advice returns what an engine's failure says can be done.
func advice(err error) []string {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Advice
	}
	return nil
}
