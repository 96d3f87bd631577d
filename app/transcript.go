package app

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/admin"
	"github.com/plenum-foundry/plenum/transcript"
)

func transcriptCommand() *cobra.Command {
	return verb("transcript", "Read and delete what was asked and answered in calls, where a project has that kept",
		listTranscriptsCommand(), showTranscriptCommand(), deleteTranscriptsCommand())
}

// whose are the flags that choose among transcripts.
type whose struct{ project, key, member, deployment, since, until string }

func (c *whose) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.project, "project", "", "only of this `project`")
	cmd.Flags().StringVar(&c.key, "key", "", "only of the key of this `id`")
	cmd.Flags().StringVar(&c.member, "member", "", "only of keys of this `member`")
	cmd.Flags().StringVar(&c.deployment, "deployment", "", "only of this `deployment`")
	cmd.Flags().StringVar(&c.since, "since", "", "only from then on: a `time` ago such as 7d, or a time such as 2027-01-31T15:04:05Z")
	cmd.Flags().StringVar(&c.until, "until", "", "only before then: the same kinds of `time`")
}

// values are what was said, by the names of the management API.
func (c *whose) values(now time.Time) (url.Values, error) {
	v := url.Values{}
	for name, text := range map[string]string{"from": c.since, "to": c.until} {
		said, err := whenSaid(text, now)
		if err != nil {
			return nil, err
		}
		if _, err := time.Parse(time.DateOnly, said); err == nil {
			said += "T00:00:00Z"
		}
		v.Set(name, said)
	}
	v.Set("project", c.project)
	v.Set("key", c.key)
	v.Set("member", c.member)
	v.Set("deployment", c.deployment)
	for name := range v {
		if v.Get(name) == "" {
			v.Del(name)
		}
	}
	return v, nil
}

func listTranscriptsCommand() *cobra.Command {
	var r remote
	var o output
	var c whose
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the calls of which what was asked and answered is kept",
		Long:  "List the calls of which what was asked and answered is kept, the latest first. It wants the role reader.",
		Args:  cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			q, err := c.values(time.Now())
			if err != nil {
				return err
			}
			q.Set("limit", strconv.Itoa(limit))
			var page struct{ Data []admin.Transcript }
			if err := r.get(cmd.Context(), "/transcripts", q, &page); err != nil {
				return err
			}
			rows := make([][]string, len(page.Data))
			for i := range page.Data {
				t := &page.Data[i]
				rows[i] = []string{t.Call, when(t.Start), t.Project, t.KeyID, orDash(t.Member), orDash(t.Deployment), strconv.FormatInt(t.Bytes, 10)}
			}
			return o.show(cmd.OutOrStdout(), page.Data, []string{"CALL", "WHEN", "PROJECT", "KEY", "MEMBER", "DEPLOYMENT", "BYTES"}, rows,
				"None is kept. docs/transcripts.md says how a project has its calls kept.")
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	c.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how `many`, up to 1000")
	return cmd
}

func showTranscriptCommand() *cobra.Command {
	var r remote
	var o output
	var reason string
	cmd := &cobra.Command{
		Use:   "show CALL",
		Short: "Show what was asked and answered in a call",
		Long: "Show what was asked and answered in a call, by the id that its answer had as Plenum-Request-Id. It wants the role reader,\n" +
			"and a reason: the ledger has who read what and why before it is shown.",
		Example: `  plenum transcript show req_01kaw0z6v1f8y3e4t5r6w7q8m9 --reason "ticket 4711"`,
		Args:    one("the id of the call"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			var d transcript.Document
			if err := r.get(cmd.Context(), "/transcripts/"+url.PathEscape(args[0]), url.Values{"reason": {reason}}, &d); err != nil {
				return err
			}
			if o.format != "table" {
				return o.show(cmd.OutOrStdout(), &d, nil, nil, "")
			}
			return writeTranscript(cmd.OutOrStdout(), &d)
		}),
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`why` it is read")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func writeTranscript(w io.Writer, d *transcript.Document) error {
	_, err := fmt.Fprintf(w, "%s  %s  %s by key %s to %s: %s, status %d\n", d.Call, when(time.UnixMicro(d.Start)), d.Project, d.KeyID, orDash(d.Deployment), d.Outcome, d.Status)
	for _, p := range []struct {
		name string
		part *transcript.Part
	}{{"asked", &d.Request}, {"answered", &d.Answer}} {
		if err == nil {
			_, err = fmt.Fprintf(w, "\n%s (%s):\n%s\n", p.name, aboutPart(p.part), p.part.Text)
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "\nThe ledger has it as %s.\n", d.Commitment)
	}
	return err
}

func aboutPart(p *transcript.Part) string {
	out := orDash(p.Media) + fmt.Sprintf(", %d bytes on the wire", p.Bytes)
	switch {
	case p.Omitted != "":
		out += "; not kept: " + p.Omitted
	case p.Base64 != nil:
		out += "; it is no text: --output json has it"
	case p.Folded:
		out += "; a stream, said as a whole"
	}
	if p.Redacted {
		out += "; redacted"
	}
	return out
}

func deleteTranscriptsCommand() *cobra.Command {
	var r remote
	var c whose
	var all, dry bool
	cmd := &cobra.Command{
		Use:   "delete [CALL]",
		Short: "Delete the transcript of a call, or all of a project, a key, a member, a deployment or a time",
		Long: "Delete the transcript of a call, or all of a project, a key, a member, a deployment or a time. Owners and admins may,\n" +
			"though they do not read them. The records of the calls stay, and the ledger's chain stays valid.",
		Example: "  plenum transcript delete req_01kaw0z6v1f8y3e4t5r6w7q8m9\n  plenum transcript delete --member ann@example.com --dry-run",
		Args:    cobra.MaximumNArgs(1),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			chosen, err := c.values(time.Now())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if len(chosen) > 0 || all || dry {
					return &usageError{"delete one call by its id, or several by flags"}
				}
				if _, err := r.send(cmd.Context(), http.MethodDelete, "/transcripts/"+url.PathEscape(args[0]), nil, nil); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "The transcript of %s is deleted.\n", args[0])
				return err
			}
			return deleteChosen(cmd, &r, chosen, all, dry)
		}),
	}
	r.flags(cmd)
	c.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all that there are")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only count them")
	return cmd
}

func deleteChosen(cmd *cobra.Command, r *remote, chosen url.Values, all, dry bool) error {
	body := map[string]any{}
	for name := range chosen {
		body[name] = chosen.Get(name)
	}
	if all {
		body["all"] = true
	}
	if len(body) == 0 {
		return &usageError{"say which: the id of a call, or --project, --key, --member, --deployment, --since, --until or --all"}
	}
	path := "/transcripts:delete"
	if dry {
		path += "?dry_run=true"
	}
	var out struct{ Deleted int64 }
	if err := r.post(cmd.Context(), path, body, &out); err != nil {
		return err
	}
	words := "%d transcripts are deleted.\n"
	if dry {
		words = "%d transcripts would be deleted.\n"
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), words, out.Deleted)
	return err
}
