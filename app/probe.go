package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/probe"
	"github.com/plenum-foundry/plenum/router"
	"github.com/plenum-foundry/plenum/store"
)

// probesName is what the findings are kept under.
const probesName = "probes"

// loadProbes takes over what was found out of offers. It reports whether that is news: that it changed, or that some of
// it has become too old to count.
func (n *Node) loadProbes(ctx context.Context) (bool, error) {
	b, err := n.store.Setting(ctx, probesName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("reading what was probed: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if string(b) == n.probesRead {
		return !n.probesEnd.IsZero() && !time.Now().Before(n.probesEnd), nil
	}
	found, err := probe.Read(b)
	if err != nil {
		return false, err
	}
	n.probesRead, n.findings = string(b), found
	return true, nil
}

// Probe finds out what the targets of a deployment can do.
func (n foundry) Probe(ctx context.Context, deployment, which, key string) (*admin.Probed, error) {
	s := n.current.Load()
	d, ok := s.Deployment(deployment)
	if !ok {
		return nil, store.ErrNotFound
	}
	what, err := capabilities(which)
	if err != nil {
		return nil, admin.Invalid("capabilities", err.Error())
	}
	caller, err := payer(s, n.keptKeys(), key)
	if err != nil {
		return nil, admin.Invalid("key", err.Error())
	}
	p := &probe.Prober{Runner: gateway.NewRunner(n.current, n.pipeline), Dialect: n.parts.Dialects[0], Caller: caller, Now: time.Now}
	out := &admin.Probed{Deployment: d.Name, Findings: []probe.Finding{}}
	for _, t := range d.Targets {
		fs, err := p.Run(ctx, deployment, t, what)
		n.compare(fs, s, d, &t.Offer)
		out.Findings = append(out.Findings, fs...)
		if err != nil {
			n.log.Error("probing", "deployment", d.Name, "err", err)
			break
		}
	}
	return out, n.keep(context.WithoutCancel(ctx), out.Findings)
}

// compare says beside each finding what was believed until then, and on whose word. What the configuration declares
// of a target stands, whatever is found.
func (n *Node) compare(fs []probe.Finding, s *config.Snapshot, d *plenum.Deployment, o *plenum.Offer) {
	n.mu.Lock()
	old, _ := probe.Of(n.findings, time.Now(), s.Declared.ProbeAge)
	n.mu.Unlock()
	declared := declaredOf(s.Declared, d.Name, o)
	probed := old[o.ID]
	for i := range fs {
		f := &fs[i]
		believed := *router.Field(&o.Traits.Capabilities, f.Capability)
		says := *router.Field(&declared, f.Capability)
		switch {
		case says != plenum.Unknown:
			f.Believed = probe.Word(says) + " (configuration)"
			if f.Can != plenum.Unknown && f.Can != says {
				f.Why += "; the configuration says otherwise, and stands"
			}
		case believed == plenum.Unknown:
			f.Believed = probe.Word(believed)
		case *router.Field(&probed, f.Capability) != plenum.Unknown:
			f.Believed = probe.Word(believed) + " (probed)"
		default:
			f.Believed = probe.Word(believed) + " (catalog)"
		}
	}
}

// declaredOf returns what the configuration declares of a target.
func declaredOf(f *config.File, deployment string, o *plenum.Offer) plenum.Capabilities {
	for i := range f.Deployments {
		d := &f.Deployments[i]
		if d.Name != deployment {
			continue
		}
		for j := range d.Targets {
			t := &d.Targets[j]
			if t.Traits != nil && t.Connection == o.Connection && cmp.Or(t.Upstream, d.Name) == o.Upstream {
				return plenum.Capabilities(t.Traits.Capabilities)
			}
		}
	}
	return plenum.Capabilities{}
}

// keep keeps findings, and has calls chosen by them from now on.
func (n *Node) keep(ctx context.Context, found []probe.Finding) error {
	b, err := n.store.Setting(ctx, probesName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	old, err := probe.Read(b)
	if err != nil {
		return err
	}
	if b, err = json.Marshal(probe.Merge(old, found)); err != nil {
		return err
	}
	if err := n.store.SetSetting(ctx, probesName, b); err != nil {
		return err
	}
	if _, err := n.loadProbes(ctx); err != nil {
		return err
	}
	return n.rebuild()
}

// capabilities reads a list of names; none names all.
func capabilities(list string) ([]router.Capability, error) {
	if list == "" {
		return router.All(), nil
	}
	var out []router.Capability
	for name := range strings.SplitSeq(list, ",") {
		c := router.Capability(strings.TrimSpace(name))
		if !slices.Contains(router.All(), c) {
			return nil, fmt.Errorf("there is no capability %q; there are %v", clipped(name), router.All())
		}
		out = append(out, c)
	}
	return out, nil
}

func clipped(s string) string { return strings.ToValidUTF8(s[:min(len(s), 64)], "?") }

func (n *Node) keptKeys() []plenum.Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.keys
}

// payer returns who the calls are made for: the key that was named, or the first that is good.
func payer(s *config.Snapshot, kept []plenum.Key, id string) (plenum.Principal, error) {
	ids := []string{id}
	if id == "" {
		ids = ids[:0]
		for i := range s.Declared.Keys {
			ids = append(ids, "declared:"+s.Declared.Keys[i].Name)
		}
		for i := range kept {
			ids = append(ids, kept[i].ID)
		}
	}
	for _, id := range ids {
		if k, ok := s.KeyByID(id); ok && identity.Usable(k, time.Now()) == nil {
			return plenum.Principal{KeyID: k.ID, Project: k.Project, Member: k.Member}, nil
		}
	}
	if id != "" {
		return plenum.Principal{}, fmt.Errorf("there is no good key %q", clipped(id))
	}
	return plenum.Principal{}, errors.New("there is no key that the calls could be made with; `plenum create key` makes one")
}

func probeCommand() *cobra.Command {
	var what, key string
	var r remote
	var o output
	cmd := &cobra.Command{
		Use:   "probe DEPLOYMENT",
		Short: "Find out what a deployment's targets can do",
		Long: "Find out what a deployment's targets can do: each is asked one small call for each capability, which\n" +
			"cost what calls cost. What is found out is kept with its date, and calls are then only sent to\n" +
			"targets that can serve them. It comes before what the catalog says until it is older than\n" +
			"probe_age (30 days), and after what the configuration declares of a target.",
		Example: "  plenum probe grok\n  plenum probe grok --capabilities tools,images",
		Args:    one("a deployment"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			if what != "" {
				q.Set("capabilities", what)
			}
			if key != "" {
				q.Set("key", key)
			}
			answer, err := askToProbe(cmd.Context(), r.base, args[0], q)
			if err != nil {
				return err
			}
			return o.showFindings(cmd.OutOrStdout(), answer)
		}),
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&what, "capabilities", "", "only these `names`, with commas between them")
	cmd.Flags().StringVar(&key, "key", "", "the `id` of the key that the calls are made with; the first good one if left out")
	o.flags(cmd)
	return cmd
}

// askToProbe has a running Plenum probe.
func askToProbe(ctx context.Context, base, deployment string, q url.Values) ([]byte, error) {
	r := remote{base: base}
	return r.send(ctx, http.MethodPost, "/deployments/"+url.PathEscape(deployment)+"/probe", q, nil)
}

// showFindings shows what was found out.
func (o *output) showFindings(w io.Writer, answer []byte) error {
	var a struct {
		Findings []probe.Finding `json:"findings"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	var rows [][]string
	for i := range a.Findings {
		f := &a.Findings[i]
		rows = append(rows, []string{f.Offer, string(f.Capability), f.Answer, f.Believed, f.Why})
	}
	return o.show(w, a.Findings, []string{"TARGET", "CAPABILITY", "CAN", "BELIEVED BEFORE", "WHY"}, rows, "The deployment has no targets.")
}
