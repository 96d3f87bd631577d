package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/llm"
	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/store"
)

func policyCommand(parts Parts) *cobra.Command {
	return verb("policy", "Find out what policies decide, and why", explainCommand(parts), dryRunCommand(parts), schemaCommand())
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print what policies can speak of, as a schema of Cedar",
		Long:  "Print what policies can speak of, as a schema of Cedar: for people, and for editors that know the language.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), policy.Schema())
			return err
		},
	}
}

// court is a configuration with its policies, or with others in their place, and the keys that it knows.
type court struct {
	place place
	files []string // policies in the place of those that are declared

	parts    Parts
	snapshot *config.Snapshot
	set      *policy.Set
	compiler *compiler
	store    store.Store // nil where there are no data
	keys     []plenum.Key
}

func (c *court) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&c.files, "policies", nil, "a `file` of statements in the place of the policies that are declared; may be given several times")
	_ = cmd.MarkFlagFilename("policies", "cedar")
}

// with does something while the configuration and the data are open.
func (c *court) with(ctx context.Context, do func() error) error {
	err := c.open(ctx)
	if err == nil {
		err = do()
	}
	return errors.Join(err, c.close())
}

// open reads the configuration, and the data where there are any.
func (c *court) open(ctx context.Context) error {
	f, err := c.place.file()
	if err != nil {
		return err
	}
	if len(c.files) > 0 {
		if f.Policies, err = policiesOf(c.files); err != nil {
			return err
		}
	}
	_, err = os.Stat(filepath.Join(f.DataDir, store.DatabaseName))
	if err == nil || !f.Database.Empty() {
		if c.store, err = openStore(ctx, f); err != nil {
			return err
		}
		if c.keys, err = c.store.Keys(ctx); err != nil {
			return fmt.Errorf("reading the keys: %w", err)
		}
	}
	c.compiler = forNobody(c.parts)
	n := &Node{}
	if c.store != nil {
		if err := c.managed(ctx, f, n); err != nil {
			return err
		}
	}
	c.snapshot, err = n.compileItems(f, func(f *config.File) (*config.Snapshot, error) { return c.compiler.compile(f, c.keys, nil) })
	if err != nil {
		return fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	for i := range f.Keys {
		if k, ok := c.snapshot.KeyByID("declared:" + f.Keys[i].Name); ok {
			c.keys = append(c.keys, *k)
		}
	}
	c.set, _ = c.snapshot.Policies.(*policy.Set)
	return nil
}

// managed has a node know what is declared through the management API; without its policies, where others are given.
func (c *court) managed(ctx context.Context, f *config.File, n *Node) error {
	rs, at, err := c.store.Resources(ctx)
	if err != nil {
		return fmt.Errorf("reading what is declared through the management API: %w", err)
	}
	for i := range rs {
		if rs[i].Item() && (len(c.files) == 0 || rs[i].Kind != "policies") {
			n.items = append(n.items, admin.ItemOf(&rs[i]))
		}
	}
	n.itemsAt = at
	pepper, err := loadPepper(f, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever sealed here
	}
	if err != nil {
		return err
	}
	n.shelf.Open = pepper.OpenText
	return nil
}

func (c *court) close() error {
	if c.store == nil {
		return nil
	}
	return c.store.Close()
}

// drafts reads the policies that are given in the place of those in force.
func (c *court) drafts() ([]admin.Draft, error) {
	list, err := policiesOf(c.files)
	out := make([]admin.Draft, 0, len(list))
	for _, p := range list {
		out = append(out, admin.Draft{Name: p.Name, Cedar: p.Cedar})
	}
	return out, err
}

// judging is a court on what a node has in force, or on drafts in the place of its policies.
func (n foundry) judging(drafts []admin.Draft) (*court, error) {
	c := &court{parts: n.parts, snapshot: n.Snapshot(), store: n.store, compiler: n.compiler}
	c.keys = slices.Clone(n.keptKeys())
	f := c.snapshot.Declared
	for i := range f.Keys {
		if k, ok := c.snapshot.KeyByID("declared:" + f.Keys[i].Name); ok {
			c.keys = append(c.keys, *k)
		}
	}
	if len(drafts) == 0 {
		if set, ok := c.snapshot.Policies.(*policy.Set); ok {
			c.set = set.Fresh()
		}
		return c, nil
	}
	list := make([]policy.Source, len(drafts))
	for i, d := range drafts {
		list[i] = policy.Source{Name: d.Name, Text: d.Cedar}
	}
	set, faults := policy.Compile(list, knowing{n.Catalog()}.knows)
	if len(faults) > 0 {
		p := admin.Invalid(fmt.Sprintf("policies[%d].cedar", faults[0].Policy), faults[0].Error())
		for _, f := range faults[1:] {
			p.Faults = append(p.Faults, admin.Fault{Path: fmt.Sprintf("policies[%d].cedar", f.Policy), Detail: f.Error()})
		}
		return nil, p
	}
	c.set = set
	return c, nil
}

// Explain says what policies decide on a call.
func (n foundry) Explain(ctx context.Context, q *admin.Question) (*admin.Explanation, error) {
	c, err := n.judging(q.Drafts)
	if err != nil {
		return nil, err
	}
	return c.explain(ctx, q)
}

// Retry says what policies would have decided on the calls of a time.
func (n foundry) Retry(ctx context.Context, t *admin.Trial) (*admin.Retrial, error) {
	c, err := n.judging(t.Drafts)
	if err != nil {
		return nil, err
	}
	return c.retry(ctx, t)
}

// policiesOf reads policies from files, each called like its file.
func policiesOf(files []string) ([]config.Policy, error) {
	var out []config.Policy
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a policy: %w", err)
		}
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		out = append(out, config.Policy{Name: name, Cedar: string(text), Enabled: true})
	}
	return out, nil
}

