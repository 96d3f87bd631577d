package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/alert"
	"github.com/plenum-foundry/plenum/batch"
	books "github.com/plenum-foundry/plenum/budget"
	"github.com/plenum-foundry/plenum/budget/valkey"
	"github.com/plenum-foundry/plenum/catalog"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/desk"
	"github.com/plenum-foundry/plenum/file"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/history"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/h1"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/anchor"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/metric"
	"github.com/plenum-foundry/plenum/probe"
	"github.com/plenum-foundry/plenum/scim"
	"github.com/plenum-foundry/plenum/signin"
	"github.com/plenum-foundry/plenum/stage/budget"
	"github.com/plenum-foundry/plenum/stage/policy"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/sealed"
	"github.com/plenum-foundry/plenum/store/sqlite"
	"github.com/plenum-foundry/plenum/transcript"
)

// How often a node looks whether keys were made or revoked in the store, or something else that it follows has changed;
// and how often where the store says so at once. That asks for three numbers, and reads the rest only where one of them
// has changed.
const (
	keysEvery   = 250 * time.Millisecond
	keysBeneath = time.Second
)

// Node is one running Plenum: what it keeps, the snapshot it answers under, and the server.
type Node struct {
	parts       Parts
	log         *slog.Logger
	dir         string
	store       store.Store
	follower    store.Follower // the store, where it says what changes; nil where it does not
	ledger      *ledger.Ledger
	pepper      *identity.Pepper
	safe        safe
	tokens      *identity.Tokens
	catalog     *catalog.Catalog
	compiler    *compiler
	current     *config.Current
	metrics     *metric.Metrics
	edge        *gateway.Edge
	management  *admin.Server
	desk        *desk.Desk
	signin      *signin.Server
	scim        *scim.Server
	files       *file.Keeper
	batches     *batch.Engine
	pipeline    gateway.Handler
	history     *history.History
	transcripts *transcript.Keeper
	book        books.Book
	alerts      *alert.Watch
	shared      *valkey.Book    // the book, where several nodes share it
	shares      *books.Shares   // that book, with what this node has put by of it
	losses      []plenum.Record // calls with charges that a stopped process left open
	logs        *callLog
	anchors     *anchor.Keeper
	draining    atomic.Bool
	warned      map[string]bool // warn: what was told of the configuration in force

	mu     sync.Mutex // of what a snapshot is compiled from
	file   *config.File
	add    func(*config.File) // what engines add to the file
	keys   []plenum.Key
	keysAt int64 // of which revision they are
	uses   identity.Uses

	shelf   config.Shelf // what is declared through the management API, read
	items   []config.Item
	itemsAt int64           // their revision
	left    config.Problems // of those that are not in force

	findings   []probe.Finding // what was probed
	probesRead string          // what that was read from
	probesEnd  time.Time       // when some of it becomes too old; zero where none does

	tablesAt int64 // the version of the imported tables
}

