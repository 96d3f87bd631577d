package app

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/desk"
	"github.com/plenum-foundry/plenum/internal/clock"
)

func publishCommand() *cobra.Command {
	var r remote
	var file, key string
	var wait bool
	cmd := &cobra.Command{
		Use:   "publish -f CARD",
		Short: "Publish a model at the vendor desk of a running Plenum",
		Long: "Publish a model: submit its card, which says where it is, what it can do, what it costs and on which terms (docs/vendor-desk.md).\n" +
			"The model is tried against what its card claims, the report is shown, and a model that holds is listed. The exit status is 1\n" +
			"where it does not. ${env:NAME} and ${file:PATH} in the card's credentials are read here, where the command runs.\n" +
			"PLENUM_ADMIN_KEY holds a key of the management API of a member with the role publisher.",
		Example: "  plenum publish -f card.yaml --sign publisher.pem",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return &usageError{"-f is missing: which card?"}
			}
			body, err := config.LoadJSON(file, config.Env{}, "credentials")
			if err != nil {
				return err
			}
			if key != "" {
				if body, err = signedCard(body, key); err != nil {
					return err
				}
			}
			began := clock.Real.Now()
			e, err := askDesk[desk.Entry](cmd.Context(), &r, http.MethodPost, "/cards", nil, body)
			if err != nil {
				return err
			}
			if !wait {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "The card %s is submitted; plenum desk runs %s shows what became of it.\n", e.ID, e.ID)
				return err
			}
			return settled(cmd, &r, e.ID, began)
		}),
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "the `file` of the card, in YAML or JSON")
	cmd.Flags().StringVar(&key, "sign", "", "the `file` of the publisher's private key (Ed25519, PEM), to sign the card with")
	cmd.Flags().BoolVar(&wait, "wait", true, "wait until the model was tried, and show the report")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml", "json")
	_ = cmd.MarkFlagFilename("sign", "pem")
	return cmd
}

// signedCard puts the signature of a card into it.
func signedCard(body []byte, keyFile string) ([]byte, error) {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", keyFile)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := k.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is no private key of Ed25519", keyFile)
	}
	signature, err := desk.Sign(body, private)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("reading the card: %w", err)
	}
	if members["signature"], err = json.Marshal(signature); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// askDesk sends a request about a card, and reads the answer.
func askDesk[T any](ctx context.Context, r *remote, method, path string, q url.Values, body []byte) (*T, error) {
	b, err := r.send(ctx, method, path, q, body)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return v, nil
}

func cardPath(id, more string) string { return "/cards/" + url.PathEscape(id) + more }