// supposed is a request as it is described on the command line.
type supposed struct {
	key, project, member string
	groups               []string
	model, operation     string
	action               string
	at, from, dialect    string
	stream               bool
}

func (q *supposed) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.key, "key", "", "who calls: a key's `name` or id")
	cmd.Flags().StringVar(&q.project, "project", "", "the `project` of the caller, where it is not the key's")
	cmd.Flags().StringVar(&q.member, "member", "", "the `member` of the caller, where it is not the key's")
	cmd.Flags().StringArrayVar(&q.groups, "group", nil, "a `group` of the caller, where they are not the key's; may be given several times")
	cmd.Flags().StringVar(&q.model, "model", "", "the `name` that is asked for; all deployments if left out")
	cmd.Flags().StringVar(&q.operation, "operation", string(llm.OpGenerate), "what is asked for")
	cmd.Flags().StringVar(&q.action, "action", "", "use, deploy or own; left out it follows from the operation")
	cmd.Flags().StringVar(&q.at, "at", "", "when, as a `time` such as 2027-01-31T15:04:05Z; now if left out")
	cmd.Flags().StringVar(&q.from, "from", "", "the `address` that the call comes from")
	cmd.Flags().StringVar(&q.dialect, "dialect", "openai", "the `dialect` of the caller")
	cmd.Flags().BoolVar(&q.stream, "stream", false, "a streamed answer is asked for")
	_ = cmd.RegisterFlagCompletionFunc("operation", cobra.FixedCompletions(policy.Operations(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("action", cobra.FixedCompletions([]string{"use", "deploy", "own"}, cobra.ShellCompDirectiveNoFileComp))
}

// question is what policies are asked.
func (q *supposed) question(args []string, drafts []admin.Draft) (*admin.Question, error) {
	out := &admin.Question{
		Key: q.key, Project: q.project, Member: q.member, Groups: q.groups, Model: q.model, Operation: q.operation, Action: q.action,
		From: q.from, Dialect: q.dialect, Stream: q.stream, Drafts: drafts,
	}
	if len(args) == 1 {
		out.Call = args[0]
	}
	if q.at != "" {
		at, err := time.Parse(time.RFC3339, q.at)
		if err != nil {
			return nil, fmt.Errorf("--at: %q is not a time such as 2027-01-31T15:04:05Z", q.at)
		}
		out.At = &at
	}
	return out, nil
}

func explainCommand(parts Parts) *cobra.Command {
	c := court{parts: parts}
	p := bench{parts: parts}
	var q supposed
	var o output
	cmd := &cobra.Command{
		Use:   "explain [CALL]",
		Short: "Say which rules decide on a call, and what would change it",
		Long: "Say of a call that is on record, or of one that is described, which rules decide at each target, what the\n" +
			"others lack, and what would turn the decision round: of the values that the policies themselves name.\n" +
			"A call on record is judged by the policies of now. With --config it is the policies of that file, whether a\n" +
			"Plenum serves it or not; without, those in force.",
		Example: "  plenum policy explain --key laptop --model grok\n" +
			"  plenum policy explain --config plenum.yaml --project web --model grok --at 2027-01-31T03:00:00Z\n" +
			"  plenum policy explain --policies draft.cedar req_IWOVCBMYMZ2ROYDEBGFGPZAFCX",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			drafts, err := c.drafts()
			if err != nil {
				return err
			}
			asked, err := q.question(args, drafts)
			if err != nil {
				return err
			}
			if p.config != "" {
				c.place = p.place
				return c.with(cmd.Context(), func() error {
					e, err := c.explain(cmd.Context(), asked)
					if err != nil {
						return err
					}
					return o.showExplanation(cmd.OutOrStdout(), e)
				})
			}
			return p.with(cmd, func(ctx context.Context) error {
				var e admin.Explanation
				if err := p.post(ctx, "/policies:explain", asked, &e); err != nil {
					return err
				}
				return o.showExplanation(cmd.OutOrStdout(), &e)
			})
		}),
	}
	p.flags(cmd)
	c.flags(cmd)
	q.flags(cmd)
	o.flags(cmd)
	return cmd
}

