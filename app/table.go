package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// output is how a command shows what it found: a table for people, or JSON for programs.
type output struct{ format string }

func (o *output) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// show writes rows under a head, or v as JSON. Where there are no rows it says so.
func (o *output) show(w io.Writer, v any, head []string, rows [][]string, none string) error {
	switch {
	case o.format == "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case o.format != "table":
		return fmt.Errorf("there is no output %q; use table or json", o.format)
	case len(rows) == 0:
		_, err := fmt.Fprintln(w, none)
		return err
	}
	return table(w, head, rows)
}

func table(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if head != nil {
		fmt.Fprintln(t, strings.Join(head, "\t"))
	}
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// dash stands for what is not there.
const dash = "-"

func orDash(s string) string {
	if s == "" {
		return dash
	}
	return s
}

// when says a time for people, in their own zone.
func when(t time.Time) string {
	if t.IsZero() {
		return dash
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// millis is the time of Unix milliseconds; 0 is none.
func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// parseSpan reads a length of time, in days and weeks as well: 30d, 2w, 12h.
func parseSpan(text string) (time.Duration, error) {
	units := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	if len(text) > 1 {
		if unit, ok := units[text[len(text)-1:]]; ok {
			n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
			if err != nil {
				return 0, fmt.Errorf("%q is not a length of time; write 30d, 2w or 12h", text)
			}
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a length of time; write 30d, 2w or 12h", text)
	}
	return d, nil
}
