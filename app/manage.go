package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/config"
)

// nounCommands are those of a verb on what is declared through the management API.
func nounCommands(command func(config.Noun) *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, n := range config.Nouns() {
		out = append(out, command(n))
	}
	return out
}

func getNounCommand(n config.Noun) *cobra.Command {
	var r remote
	var o output
	cmd := &cobra.Command{
		Use:     n.List,
		Aliases: []string{n.One},
		Short:   "List the " + n.List + " of a running Plenum",
		Long:    "List the " + n.List + " of a running Plenum: those that its file declares, and those that are declared through its management API.",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			all := []admin.Resource{}
			if err := eachItem(cmd.Context(), &r, "/"+n.List, nil, func(x admin.Resource) { all = append(all, x) }); err != nil {
				return err
			}
			if n.List == "budgets" || n.List == "limits" {
				return o.bounds(cmd, &r, n, all)
			}
			var rows [][]string
			for i := range all {
				rows = append(rows, resourceRow(&all[i]))
			}
			return o.show(cmd.OutOrStdout(), all, []string{"NAME", "DECLARED", "CHANGED", "BY", "STATE"}, rows, "There are no "+n.List+".")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	return cmd
}

func resourceRow(x *admin.Resource) []string {
	where, state, changed := "API", "in force", dash
	if x.Declared != "" {
		where = x.Declared
	}
	if len(x.Problems) > 0 {
		state = "not in force: " + x.Problems[0].Detail
	}
	if x.Changed != nil {
		changed = when(*x.Changed)
	}
	return []string{x.Name, where, changed, orDash(x.By), state}
}

func describeNounCommand(n config.Noun) *cobra.Command {
	var r remote
	var o output
	cmd := &cobra.Command{
		Use:               n.One + " NAME",
		Short:             "Show what is declared of a " + n.One,
		Args:              one("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			b, err := r.send(cmd.Context(), http.MethodGet, "/"+n.List+"/"+url.PathEscape(args[0]), nil, nil)
			if err != nil {
				return err
			}
			if o.format == "json" {
				_, err := cmd.OutOrStdout().Write(b)
				return err
			}
			return config.WriteYAML(cmd.OutOrStdout(), b)
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	return cmd
}

func deleteNounCommand(n config.Noun) *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:               n.One + " NAME",
		Short:             "Take a " + n.One + " of a running Plenum away",
		Args:              one("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			if _, err := r.send(cmd.Context(), http.MethodDelete, "/"+n.List+"/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "The %s %s is gone.\n", n.One, args[0])
			return err
		}),
	}
	r.flags(cmd)
	return cmd
}

func applyCommand() *cobra.Command {
	var r remote
	var file string
	var dry, prune bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make a running Plenum as a file declares it",
		Long: "Make a running Plenum as a file declares it: connections, deployments, budgets, projects, members and whatever else its\n" +
			"management API keeps. All of it is checked first, and all of it takes effect at once, or nothing. ${env:NAME} and\n" +
			"${file:PATH} are read here, where the command runs. What the file does not name is left alone, unless --prune is given.\n\n" +
			"With --dry-run the plan is shown and nothing changed; the exit status is 1 where something would change.",
		Example: "  plenum apply -f foundry.yaml --dry-run\n  plenum apply -f foundry.yaml --prune",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return &usageError{"-f is missing: which file?"}
			}
			lists, err := config.LoadDeclaration(file, config.Env{})
			if err != nil {
				return fmt.Errorf("the declaration is not usable:\n%w", err)
			}
			body, err := json.Marshal(lists)
			if err != nil {
				return err
			}
			query := url.Values{"dry_run": {strconv.FormatBool(dry)}, "prune": {strconv.FormatBool(prune)}}
			b, err := r.send(cmd.Context(), http.MethodPost, "/declarations:apply", query, body)
			if err != nil {
				return err
			}
			var plan admin.Plan
			if err := json.Unmarshal(b, &plan); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			showPlan(cmd.OutOrStdout(), &plan)
			if dry && len(plan.Changes) > 0 {
				return errors.New("what runs is not as it is declared")
			}
			return nil
		}),
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "the `file` of the declaration")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change, and change nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "take away what the file's lists do not name")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml", "json")
	return cmd
}