// explain says what the policies decide on a call.
func (c *court) explain(ctx context.Context, q *admin.Question) (*admin.Explanation, error) {
	asked, err := c.asked(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &admin.Explanation{Targets: []admin.Explained{}, Time: time.Now().UTC(), What: q.Operation, Project: q.Project}
	if c.set != nil {
		out.Policies = c.set.Version()
	}
	for i := range asked {
		r := &asked[i]
		out.Key, out.Project, out.Time, out.What = r.Who.KeyName, r.Who.Project, r.Time.UTC(), string(r.Op)
		if r.Action == policy.Deploy {
			out.What = string(policy.Deploy)
		}
		if c.set != nil {
			out.Targets = append(out.Targets, explainedOf(r, c.set.Explain(r)))
		}
	}
	return out, nil
}

func (o *output) showExplanation(w io.Writer, e *admin.Explanation) error {
	switch {
	case o.format == "json":
		return o.show(w, e, nil, nil, "")
	case o.format != "table":
		return fmt.Errorf("there is no output %q; use table or json", o.format)
	case e.Policies == "":
		_, err := fmt.Fprintln(w, "There are no policies in force: every key may use everything.")
		return err
	case len(e.Targets) == 0:
		_, err := fmt.Fprintln(w, "There is no target to decide on.")
		return err
	}
	fmt.Fprintf(w, "Key %s of project %s, %s at %s. Policies @%s.\n", orDash(e.Key), orDash(e.Project), e.What, e.Time.UTC().Format("Mon 2006-01-02 15:04 MST"), e.Policies)
	for i := range e.Targets {
		tellExplained(w, &e.Targets[i])
	}
	return nil
}

// asked returns the requests that are to be explained: one for each target.
func (c *court) asked(ctx context.Context, q *admin.Question) ([]policy.Request, error) {
	if q.Call == "" {
		return c.supposed(q)
	}
	if c.store == nil {
		return nil, errNoData(c.snapshot.Declared.DataDir)
	}
	r, err := c.store.Call(ctx, q.Call)
	if errors.Is(err, store.ErrNotFound) {
		return nil, admin.Invalid("call", fmt.Sprintf("there is no call %q; `plenum get calls` lists the latest", q.Call))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the call: %w", err)
	}
	out, _ := c.recorded(&r)
	return out, nil
}

// supposed returns the requests of a call that is described.
func (c *court) supposed(q *admin.Question) ([]policy.Request, error) {
	who, err := c.who(q)
	if err != nil {
		return nil, err
	}
	op := cmp.Or(llm.Op(q.Operation), llm.OpGenerate)
	if !slices.Contains(policy.Operations(), string(op)) {
		return nil, admin.Invalid("operation", fmt.Sprintf("there is no operation %q (known: %s)", q.Operation, strings.Join(policy.Operations(), ", ")))
	}
	base := policy.Request{Action: policy.Action(q.Action), Who: who, Op: op, Dialect: cmp.Or(q.Dialect, "openai"), Stream: q.Stream, Source: q.From, Time: time.Now()}
	if q.At != nil {
		base.Time = *q.At
	}
	switch base.Action {
	case "":
		base.Action = policy.Use
		if op.Own() {
			base.Action = policy.Own
		}
	case policy.Use, policy.Deploy, policy.Own:
	default:
		return nil, admin.Invalid("action", fmt.Sprintf("there is no action %q; it is use, deploy or own", q.Action))
	}
	if base.Action == policy.Own {
		return []policy.Request{base}, nil
	}
	list := c.snapshot.Callable()
	if q.Model != "" {
		d, ok := c.snapshot.Deployment(q.Model)
		if !ok {
			return nil, admin.Invalid("model", fmt.Sprintf("there is no deployment %q%s", q.Model, orNothing("; did you mean ", strings.Join(c.snapshot.Nearest(q.Model, 3), ", "))))
		}
		list = []*plenum.Deployment{d}
	}
	var out []policy.Request
	for _, d := range list {
		out = append(out, toEach(base, d)...)
	}
	return out, nil
}

func orNothing(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s + "?"
}

// toEach returns a request for each target of a deployment.
func toEach(base policy.Request, d *plenum.Deployment) []policy.Request {
	out := make([]policy.Request, len(d.Targets))
	for i := range d.Targets {
		out[i] = base
		out[i].Deployment, out[i].Offer = d, &d.Targets[i].Offer
	}
	return out
}

// who returns the caller that is described.
func (c *court) who(q *admin.Question) (*plenum.Principal, error) {
	who := plenum.Principal{KeyID: "nobody's", Project: "default"}
	if q.Key != "" {
		i := slices.IndexFunc(c.keys, func(k plenum.Key) bool { return k.ID == q.Key || k.Name == q.Key })
		if i < 0 {
			return nil, admin.Invalid("key", fmt.Sprintf("there is no key %q; `plenum get keys` lists those of the store, and others are in the configuration", q.Key))
		}
		who = c.keys[i].Principal()
	}
	if q.Project != "" {
		who.Project = q.Project
	}
	who.Organization = c.snapshot.OrganizationOf(who.Project)
	if q.Member != "" {
		who.Member = q.Member
	}
	if m, ok := c.snapshot.Member(who.Member); ok {
		who.Groups = slices.Concat(who.Groups, m.Groups)
	}
	if len(q.Groups) > 0 {
		who.Groups = q.Groups
	}
	return &who, nil
}

func explainedOf(r *policy.Request, e *policy.Explanation) admin.Explained {
	v := admin.Explained{Target: policy.Kind(r.Op), Allowed: e.Decision.Allowed, Broken: e.Decision.Broken, Changes: e.Changes, Rules: []admin.Ruling{}}
	if r.Offer != nil {
		v.Deployment, v.Target = r.Deployment.Name, r.Offer.ID
	}
	for _, by := range e.Decision.By {
		v.By = append(v.By, by.Name)
		if v.Message == "" {
			v.Message = by.Message
		}
	}
	for _, x := range e.Verdicts {
		effect := "permit"
		if x.Rule.Forbid {
			effect = "forbid"
		}
		v.Rules = append(v.Rules, admin.Ruling{Rule: x.Rule.Name, Effect: effect, Line: x.Rule.Line, Applies: x.Applies, Lacks: x.Why})
	}
	return v
}

// tellExplained tells an explanation to a person.
func tellExplained(w io.Writer, v *admin.Explained) {
	name := v.Target
	if v.Deployment != "" {
		name = v.Deployment + " at " + v.Target
	}
	word, other := "refused", "allowed"
	if v.Allowed {
		word, other = other, word
	}
	by := "no policy permits it"
	if len(v.By) > 0 {
		by = "by " + strings.Join(v.By, ", ")
	}
	fmt.Fprintf(w, "\n%s: %s, %s\n", name, word, by)
	if v.Message != "" && !v.Allowed {
		fmt.Fprintf(w, "  says: %s\n", v.Message)
	}
	if v.Broken != "" {
		fmt.Fprintf(w, "  it could not be evaluated: %s\n", v.Broken)
	}
	var rows [][]string
	for _, r := range v.Rules {
		says := "applies"
		if !r.Applies {
			says = "does not apply: " + r.Lacks
		}
		rows = append(rows, []string{"  " + r.Effect, r.Rule, says})
	}
	_ = table(w, nil, rows)
	for i, c := range v.Changes {
		if i == 0 {
			fmt.Fprintf(w, "  It would be %s if\n", other)
		}
		fmt.Fprintf(w, "    %s\n", c)
	}
}