// Open opens a node on a configuration: the data directory, the store, the ledger. Close gives them up.
func Open(ctx context.Context, parts Parts, f *config.File, log *slog.Logger, w io.Writer) (*Node, error) {
	n := &Node{parts: parts, log: log, dir: f.DataDir, current: &config.Current{}, catalog: catalog.New(), file: f}
	if err := n.open(ctx, f); err != nil {
		n.Close()
		return nil, err
	}
	n.shelf.Open = n.safe.open
	n.compiler = newCompiler(parts.Providers, n.catalog, n.pepper.MAC)
	n.metrics = metric.New(func() float64 { return float64(n.edge.InFlight()) }, n.transcribed)
	n.logs = newCallLog(w, f.Log)
	n.tokens = identity.NewTokens(clock.Real, log)
	n.files = file.New(n.store, clock.Real, log)
	n.batches = batch.New(n.store, n.files, parts.Dialects, clock.Real, log)
	n.batches.Alone = f.Database.Empty() // the ledger's lock keeps others off the data directory
	n.history = history.New(history.Redacting(n.store, n.redactorOf), n.name(), clock.Real, log)
	n.transcripts = transcript.New(n.store, n.ledger, n.current.Load, clock.Real, log)
	if err := n.openBook(ctx, f); err != nil {
		n.Close()
		return nil, err
	}
	accounts := budget.NewAccounts(n.book, clock.Real)
	n.alerts = alert.New(n.name(), n.book, n.store, n.current.Load, clock.Real, log)
	accounts.Touched = n.alerts.Touch
	n.pipeline = Pipeline(Mechanisms{
		Ledger: n.ledger, Observers: []auditObserver{n.metrics, n.logs}, Pepper: n.pepper, Tokens: n.tokens, Uses: &n.uses, Clock: clock.Real,
		Policy:  policy.Cedar{Clock: clock.Real},
		Budgets: accounts, Limits: accounts, History: n.history, Keeper: n.transcripts, Owners: owners{n.store}, Own: joined(n.files.Handlers(), n.batches.Handlers(), n.history.Handlers(), clientSecrets{n.pepper}.Handlers(), map[llm.Op]gateway.Handler{llm.OpKeyInfo: keyInfo}),
	})
	n.edge = gateway.NewEdge(parts.Dialects, n.current, n.pipeline, log)
	if err := n.loadKeys(ctx); err != nil {
		n.Close()
		return nil, err
	}
	if _, err := n.loadItems(ctx); err != nil {
		n.Close()
		return nil, err
	}
	if _, err := n.loadProbes(ctx); err != nil {
		n.Close()
		return nil, err
	}
	if _, err := n.loadTables(ctx); err != nil {
		n.Close()
		return nil, err
	}
	n.desk = desk.New(stall{foundry{n}}, n.store, Pipeline(Mechanisms{}), parts.Dialects[0], n.name(), clock.Real, log)
	n.management = admin.New(foundry{n}, n.store, clock.Real, log)
	n.signin = n.newSignIn()
	n.scim = n.newDirectory()
	return n, nil
}

// transcribed tells how many transcripts were kept and dropped.
func (n *Node) transcribed() (kept, dropped int64) {
	c := n.transcripts.Counts()
	return c.Kept, c.Dropped
}

