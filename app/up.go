package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store"
)

// upOptions are the flags of `plenum up`.
type upOptions struct {
	listen  string
	dataDir string
	offline bool
	engine  string
	log     string
}

// The choices of engine that are none of the kinds.
const (
	engineAuto = "auto"
	engineNone = "none"
)

func upCommand(parts Parts) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start on embedded defaults: nothing to configure",
		Long: "Start Plenum on embedded defaults, on this machine.\n\n" +
			"Where an Ollama runs with a model, its models are offered. Else a small open-weight model is fetched\n" +
			"once and answers on this machine's processor. Vendor keys found in the environment (XAI_API_KEY,\n" +
			"OPENAI_API_KEY, ANTHROPIC_API_KEY and the like) become connections at once, and every model of theirs\n" +
			"can be called by its name.\n\n" +
			"PLENUM_ADMIN_KEY sets the key that opens /metrics. For a configuration of your own see `plenum serve`.",
		Example: "  plenum up\n  OPENAI_API_KEY=... plenum up --listen 127.0.0.1:9000\n  plenum up --engine none",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return up(cmd.Context(), parts, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		}),
	}
	engines := append([]string{engineAuto, engineNone}, engineNames(parts)...)
	levels := []string{"debug", "info", "warn", "error"}
	cmd.Flags().StringVar(&o.listen, "listen", config.New().Listen, "the `address` to serve on")
	cmd.Flags().StringVar(&o.dataDir, "data-dir", defaultDataDir(), "the `directory` of everything that Plenum keeps")
	cmd.Flags().BoolVar(&o.offline, "offline", false, "fetch nothing; use what is on this machine")
	cmd.Flags().StringVar(&o.engine, "engine", engineAuto, "the local engine: "+strings.Join(engines, ", "))
	cmd.Flags().StringVar(&o.log, "log", "warn", "the least severe lines of the log; info has one for each call")
	_ = cmd.MarkFlagDirname("data-dir")
	_ = cmd.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions(engines, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log", cobra.FixedCompletions(levels, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func engineNames(parts Parts) []string {
	var names []string
	for _, k := range parts.Engines {
		names = append(names, k.Name)
	}
	return names
}

func up(ctx context.Context, parts Parts, o upOptions, stdout, stderr io.Writer) error {
	if err := o.check(parts); err != nil {
		return err
	}
	f := embeddedDefaults(parts, o)
	l, err := listen(ctx, f.Listen, "plenum up")
	if err != nil {
		return err
	}
	defer l.Close()
	log := newLog(stderr, f.Log)
	n, err := Open(ctx, parts, f, log, stderr)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.rebuild(); err != nil {
		return err
	}
	key, err := n.firstKey(ctx)
	if err != nil {
		return err
	}
	g := &greeter{out: stdout, url: urlOf(f, l.Addr()), key: key, vendors: f.Connections, dir: f.DataDir, self: self(), terminal: isTerminal(stdout)}
	g.hello()
	defer afterwards(ctx, func() { g.stopping(n.edge.InFlight()) })()
	kind, eng := chooseEngine(ctx, parts, o)
	if eng == nil {
		g.ready(n.example(), n.callable())
		return n.Serve(ctx, l)
	}
	return n.Serve(ctx, l, func(ctx context.Context) error { return n.supervise(ctx, kind, eng, g) })
}

// afterwards does something as soon as ctx ends. The function that it returns ends that, and waits for
// what has begun.
func afterwards(ctx context.Context, do func()) func() {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(done); do() })
	return func() {
		if !stop() {
			<-done
		}
	}
}

func (o *upOptions) check(parts Parts) error {
	if key := os.Getenv("PLENUM_ADMIN_KEY"); key != "" && len(key) < shortestKey {
		return fmt.Errorf("PLENUM_ADMIN_KEY is shorter than %d characters", shortestKey)
	}
	choices := append([]string{engineAuto, engineNone}, engineNames(parts)...)
	if !slices.Contains(choices, o.engine) {
		return fmt.Errorf("there is no engine %q; use %s", o.engine, strings.Join(choices, ", "))
	}
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, o.log) {
		return fmt.Errorf("there is no log level %q; use %s", o.log, strings.Join(levels, ", "))
	}
	return nil
}

// shortestKey is how long a key that people choose must be.
const shortestKey = 16

// embeddedDefaults is the configuration of a start without one.
func embeddedDefaults(parts Parts, o upOptions) *config.File {
	cat := catalog.New()
	f := config.Defaults(config.Env{}, config.Known{Kinds: vendors(parts), Models: cat.Models, Patterns: cat.Patterns})
	f.Listen, f.DataDir, f.Log.Level = o.listen, o.dataDir, o.log
	if key := os.Getenv("PLENUM_ADMIN_KEY"); key != "" {
		f.AdminKey = plenum.NewSecret(key)
	}
	return f
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

// self is how this program is called from a shell, for commands to paste.
func self() string {
	if _, err := exec.LookPath(plenum.Product); err == nil {
		return plenum.Product
	}
	path, err := os.Executable()
	if err != nil || strings.Contains(path, "go-build") {
		return "go run ./cmd/plenum"
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
			return "." + string(filepath.Separator) + rel
		}
	}
	return path
}