// showPlan tells what a declaration changes.
func showPlan(w io.Writer, p *admin.Plan) {
	signs := map[string]string{"create": "+", "update": "~", "delete": "-"}
	for _, c := range p.Changes {
		fmt.Fprintf(w, "%s %s %s\n", signs[c.Action], strings.TrimSuffix(c.List, "s"), c.Name)
		for _, line := range differences(c.Before, c.After) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	switch {
	case len(p.Changes) == 0:
		fmt.Fprintf(w, "Nothing to change: %d are as declared.\n", p.Unchanged)
	case p.Applied:
		fmt.Fprintf(w, "%d changed, %d as they were.\n", len(p.Changes), p.Unchanged)
	default:
		fmt.Fprintf(w, "%d to change, %d as declared. Nothing was changed.\n", len(p.Changes), p.Unchanged)
	}
}

// differences lists the members in which two objects differ.
func differences(before, after []byte) []string {
	if before == nil || after == nil {
		return nil
	}
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(union(a, b))) {
		was, is := string(a[name]), string(b[name])
		if was != is {
			out = append(out, fmt.Sprintf("%s: %s -> %s", name, something(was), something(is)))
		}
	}
	if len(out) == 0 {
		return []string{"a secret"}
	}
	return out
}

// union has the names of both.
func union(a, b map[string]json.RawMessage) map[string]bool {
	out := map[string]bool{}
	for name := range a {
		out[name] = true
	}
	for name := range b {
		out[name] = true
	}
	return out
}

func something(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func exportCommand() *cobra.Command {
	var r remote
	var format string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write everything that a running Plenum has declared as one declaration",
		Long: "Write everything that is declared in a running Plenum, by its file and through its management API, as one declaration that\n" +
			"plenum apply takes. Secrets are not in it: each is written as an environment variable to be set, as ${env:NAME}.",
		Example: "  plenum export > foundry.yaml\n  plenum apply -f foundry.yaml --url https://the-other.example",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			b, err := r.send(cmd.Context(), http.MethodGet, "/declarations", nil, nil)
			if err != nil {
				return err
			}
			out, names, err := withVariables(b)
			if err != nil {
				return err
			}
			for _, n := range names {
				fmt.Fprintf(cmd.ErrOrStderr(), "set %s\n", n)
			}
			if format == "json" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), string(out))
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "# What was declared on %s.\n", time.Now().UTC().Format(time.RFC3339))
			return config.WriteYAML(cmd.OutOrStdout(), out)
		}),
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&format, "output", "o", "yaml", "yaml or json")
	return cmd
}

// withVariables puts environment variables in the place of secrets, and returns their names.
func withVariables(declaration []byte) ([]byte, []string, error) {
	var lists map[string][]json.RawMessage
	if err := json.Unmarshal(declaration, &lists); err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	var names []string
	var out bytes.Buffer
	out.WriteByte('{')
	for _, n := range config.Nouns() {
		items := lists[n.List]
		if len(items) == 0 {
			continue
		}
		for i, spec := range items {
			var named struct{ Name string }
			_ = json.Unmarshal(spec, &named)
			put, err := config.Secrets(n.List, spec, func(path, _ string) (string, error) {
				v := variable(n.One, named.Name, path)
				names = append(names, v)
				return "${env:" + v + "}", nil
			})
			if err != nil {
				return nil, nil, err
			}
			items[i] = put
		}
		b, err := json.Marshal(items)
		if err != nil {
			return nil, nil, err
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:%s", n.List, b)
	}
	out.WriteByte('}')
	return out.Bytes(), names, nil
}

// variable returns the name of an environment variable for a secret.
func variable(parts ...string) string {
	up := strings.ToUpper(strings.Join(parts, "_"))
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, up)
}

// createNounCommand declares one thing out of a file or standard input.
func createNounCommand(n config.Noun) *cobra.Command {
	var r remote
	var file string
	cmd := &cobra.Command{
		Use:     n.One + " -f FILE",
		Short:   "Declare a " + n.One + " in a running Plenum",
		Long:    "Declare a " + n.One + " in a running Plenum: what stands in the file, in YAML or JSON, is what a configuration would say of one of\n`" + n.List + "`. - reads standard input.",
		Example: "  plenum create " + n.One + " -f " + n.One + ".yaml",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			text, err := readFile(cmd.InOrStdin(), file)
			if err != nil {
				return err
			}
			body, err := config.JSON(text)
			if err != nil {
				return fmt.Errorf("reading %s: %w", file, err)
			}
			b, err := r.send(cmd.Context(), http.MethodPost, "/"+n.List, nil, body)
			if err != nil {
				return err
			}
			var made admin.Resource
			if err := json.Unmarshal(b, &made); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The %s %s is declared and in force.\n", n.One, made.Name)
			return err
		}),
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "-", "the `file`")
	return cmd
}

func readFile(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(stdin, 16<<20))
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	return b, nil
}