// joined puts the handlers of operations on what callers own together.
func joined(all ...map[llm.Op]gateway.Handler) map[llm.Op]gateway.Handler {
	out := map[llm.Op]gateway.Handler{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// name tells this node's work from that of others: no other has this directory on this machine.
func (n *Node) name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	if dir, err := filepath.Abs(n.dir); err == nil {
		return host + ":" + dir
	}
	return host + ":" + n.dir
}

func (n *Node) open(ctx context.Context, f *config.File) (err error) {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	if n.pepper, err = loadPepper(f, true); err != nil {
		return err
	}
	sync := ledger.SyncOff
	if f.Ledger.Fsync {
		sync = ledger.SyncAlways
	}
	n.ledger, err = ledger.Open(filepath.Join(n.dir, store.JournalName), ledger.Options{Sync: sync, Log: n.log, Settle: n.lost})
	if errors.Is(err, ledger.ErrLocked) {
		return fmt.Errorf("another Plenum is running on %s; stop it, or give this one a data_dir of its own", n.dir)
	}
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	if n.anchors, err = anchors(f, n.ledger, n.log); err != nil {
		return err
	}
	if n.safe, err = openSafe(f, n.parts.KMS, n.pepper); err != nil {
		return err
	}
	s, err := openStore(ctx, f)
	if err != nil {
		return err
	}
	n.store = sealed.New(s, n.safe.vault)
	n.follower, _ = s.(store.Follower)
	return n.kin(ctx, f)
}

func openStore(ctx context.Context, f *config.File) (store.Store, error) {
	if !f.Database.Empty() {
		s, err := postgres.Open(ctx, f.Database)
		if err != nil {
			return nil, fmt.Errorf("opening the database: %w", err)
		}
		return s, nil
	}
	s, err := sqlite.Open(ctx, filepath.Join(f.DataDir, store.DatabaseName))
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return s, nil
}

// Close gives up what Open opened. What the ledger has not shipped is shipped after the next Open.
func (n *Node) Close() error {
	var errs []error
	if n.ledger != nil {
		errs = append(errs, n.ledger.Close())
	}
	if n.shared != nil {
		n.shared.Close()
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.logs != nil {
		n.logs.flush()
	}
	return errors.Join(errs...)
}

// build compiles a file with the keys and engines of this moment, and keeps it as the one in force.
func (n *Node) build(f *config.File) (*config.Snapshot, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, err := n.compileLocked(f)
	if err == nil {
		n.file = f
	}
	return s, err
}

// rebuild publishes a snapshot of the file in force, after keys or engines have changed.
func (n *Node) rebuild() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, err := n.compileLocked(n.file)
	if err != nil {
		return err
	}
	n.current.Store(s)
	return nil
}

// Extend makes what add does to a configuration part of every snapshot from now on.
func (n *Node) Extend(add func(*config.File)) error {
	n.mu.Lock()
	n.add = add
	n.mu.Unlock()
	return n.rebuild()
}

func (n *Node) loadKeys(ctx context.Context) error {
	_, err := n.takeKeys(ctx)
	return err
}

// takeKeys takes over the keys of the store, and reports whether they have changed.
func (n *Node) takeKeys(ctx context.Context) (bool, error) {
	at, err := n.store.KeysRevision(ctx) // before the keys: what changes in between is read again
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	same := n.keys != nil && at == n.keysAt
	n.mu.Unlock()
	if same {
		return false, nil
	}
	keys, err := n.store.Keys(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the keys: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	changed := !reflect.DeepEqual(keys, n.keys)
	n.keys, n.keysAt = keys, at
	return changed, nil
}

// keepUses tells the store which keys were used.
func (n *Node) keepUses(ctx context.Context) error {
	used := n.uses.Take()
	if len(used) == 0 {
		return nil
	}
	if err := n.store.UseKeys(ctx, used); err != nil {
		n.uses.Again(used)
		return err
	}
	return nil
}

// usesEvery is how often the store is told which keys were used.
const usesEvery = 10 * time.Second

// watchUses tells it again and again, and once more at the end.
func (n *Node) watchUses(ctx context.Context) error {
	tick := time.NewTicker(usesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := n.keepUses(last); err != nil {
				n.log.Warn("when keys were last used could not be kept", "err", err)
			}
			return nil
		case <-tick.C:
			if err := n.keepUses(ctx); err != nil {
				n.log.Warn("when keys were last used could not be kept", "err", err)
			}
		}
	}
}

// watchKeys takes over keys that were made or revoked, by this process or another. While the store
// cannot be read the keys known so far stay good: a database that is down is no reason to refuse.
func (n *Node) watchKeys(ctx context.Context) error {
	said, beneath := n.follow(ctx)
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-said:
		case now := <-tick.C:
			if beneath.Load() && now.Sub(looked) < keysBeneath {
				continue
			}
		}
		looked = time.Now()
		changed, err := n.takeKeys(ctx)
		if err != nil {
			continue
		}
		probed, err := n.loadProbes(ctx)
		if err != nil {
			n.log.Error("taking over what was probed", "err", err)
		}
		declared, err := n.loadItems(ctx)
		if err != nil {
			n.log.Error("taking over what is declared through the management API", "err", err)
		}
		imported, err := n.loadTables(ctx)
		if err != nil {
			n.log.Error("taking over the tables that were imported", "err", err)
		}
		if !changed && !probed && !declared && !imported {
			continue
		}
		if err := n.rebuild(); err != nil {
			n.log.Error("taking over what the store has", "err", err)
		}
	}
}