// settled waits until a card was tried, and shows how that went.
func settled(cmd *cobra.Command, r *remote, id string, began time.Time) error {
	for {
		e, err := askDesk[desk.Entry](cmd.Context(), r, http.MethodGet, cardPath(id, ""), nil, nil)
		if err != nil {
			return err
		}
		if e.Running {
			if err := clock.Real.Sleep(cmd.Context(), 200*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		runs, err := runsOf(cmd.Context(), r, id)
		if err != nil {
			return err
		}
		if len(runs) > 0 {
			if err := showRun(cmd.OutOrStdout(), &runs[0]); err != nil {
				return err
			}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is %s, %.1f s after it was submitted.\n", id, e.State, clock.Real.Now().Sub(began).Seconds())
		if e.State != desk.Listed {
			return errors.New(e.Reason)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "It is called as %s. Projects accept its terms first: plenum terms accept %s/%s --project PROJECT\n", e.Card.Name(), e.Card.Publisher, e.Card.Terms.Version)
		return nil
	}
}

func runsOf(ctx context.Context, r *remote, id string) ([]desk.Run, error) {
	page, err := askDesk[struct{ Data []desk.Run }](ctx, r, http.MethodGet, cardPath(id, "/runs"), nil, nil)
	if err != nil {
		return nil, err
	}
	return page.Data, nil
}

func showRun(w io.Writer, r *desk.Run) error {
	var rows [][]string
	for i := range r.Checks {
		c := &r.Checks[i]
		rows = append(rows, []string{c.Name, string(c.Verdict), strconv.FormatInt(c.Millis, 10) + " ms", c.Claims, c.Reason})
	}
	if err := table(w, []string{"CHECK", "VERDICT", "TOOK", "THE CARD CLAIMS", "WHY"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s of %s: %.1f s, %s dollars by the card's price\n", r.Why, when(r.Started), float64(r.Millis)/1000, r.CostUSD)
	return err
}

func deskCommand() *cobra.Command {
	return verb("desk", "Look after what is published at the vendor desk",
		deskCardsCommand(), deskRunsCommand(), deskUsageCommand(), deskStatementCommand(), deskKeyCommand(),
		cardAction("run", "/run", "Try a published model again"),
		cardAction("withdraw", "/withdraw", "Take a model out: it cannot be called any more, on any node"),
		cardAction("restore", "/restore", "Put a model back that was taken out: it is tried, and listed if it holds"))
}

func deskCardsCommand() *cobra.Command {
	var r remote
	var o output
	cmd := &cobra.Command{
		Use:   "cards",
		Short: "List the model cards, and what became of them",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			all := []desk.Entry{}
			if err := eachItem(cmd.Context(), &r, "/cards", nil, func(e desk.Entry) { all = append(all, e) }); err != nil {
				return err
			}
			var rows [][]string
			for i := range all {
				e := &all[i]
				ran := dash
				if e.RunAt != nil {
					ran = when(*e.RunAt)
				}
				rows = append(rows, []string{e.ID, string(e.State), ran, strconv.Itoa(e.Failures), orDash(strings.Join(e.Drift, ", ")), orDash(e.Reason)})
			}
			return o.show(cmd.OutOrStdout(), all, []string{"CARD", "STATE", "LAST RUN", "FAILURES", "DRIFT", "WHY"}, rows, "There are no cards.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	return cmd
}

func deskRunsCommand() *cobra.Command {
	var r remote
	var o output
	var all bool
	cmd := &cobra.Command{
		Use:   "runs CARD",
		Short: "Show the report of a card's last conformance run",
		Long:  "Show the report of a card's last conformance run: each check, its verdict and why. With -o json it is all reports that are kept, with what was sent and what came.",
		Args:  one("CARD"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			runs, err := runsOf(cmd.Context(), &r, args[0])
			if err != nil {
				return err
			}
			if o.format == "json" || len(runs) == 0 {
				return o.show(cmd.OutOrStdout(), runs, nil, nil, "It has not been tried yet.")
			}
			if !all {
				runs = runs[:1]
			}
			for i := range runs {
				if err := showRun(cmd.OutOrStdout(), &runs[i]); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all reports that are kept")
	return cmd
}

// cardAction does something to a card.
func cardAction(name, path, short string) *cobra.Command {
	var r remote
	var reason string
	cmd := &cobra.Command{
		Use:   name + " CARD",
		Short: short,
		Args:  one("CARD"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			var body []byte
			if path == "/withdraw" {
				var err error
				if body, err = json.Marshal(map[string]string{"reason": reason}); err != nil {
					return err
				}
			}
			e, err := askDesk[desk.Entry](cmd.Context(), &r, http.MethodPost, cardPath(args[0], path), nil, body)
			if err != nil {
				return err
			}
			if e.Running {
				return settled(cmd, &r, e.ID, clock.Real.Now())
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s.\n", e.ID, e.State)
			return err
		}),
	}
	r.flags(cmd)
	if path == "/withdraw" {
		cmd.Flags().StringVar(&reason, "reason", "", "why; it is shown with the card")
	}
	return cmd
}

// showSheet shows rows as a table, as JSON or as CSV.
func showSheet(w io.Writer, format string, v any, head []string, rows [][]string, none string) error {
	if format != "csv" {
		return (&output{format}).show(w, v, head, rows, none)
	}
	c := csv.NewWriter(w)
	for i := range head {
		head[i] = strings.ToLower(strings.ReplaceAll(head[i], " ", "_"))
	}
	return errors.Join(c.Write(head), c.WriteAll(rows))
}

func sheetFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", "table", "table, json or csv")
}

func deskUsageCommand() *cobra.Command {
	var r remote
	var format, from, to string
	cmd := &cobra.Command{
		Use:   "usage PUBLISHER",
		Short: "Show by day what calls of a publisher's models came to",
		Args:  one("PUBLISHER"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			for name, v := range map[string]string{"from": from, "to": to} {
				if v != "" {
					q.Set(name, v+"T00:00:00Z")
				}
			}
			page, err := askDesk[struct{ Data []desk.Usage }](cmd.Context(), &r, http.MethodGet, "/publishers/"+url.PathEscape(args[0])+"/usage", q, nil)
			if err != nil {
				return err
			}
			var rows [][]string
			for i := range page.Data {
				u := &page.Data[i]
				in, out := read(u.Usage), written(u.Usage)
				rows = append(rows, []string{u.Day, u.Card, u.Project, number(u.Calls), number(u.Errors), number(in), number(out), u.CostUSD})
			}
			return showSheet(cmd.OutOrStdout(), format, page.Data, []string{"DAY", "CARD", "PROJECT", "CALLS", "ERRORS", "TOKENS READ", "TOKENS WRITTEN", "COST USD"}, rows, "There were no calls.")
		}),
	}
	r.flags(cmd)
	sheetFlag(cmd, &format)
	cmd.Flags().StringVar(&from, "from", "", "the first `day`, as 2026-11-01")
	cmd.Flags().StringVar(&to, "to", "", "the `day` after the last one")
	return cmd
}

func deskStatementCommand() *cobra.Command {
	var r remote
	var format, month string
	cmd := &cobra.Command{
		Use:   "statement PUBLISHER",
		Short: "Show what a publisher is paid for a month",
		Args:  one("PUBLISHER"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			if month != "" {
				q.Set("month", month)
			}
			s, err := askDesk[desk.Statement](cmd.Context(), &r, http.MethodGet, "/publishers/"+url.PathEscape(args[0])+"/statement", q, nil)
			if err != nil {
				return err
			}
			var rows [][]string
			for i := range s.Lines {
				l := &s.Lines[i]
				in, out := read(l.Usage), written(l.Usage)
				rows = append(rows, []string{s.Month, l.Card, number(l.Calls), number(in), number(out), l.GrossUSD, l.PayoutUSD, l.FeeUSD})
			}
			rows = append(rows, []string{s.Month, "total", "", "", "", s.GrossUSD, s.PayoutUSD, s.FeeUSD})
			return showSheet(cmd.OutOrStdout(), format, s, []string{"MONTH", "CARD", "CALLS", "TOKENS READ", "TOKENS WRITTEN", "GROSS USD", "PAYOUT USD", "FEE USD"}, rows, "")
		}),
	}
	r.flags(cmd)
	sheetFlag(cmd, &format)
	cmd.Flags().StringVar(&month, "month", "", "the `month`, as 2026-11 (UTC); this one if left out")
	return cmd
}

// deskKeyCommand makes the key that a publisher signs with.
func deskKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "keygen FILE",
		Short:   "Make the key that a publisher signs cards with",
		Long:    "Make a key of Ed25519. Its private half is written to the file, and its public half, which is the publisher's signing_key, to the output.",
		Example: "  plenum desk keygen publisher.pem",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			b, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("writing the key: %w", err)
			}
			err = errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: b}), f.Close())
			if err != nil {
				return fmt.Errorf("writing the key: %w", err)
			}
			if b, err = x509.MarshalPKIXPublicKey(public); err != nil {
				return err
			}
			return pem.Encode(cmd.OutOrStdout(), &pem.Block{Type: "PUBLIC KEY", Bytes: b})
		}),
	}
}

func termsCommand() *cobra.Command {
	var r remote
	var project string
	cmd := &cobra.Command{
		Use:   "accept TERMS",
		Short: "Accept terms of use for a project",
		Long:  "Accept terms of use for a project. `plenum describe terms TERMS` shows them. Who accepted them, and when, is in the audit.",
		Args:  one("TERMS"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			if project == "" {
				return &usageError{"--project is missing: for which project?"}
			}
			body, err := json.Marshal(map[string]string{"project": project})
			if err != nil {
				return err
			}
			if _, err := r.send(cmd.Context(), http.MethodPost, "/terms/"+url.PathEscape(args[0])+"/accept", nil, body); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The project %s has accepted the terms %s.\n", project, args[0])
			return err
		}),
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&project, "project", "", "the `project` that accepts them")
	return verb("terms", "Accept the terms of what is published", cmd)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
