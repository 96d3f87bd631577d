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
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/migrate"
)

func importCommand() *cobra.Command {
	return verb("import", "Take over what another gateway knows", importLiteLLMCommand(), importBifrostCommand())
}

// takeover is what is done with what was read.
type takeover struct {
	remote
	dry    bool
	out    string
	report string
}

func (t *takeover) flags(cmd *cobra.Command) {
	t.remote.flags(cmd)
	cmd.Flags().BoolVar(&t.dry, "dry-run", false, "show what would be taken over, and change nothing")
	cmd.Flags().StringVarP(&t.out, "output", "o", "", "write the declaration to this `file`, and change nothing; keys are not in it")
	cmd.Flags().StringVar(&t.report, "report", "", "write the report to this `file` too, as JSON")
}

func importLiteLLMCommand() *cobra.Command {
	var t takeover
	var file, database string
	cmd := &cobra.Command{
		Use:   "litellm",
		Short: "Take over LiteLLM's models, teams, users, budgets and keys",
		Long: "Take over what LiteLLM's proxy knows: from its configuration file the models and how they are routed, from its database the\n" +
			"teams, users, budgets, limits, models and keys. Keys stay good: what LiteLLM keeps of them is a hash, and that is enough.\n" +
			"The report says of each setting what became of it.\n\n" +
			"All that is declared takes effect at once, or nothing; then the keys are taken over one by one. A run that was interrupted is\n" +
			"run again: what is there already stays as it is. Credentials in the database are opened with LITELLM_SALT_KEY.",
		Example: "  plenum import litellm -f config.yaml --dry-run\n" +
			"  plenum import litellm -f config.yaml --database postgres://... --url https://plenum.example",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			if file == "" && database == "" {
				return &usageError{"nothing to read: give -f, --database or both"}
			}
			var r *migrate.Result
			if file != "" {
				text, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("reading LiteLLM's configuration: %w", err)
				}
				if r, err = migrate.LiteLLM(text); err != nil {
					return err
				}
			}
			if database != "" {
				salt := os.Getenv("LITELLM_SALT_KEY")
				if salt == "" {
					salt = os.Getenv("LITELLM_MASTER_KEY")
				}
				var err error
				if r, err = migrate.LiteLLMDatabase(cmd.Context(), r, migrate.Source{Address: database, Salt: salt}, clock.Real.Now()); err != nil {
					return err
				}
			}
			return t.take(cmd.Context(), r, cmd.OutOrStdout())
		}),
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "LiteLLM's configuration `file`")
	cmd.Flags().StringVar(&database, "database", "", "the `address` of its database: postgres://...")
	return cmd
}

// take makes a running Plenum know what was read.
func (t *takeover) take(ctx context.Context, r *migrate.Result, out io.Writer) error {
	if err := t.tell(r, out); err != nil {
		return err
	}
	declaration, err := r.Declaration()
	if err != nil {
		return err
	}
	if t.out != "" {
		var b bytes.Buffer
		if err := config.WriteYAML(&b, declaration); err != nil {
			return err
		}
		return os.WriteFile(t.out, b.Bytes(), 0o600)
	}
	body, err := applicable(declaration)
	if err != nil {
		return err
	}
	answer, err := t.send(ctx, http.MethodPost, "/declarations:apply", url.Values{"dry_run": {strconv.FormatBool(t.dry)}}, body)
	if err != nil {
		return err
	}
	var plan admin.Plan
	if err := json.Unmarshal(answer, &plan); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	showPlan(out, &plan)
	if t.dry {
		_, err := fmt.Fprintf(out, "%d keys to take over.\n", len(r.Keys))
		if err == nil && len(r.Spent) > 0 {
			_, err = fmt.Fprintf(out, "What was spent of %d budgets is to be carried over.\n", len(r.Spent))
		}
		return err
	}
	if err := t.takeKeys(ctx, r, out); err != nil {
		return err
	}
	return t.carry(ctx, r, out)
}

// applicable returns a declaration with the values of its references, as plenum apply sends it.
func applicable(declaration []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "plenum-import-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "declaration.yaml")
	if err := os.WriteFile(file, declaration, 0o600); err != nil {
		return nil, err
	}
	lists, err := config.LoadDeclaration(file, config.Env{})
	if err != nil {
		return nil, fmt.Errorf("what was read cannot be declared as it is; write it to a file with -o, mend that, and run plenum apply:\n%w", err)
	}
	return json.Marshal(lists)
}

// takeKeys takes the keys over. One that is here already stays as it is.
func (t *takeover) takeKeys(ctx context.Context, r *migrate.Result, out io.Writer) error {
	fresh, known := 0, 0
	for i := range r.Keys {
		k := &r.Keys[i]
		body, err := json.Marshal(map[string]any{
			"name": k.Name, "project": k.Project, "member": k.Member, "expires": k.Expires, "sha256": k.SHA256, "prefix": k.Prefix,
			"scope": map[string]any{"deployments": k.Deployments},
		})
		if err != nil {
			return err
		}
		_, err = t.send(ctx, http.MethodPost, "/keys", nil, body)
		switch {
		case err == nil:
			fresh++
		case strings.Contains(err.Error(), "here already"):
			known++
		default:
			return fmt.Errorf("taking over the key %s, after %d others; run it again to go on: %w", k.Name, fresh+known, err)
		}
	}
	_, err := fmt.Fprintf(out, "%d keys taken over, %d were here already.\n", fresh, known)
	return err
}

// carry has the budgets know what was spent of them. It may be done again: what is spent is raised to that, and no further.
func (t *takeover) carry(ctx context.Context, r *migrate.Result, out io.Writer) error {
	for _, s := range r.Spent {
		what := admin.Carried{Name: s.Budget, SpentUSD: s.USD, Reason: "spent at the gateway before this one"}
		if err := t.post(ctx, "/balances:carry", &what, &admin.Balance{}); err != nil {
			return fmt.Errorf("carrying over the $%s that were spent of the budget %s; run it again to go on: %w", s.USD, s.Budget, err)
		}
	}
	if len(r.Spent) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "What was spent of %d budgets is carried over.\n", len(r.Spent))
	return err
}

// tell shows the report.
func (t *takeover) tell(r *migrate.Result, out io.Writer) error {
	counts := map[migrate.Fate]int{}
	var was migrate.Fate
	for _, l := range r.Sorted() {
		counts[l.Fate]++
		if l.Fate == migrate.Carried {
			continue // the plan shows them
		}
		if l.Fate != was {
			fmt.Fprintf(out, "%s:\n", strings.ToUpper(string(l.Fate[:1]))+string(l.Fate[1:]))
			was = l.Fate
		}
		fmt.Fprintf(out, "  %s: %s\n", l.What, l.Note)
	}
	fmt.Fprintf(out, "%d carried, %d carried differently, %d without counterpart, %d left out.\n\n",
		counts[migrate.Carried], counts[migrate.Different], counts[migrate.Missing], counts[migrate.LeftOut])
	if t.report == "" {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{"made": time.Now().UTC(), "lines": r.Sorted()}, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(t.report, text, 0o600))
}