// Serve answers on the listener until ctx ends, then lets the calls in flight finish, as long as drain
// says, and stops. The loops run beside it and end with it.
func (n *Node) Serve(ctx context.Context, l net.Listener, loops ...func(context.Context) error) error {
	f := n.current.Load().Declared
	std := n.server(f)
	if f.TLS != nil {
		more, err := n.secure(std, f.TLS)
		if err != nil {
			return err
		}
		loops = append(slices.Clone(loops), more...)
	}
	srv := h1.NewServer(std)
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, run := errgroup.WithContext(run)
	g.Go(func() error { return n.ledger.Run(run, n.store) })
	g.Go(func() error { return n.watchKeys(run) })
	g.Go(func() error { return n.watchUses(run) })
	g.Go(func() error { return n.keepSums(run) })
	g.Go(func() error {
		return ignoreCanceled(n.tokens.Run(run, func() []*plenum.Issuer { return n.current.Load().Issuers() }))
	})
	g.Go(func() error { return ignoreCanceled(n.files.Run(run)) })
	g.Go(func() error { return ignoreCanceled(n.batches.Run(run, gateway.NewRunner(n.current, n.pipeline))) })
	g.Go(func() error { return n.history.Run(run, gateway.NewRunner(n.current, n.pipeline)) })
	g.Go(func() error { return ignoreCanceled(n.transcripts.Run(run)) })
	g.Go(func() error { return n.logs.run(run) })
	g.Go(func() error { return ignoreCanceled(n.anchors.Run(run)) })
	g.Go(func() error { return ignoreCanceled(n.alerts.Run(run)) })
	g.Go(func() error { return ignoreCanceled(n.desk.Run(run)) })
	if n.shared != nil {
		g.Go(func() error { return ignoreCanceled(n.shared.Run(run)) })
	}
	if n.shares != nil {
		g.Go(func() error { return ignoreCanceled(n.share(run)) })
	}
	for _, loop := range loops {
		g.Go(func() error { return ignoreCanceled(loop(run)) })
	}
	if local, err := n.listenLocal(run); err == nil {
		g.Go(func() error { return n.serveLocal(run, local) })
	} else {
		n.log.Warn("commands on this machine cannot reach this Plenum by its data directory; give them --url", "err", err)
	}
	g.Go(func() error { return n.listen(srv, l, f) })
	g.Go(tidy)
	select {
	case <-ctx.Done():
	case <-run.Done():
	}
	n.drain(srv, f.DrainDelay, f.Drain)
	stop()
	err := ignoreCanceled(g.Wait())
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if n.shares != nil {
		n.shares.Close(last)
	}
	return errors.Join(err, n.ledger.Drain(last, n.store))
}

// secure gives a server its certificates, and returns what looks after them.
func (n *Node) secure(srv *http.Server, conf *config.TLS) (loops []func(context.Context) error, err error) {
	var a *acmeAuthority
	if conf.ACME != nil {
		if a, err = n.newAuthority(conf.ACME); err != nil {
			return nil, err
		}
		if a.http != nil {
			answer, err := a.listenHTTP()
			if err != nil {
				return nil, err
			}
			loops = append(loops, answer)
		}
		loops = append(loops, a.run)
	}
	certs, err := openCertificates(conf, a, n.log)
	if err != nil {
		return nil, err
	}
	srv.TLSConfig = certs.server()
	return loops, nil
}

// tidy gives back the memory that starting took (catalogue, migrations, configuration): else the first
// calls would let the heap grow to twice that. What pools hold takes two collections.
func tidy() error {
	runtime.GC()
	debug.FreeOSMemory()
	dropProgram()
	return nil
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (n *Node) listen(srv *h1.Server, l net.Listener, f *config.File) error {
	var err error
	if f.TLS != nil {
		err = srv.ServeTLS(l, "", "") // the server's configuration has the certificate
	} else {
		err = srv.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving: %w", err)
}

// drain says that the node is not ready, takes no new calls after the delay and waits for those in flight. Who is still
// busy after the time is cut off.
func (n *Node) drain(srv *h1.Server, delay, patience time.Duration) {
	n.draining.Store(true)
	if delay > 0 {
		srv.Leave()
		n.log.Info("not ready any more, and taking calls for a while", "for", delay.String())
		time.Sleep(delay)
	}
	n.log.Info("draining", "in_flight", n.edge.InFlight(), "at_most", patience.String())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n.edge.End()
	err := srv.Shutdown(ctx)
	for err == nil && n.edge.InFlight() > 0 { // sessions, which the server does not know any more
		err = clock.Real.Sleep(ctx, 20*time.Millisecond)
	}
	if err != nil {
		n.log.Warn("calls were cut off at the end of the drain", "in_flight", n.edge.InFlight())
		_ = srv.Close()
	}
}

func (n *Node) server(f *config.File) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           n.handler(),
		ReadHeaderTimeout: f.Timeouts.ReadHeader,
		IdleTimeout:       f.Timeouts.Idle,
		MaxHeaderBytes:    256 << 10,
		Protocols:         &protocols,
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
}