// firstKey makes a key where there is none that is good. Its secret is shown this once.
func (n *Node) firstKey(ctx context.Context) (plenum.Secret, error) {
	for i := range n.keys {
		if identity.Usable(&n.keys[i], time.Now()) == nil {
			return plenum.Secret{}, nil
		}
	}
	secret, _, err := keepKey(ctx, n.store, n.pepper, plenum.Key{Name: "first", Project: "default"})
	if err != nil {
		return plenum.Secret{}, err
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

// example returns the deployment to try Plenum with where there is no local model: the cheapest whose
// price is known, and if none is the first.
func (n *Node) example() string {
	name, least := "", plenum.Rate(0)
	for _, d := range n.current.Load().Callable() {
		if name == "" {
			name = d.Name
		}
		p := &d.Targets[0].Offer.Price
		if rate := p.Input + p.Output; p.Known && (least == 0 || rate < least) && rate > 0 {
			name, least = d.Name, rate
		}
	}
	return name
}

// chooseEngine returns the engine asked for. With auto it is the first that is ready on this machine,
// and where none is the last, which Plenum brings itself.
func chooseEngine(ctx context.Context, parts Parts, o upOptions) (kind string, eng engine.Engine) {
	for i, k := range parts.Engines {
		e := k.New(engine.Settings{Offline: o.offline})
		if o.engine == k.Name {
			return k.Name, e
		}
		if o.engine != engineAuto {
			continue
		}
		if i == len(parts.Engines)-1 || runs(ctx, e) {
			return k.Name, e
		}
	}
	return "", nil
}

// runs reports whether an engine is ready on this machine.
func runs(ctx context.Context, e engine.Engine) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := e.Probe(ctx)
	return err == nil && found.Installed
}

// supervise keeps the local engine alive. Plenum goes on without it: the vendors' models still answer.
func (n *Node) supervise(ctx context.Context, kind string, eng engine.Engine, g *greeter) error {
	sup := &engine.Supervisor{Engine: eng, OnState: func(s engine.State) { n.engineState(kind, s, g) }}
	if err := sup.Run(ctx); err != nil {
		if err := n.Extend(nil); err != nil {
			n.log.Error("taking the local engine away", "err", err)
		}
		g.engineFailed(err, n.example(), n.callable())
	}
	return nil
}

// engineState follows the engine: what it offers when it is ready becomes a connection with deployments.
func (n *Node) engineState(kind string, s engine.State, g *greeter) {
	switch s.Phase {
	case engine.Ready:
		if err := n.Extend(func(f *config.File) { addEngine(f, kind, s.Endpoint) }); err != nil {
			n.log.Error("taking the local engine over", "err", err)
			return
		}
		names := n.callable()
		g.ready(localModel(names, s.Endpoint), names)
	case engine.Installing:
		g.progress(s.Progress)
	case engine.Starting, engine.Probing:
		g.doing(s.Message)
	case engine.Restarting:
		n.log.Warn("the local engine failed and is started again", "why", s.Message)
	default: // there is nothing to do
	}
}

// localName is what the connection to the local engine is called.
const localName = "local"

// toolless are the engines whose model calls no tools, however it is asked: the small model that Plenum
// brings has no words for them.
func toolless(kind string) bool { return kind == "llamacpp" }

// addEngine declares a connection to the engine and a deployment for each of its models.
func addEngine(f *config.File, kind string, e engine.Endpoint) {
	c := config.Connection{
		Name: localName, Provider: kind, BaseURL: e.BaseURL, Credentials: map[string]plenum.Secret{},
		// On a processor the first word of a long prompt takes its time.
		Timeouts: config.Timeouts{Connect: 5 * time.Second, FirstByte: 5 * time.Minute, Idle: 2 * time.Minute, Total: 30 * time.Minute},
	}
	if !e.Key.Empty() {
		c.Credentials["api_key"] = e.Key
	}
	f.Connections = append(f.Connections[:len(f.Connections):len(f.Connections)], c)
	taken := map[string]bool{}
	for i := range f.Deployments {
		taken[f.Deployments[i].Name] = true
	}
	f.Deployments = f.Deployments[:len(f.Deployments):len(f.Deployments)]
	for _, m := range e.Models {
		name := m.ID
		if taken[name] {
			name = localName + "/" + m.ID
		}
		f.Deployments = append(f.Deployments, config.Deployment{
			Name: name, Strategy: "ordered", Parameters: "report", Lossy: "allow", Targets: []config.Target{localTarget(kind, m)},
		})
	}
}

func localTarget(kind string, m engine.Model) config.Target {
	free := plenum.Rate(0)
	t := config.Target{
		Connection: localName, Upstream: m.ID, Weight: 1, Priority: 1, Context: m.Context,
		Price: &config.Price{Input: &free, Output: &free},
	}
	if toolless(kind) {
		t.Traits = &config.Traits{Capabilities: config.Capabilities{Tools: plenum.No}}
	}
	return t
}

// localModel returns the name by which the first model of an engine is called.
func localModel(callable []string, e engine.Endpoint) string {
	if len(e.Models) == 0 {
		return ""
	}
	if own := localName + "/" + e.Models[0].ID; slices.Contains(callable, own) {
		return own
	}
	return e.Models[0].ID
}

// advice returns what an engine's failure says can be done.
func advice(err error) []string {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Advice
	}
	return nil
}

// keepKey makes the secret of a key and keeps the key.
func keepKey(ctx context.Context, s store.Store, pepper *identity.Pepper, want plenum.Key) (plenum.Secret, plenum.Key, error) {
	secret, key, err := identity.New(rand.Reader, pepper, time.Now())
	if err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("making a key: %w", err)
	}
	key.Name, key.Project, key.Member, key.Expires, key.Admin, key.Scope = want.Name, want.Project, want.Member, want.Expires, want.Admin, want.Scope
	if err := s.CreateKey(ctx, key); err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("keeping a key: %w", err)
	}
	return secret, key, nil
}
