package app

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/ledger"
)

func getAuditCommand() *cobra.Command {
	var r remote
	var o output
	var limit int
	var actor, noun, decision string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what was done through the management API of a running Plenum, and what was refused",
		Long:  "List what was done through the management API of a running Plenum, and what was refused, the latest first.",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, v := range map[string]string{"actor": actor, "noun": noun, "decision": decision} {
				if v != "" {
					q.Set(name, v)
				}
			}
			b, err := r.send(cmd.Context(), http.MethodGet, "/audit", q, nil)
			if err != nil {
				return err
			}
			var page struct{ Data []ledger.Audit }
			if err := json.Unmarshal(b, &page); err != nil {
				return err
			}
			rows := make([][]string, len(page.Data))
			for i := range page.Data {
				a := &page.Data[i]
				rows[i] = []string{when(time.UnixMicro(a.Time)), a.Actor, a.Action, orDash(a.Name), string(a.Decision), orDash(a.Reason)}
			}
			return o.show(cmd.OutOrStdout(), page.Data, []string{"WHEN", "WHO", "WHAT", "NAME", "DECISION", "WHY"}, rows, "Nothing was done.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how `many`, up to 1000")
	cmd.Flags().StringVar(&actor, "actor", "", "only what this `one` did, such as member:ann@example.com")
	cmd.Flags().StringVar(&noun, "noun", "", "only what was done to such `things`, such as keys")
	cmd.Flags().StringVar(&decision, "decision", "", "only what was `allowed`, refused or failed")
	return cmd
}

func getSessionsCommand() *cobra.Command {
	var r remote
	var o output
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List who is signed in to a running Plenum",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			all := []admin.Session{}
			if err := eachItem(cmd.Context(), &r, "/sessions", nil, func(x admin.Session) { all = append(all, x) }); err != nil {
				return err
			}
			rows := make([][]string, len(all))
			for i := range all {
				v := &all[i]
				rows[i] = []string{v.ID, v.Member, v.Provider, v.Way, v.From, when(v.Created), when(v.Expires)}
			}
			return o.show(cmd.OutOrStdout(), all, []string{"ID", "MEMBER", "PROVIDER", "WAY", "FROM", "SINCE", "UNTIL"}, rows, "Nobody is signed in.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	return cmd
}
