package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
)

func createCommand(parts Parts) *cobra.Command {
	return verb("create", "Make a key, or declare something in a running Plenum", append([]*cobra.Command{createKeyCommand(parts)}, nounCommands(createNounCommand)...)...)
}

func deleteCommand(parts Parts) *cobra.Command {
	return verb("delete", "Revoke a key, or take away what was declared in a running Plenum", append([]*cobra.Command{deleteKeyCommand(parts)}, nounCommands(deleteNounCommand)...)...)
}

// newKey is what is wanted of a key.
type newKey struct {
	project string
	member  string
	expires string
	scope   config.KeyScope
	aws     bool // show what signs for AWS rather than the secret itself
}

func createKeyCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	var k newKey
	cmd := &cobra.Command{
		Use:   "key NAME",
		Short: "Make a key that applications call with",
		Long: "Make a key. Its secret is shown this once: what is kept is a hash of it.\n\n" +
			"Where the output is not a terminal, only the secret is written to it, so that a script can take it.",
		Example: "  plenum create key laptop\n" +
			"  plenum create key ci --project tests --expires 30d\n" +
			"  plenum create key search --deployment 'embed-*' --operation embed --network 10.0.0.0/8\n" +
			"  export PLENUM_KEY=$(plenum create key shell --expires 12h)\n" +
			"  export $(plenum create key lambda --aws)        AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for Bedrock's SDKs",
		Args:              one("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			asked, err := k.asked(args[0], time.Now())
			if err != nil {
				return err
			}
			return p.with(cmd, func(ctx context.Context) error {
				var key admin.Key
				if err := p.post(ctx, "/keys", asked, &key); err != nil {
					return err
				}
				if k.aws {
					return showAWS(cmd.OutOrStdout(), cmd.ErrOrStderr(), &key)
				}
				return showKey(cmd.OutOrStdout(), cmd.ErrOrStderr(), &key)
			})
		}),
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&k.project, "project", "default", "the `project` that its calls belong to")
	cmd.Flags().StringVar(&k.member, "member", "", "the `person` that it belongs to")
	cmd.Flags().BoolVar(&k.aws, "aws", false, "show it as an AWS access key, for SDKs that sign their requests (Signature Version 4)")
	cmd.Flags().StringSliceVar(&k.scope.Deployments, "deployment", nil, "the `deployments` that it is good for, such as grok or 'gpt-*'; all if left out")
	cmd.Flags().StringSliceVar(&k.scope.Operations, "operation", nil, "the `operations` that it is good for, such as generate or embed; all if left out")
	cmd.Flags().StringSliceVar(&k.scope.Networks, "network", nil, "the `networks` that calls may come from, such as 10.0.0.0/8; all if left out")
	cmd.Flags().StringVar(&k.expires, "expires", "", "when it ends: after a `time` such as 30d or 12h, or on a day such as 2027-01-31; never if left out")
	return cmd
}

// asked is what the management API is asked for.
func (k *newKey) asked(name string, now time.Time) (map[string]any, error) {
	expires, err := parseExpiry(k.expires, now)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"name": name, "project": k.project, "member": k.member}
	if expires != 0 {
		out["expires"] = millis(expires).UTC()
	}
	scope := map[string][]string{}
	for what, list := range map[string][]string{"deployments": k.scope.Deployments, "operations": k.scope.Operations, "networks": k.scope.Networks} {
		if len(list) > 0 {
			scope[what] = list
		}
	}
	if len(scope) > 0 {
		out["scope"] = scope
	}
	return out, nil
}

// parseExpiry reads when a key ends, as Unix milliseconds; 0 is never.
func parseExpiry(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.ParseInLocation("2006-01-02", text, now.Location())
	if err != nil {
		span, err := parseSpan(text)
		if err != nil {
			return 0, fmt.Errorf("--expires: %w, or a day such as 2027-01-31", err)
		}
		at = now.Add(span)
	}
	if !at.After(now) {
		return 0, fmt.Errorf("--expires: %s is past", at.Format(time.DateTime))
	}
	return at.UnixMilli(), nil
}

// showKey tells a new key to a person, or its bare secret to a program.
func showKey(out, notes io.Writer, k *admin.Key) error {
	about := notes
	if isTerminal(out) {
		about = out
		fmt.Fprintf(out, "  Key      %s\n           shown this once: keep it\n", k.Secret)
	} else if _, err := fmt.Fprintln(out, k.Secret); err != nil {
		return err
	}
	fmt.Fprintf(about, "  Id       %s\n  Name     %s\n  Project  %s\n", k.ID, k.Name, k.Project)
	if k.Expires != nil {
		fmt.Fprintf(about, "  Expires  %s\n", when(*k.Expires))
	}
	return nil
}

// showAWS tells a new key as what AWS's SDKs take.
func showAWS(out, notes io.Writer, k *admin.Key) error {
	if isTerminal(out) {
		notes = out
	}
	if _, err := fmt.Fprintf(out, "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", k.ID, k.AWS); err != nil {
		return err
	}
	_, err := fmt.Fprintf(notes, "\n  Shown this once: keep it. Any region will do; the address of Plenum goes into AWS_ENDPOINT_URL_BEDROCK_RUNTIME.\n  Name     %s\n  Project  %s\n", k.Name, k.Project)
	return err
}

func getKeysCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	var o output
	cmd := &cobra.Command{
		Use:     "keys",
		Aliases: []string{"key"},
		Short:   "List the keys",
		Long:    "List the keys. Their secrets are not kept and cannot be shown.",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return p.with(cmd, func(ctx context.Context) error {
				keys, err := p.keys(ctx)
				if err != nil {
					return err
				}
				return o.showKeys(cmd.OutOrStdout(), keys)
			})
		}),
	}
	p.flags(cmd)
	o.flags(cmd)
	return cmd
}

// keys returns all keys, those first that were made first.
func (r *remote) keys(ctx context.Context) ([]admin.Key, error) {
	out := []admin.Key{}
	err := eachItem(ctx, r, "/keys", nil, func(k admin.Key) { out = append(out, k) })
	made := func(k *admin.Key) time.Time {
		if k.Created == nil {
			return time.Time{}
		}
		return *k.Created
	}
	slices.SortStableFunc(out, func(a, b admin.Key) int { return made(&a).Compare(made(&b)) })
	return out, err
}

func (o *output) showKeys(w io.Writer, keys []admin.Key) error {
	at := func(t *time.Time, none string) string {
		if t == nil {
			return none
		}
		return when(*t)
	}
	rows := make([][]string, len(keys))
	for i := range keys {
		k := &keys[i]
		made := at(k.Created, "in "+k.Declared)
		rows[i] = []string{k.ID, k.Name, k.Project, k.Prefix + "...", k.State, made, at(k.Expires, "never"), at(k.Used, "never")}
	}
	return o.show(w, keys, []string{"ID", "NAME", "PROJECT", "KEY", "STATE", "MADE", "EXPIRES", "LAST USED"}, rows,
		"There is no key. `plenum create key NAME` makes one.")
}

func rotateKeyCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	var overlap string
	cmd := &cobra.Command{
		Use:   "key ID",
		Short: "Give a key another secret",
		Long: "Give a key another secret, by its id or by a name that only one good key has. The one that it had stays good\n" +
			"for the overlap, so that applications can be moved one by one. The key stays the same: its id, its project,\n" +
			"its budgets and its records. The new secret is shown this once.",
		Example: "  plenum rotate key laptop\n" +
			"  export PLENUM_KEY=$(plenum rotate key ci --overlap 0s)     the old one is dead at once",
		Args:              one("ID"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			var span time.Duration
			if overlap != "0s" && overlap != "0" {
				var err error
				if span, err = parseSpan(overlap); err != nil {
					return fmt.Errorf("--overlap: %w", err)
				}
			}
			return p.with(cmd, func(ctx context.Context) error {
				k, err := p.findKey(ctx, args[0])
				if err != nil {
					return err
				}
				var fresh admin.Key
				if err := p.post(ctx, "/keys/"+url.PathEscape(k.ID)+"/rotate", map[string]any{"overlap": span.String()}, &fresh); err != nil {
					return err
				}
				if err := showKey(cmd.OutOrStdout(), cmd.ErrOrStderr(), &fresh); err != nil {
					return err
				}
				if fresh.Overlap == nil {
					_, err = fmt.Fprintln(cmd.ErrOrStderr(), "  The secret that it had is good no more.")
					return err
				}
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "  The secret that it had is good until %s.\n", when(*fresh.Overlap))
				return err
			})
		}),
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&overlap, "overlap", "24h", "how `long` the secret that it had stays good; 0s is not at all")
	return cmd
}

func deleteKeyCommand(parts Parts) *cobra.Command {
	p := bench{parts: parts}
	cmd := &cobra.Command{
		Use:   "key ID",
		Short: "Revoke a key",
		Long: "Revoke a key, by its id or by a name that only one good key has. Every node refuses it within a second. What\n" +
			"was called with it stays on record.",
		Args:              one("ID"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			return p.with(cmd, func(ctx context.Context) error {
				k, err := p.findKey(ctx, args[0])
				if err != nil {
					return err
				}
				if _, err := p.send(ctx, http.MethodDelete, "/keys/"+url.PathEscape(k.ID), nil, nil); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Revoked %s (%s). Every node refuses it within a second.\n", k.ID, k.Name)
				return err
			})
		}),
	}
	p.flags(cmd)
	return cmd
}

// findKey returns the key of an id, or of a name that only one good key has.
func (r *remote) findKey(ctx context.Context, asked string) (*admin.Key, error) {
	keys, err := r.keys(ctx)
	if err != nil {
		return nil, err
	}
	var named []*admin.Key
	for i := range keys {
		k := &keys[i]
		if k.ID == asked {
			return k, nil
		}
		if k.Name == asked && k.State == "good" && k.Declared == "" {
			named = append(named, k)
		}
	}
	switch len(named) {
	case 0:
		return nil, fmt.Errorf("there is no key %q; `plenum get keys` lists them", asked)
	case 1:
		return named[0], nil
	default:
		return nil, fmt.Errorf("%d keys are called %q; give the id of one, as `plenum get keys` lists them", len(named), asked)
	}
}
