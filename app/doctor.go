package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/config"
)

func doctorCommand(parts Parts) *cobra.Command {
	d := &doctor{parts: parts, now: time.Now}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that Plenum needs, and say what to do",
		Long: "Check the configuration, the data, this machine, a Plenum that is running and the places that it\n" +
			"calls, and say of each what is wrong and what to do. Without a configuration it looks at what\n" +
			"`plenum up` would start with.\n\n" +
			"The exit status is 1 if something is wrong. No secret is shown.",
		Example: "  plenum doctor\n  plenum doctor --config plenum.yaml --probe",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			d.style = styleFor(cmd.OutOrStdout())
			return d.examine(cmd.Context(), cmd.OutOrStdout())
		}),
	}
	d.place.flags(cmd)
	cmd.Flags().StringVar(&d.url, "url", "", "the `address` of the Plenum that is running; what the configuration listens on if left out")
	cmd.Flags().BoolVar(&d.probe, "probe", false, "try the credentials too, by asking each place for its list of models")
	cmd.Flags().BoolVar(&d.deep, "deep", false, "prove of every record in the store that it is what was written")
	return cmd
}

// doctor looks whether everything that Plenum needs is as it should be.
type doctor struct {
	parts Parts
	place place
	url   string
	probe bool
	deep  bool
	now   func() time.Time
	style style
}

// verdict is how something was found.
type verdict string

// The verdicts, from good to bad.
const (
	good verdict = "ok"
	note verdict = "note" // worth knowing
	warn verdict = "warn" // works, and should be changed
	bad  verdict = "FAIL"
)

// finding is one thing that was looked at.
type finding struct {
	about   string
	verdict verdict
	says    string
	do      string // what to do about it
}

// section is what was found of one part.
type section struct {
	title    string
	findings []finding
}

func (s *section) add(about string, v verdict, says, do string) {
	s.findings = append(s.findings, finding{about, v, says, do})
}

func (d *doctor) examine(ctx context.Context, w io.Writer) error {
	conf, f, snapshot := d.configuration()
	sections := []section{conf}
	show := func(s section) { sections = append(sections, s); d.style.section(w, &s) }
	d.style.section(w, &conf)
	if f == nil {
		return d.sum(w, sections)
	}
	show(d.data(ctx, f))
	show(d.running(ctx, f))
	reached := d.connections(ctx, snapshot)
	show(reached.section)
	show(d.machine(ctx, reached.clocks))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return d.sum(w, sections)
}

// sum says how many things are wrong.
func (d *doctor) sum(w io.Writer, all []section) error {
	n := map[verdict]int{}
	for _, s := range all {
		for _, f := range s.findings {
			n[f.verdict]++
		}
	}
	switch {
	case n[bad] > 0:
		fmt.Fprintf(w, "%s\n", d.style.of(bad, fmt.Sprintf("%s wrong, %s.", things(n[bad]), warnings(n[warn]))))
		return &exitError{statusFailed}
	case n[warn] > 0:
		fmt.Fprintf(w, "%s\n", d.style.of(warn, "Nothing is wrong; "+warnings(n[warn])+"."))
	default:
		fmt.Fprintf(w, "%s\n", d.style.of(good, "Nothing is wrong."))
	}
	return nil
}

func things(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}

func warnings(n int) string {
	if n == 0 {
		return "no warning"
	}
	return many(n, "warning")
}

// many says a number of things.
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// configuration looks at the configuration, and returns it and what it means. Without a file there is
// nil for a file that cannot be read, and nil for the meaning of one that has none.
func (d *doctor) configuration() (section, *config.File, *config.Snapshot) {
	s := section{title: "Configuration"}
	f, err := d.declared()
	if err != nil {
		s.problems(d.place.config, problems(d.parts, f, err))
		return s, f, nil
	}
	snapshot, err := understand(d.parts, f)
	if err != nil {
		s.problems(d.place.config, err)
		return s, f, nil
	}
	name := d.place.config
	if name == "" {
		name = "(none)"
		s.add(name, note, "the embedded defaults, as of `plenum up`", "")
	} else {
		s.add(name, good, strings.Join([]string{many(len(f.Connections), "connection"), many(len(f.Deployments), "deployment"), many(len(f.Keys), "key")}, ", "), "")
	}
	for _, w := range slices.Concat(unenforced(snapshot), unwise(snapshot)) {
		s.add(name, warn, w, "")
	}
	d.environment(&s)
	return s, f, snapshot
}

// declared returns the configuration that is meant. The file is not nil where enough of it could be
// read to look further.
func (d *doctor) declared() (*config.File, error) {
	if d.place.config != "" {
		return config.Load(d.place.config, config.Env{})
	}
	return embeddedDefaults(d.parts, upOptions{listen: config.New().Listen, dataDir: d.place.dataDir, log: "warn"}), nil
}

func (s *section) problems(name string, err error) {
	var ps config.Problems
	if !errors.As(err, &ps) {
		s.add(name, bad, err.Error(), "")
		return
	}
	for _, p := range ps {
		where := p.File
		if p.Line > 0 {
			where = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		says := p.Message
		if p.Path != "" {
			says = p.Path + ": " + says
		}
		s.add(where, bad, says, "")
	}
}

// environment tells the vendors' variables that are set, by name.
func (d *doctor) environment(s *section) {
	var found []string
	for _, k := range d.parts.Providers {
		for _, f := range k.Fields {
			for _, name := range f.Env {
				if os.Getenv(name) != "" && !strings.Contains(strings.Join(found, " ")+" ", name+" ") {
					found = append(found, name)
				}
			}
		}
	}
	switch {
	case len(found) > 0:
		s.add("environment", good, "set: "+strings.Join(found, ", "), "")
	case d.place.config == "":
		s.add("environment", note, "no vendor's key is set", "set XAI_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY or another to have that vendor's models")
	}
}

// style is how findings are shown.
type style struct{ color bool }

func styleFor(w io.Writer) style { return style{color: isTerminal(w) && colorful()} }

// of colors a text by a verdict.
func (st style) of(v verdict, text string) string {
	codes := map[verdict]string{good: "32", note: "36", warn: "33", bad: "31"}
	if !st.color {
		return text
	}
	return "\x1b[" + codes[v] + "m" + text + "\x1b[0m"
}

// section writes a section, aligned.
func (st style) section(w io.Writer, s *section) {
	if len(s.findings) == 0 {
		return
	}
	width := 0
	for _, f := range s.findings {
		width = max(width, len(f.about))
	}
	width = min(width, 32)
	fmt.Fprintln(w, s.title)
	for _, f := range s.findings {
		margin := strings.Repeat(" ", 2+4+2+width+2)
		says := strings.ReplaceAll(strings.TrimSpace(f.says), "\n", "\n"+margin)
		fmt.Fprintf(w, "  %s  %-*s  %s\n", st.of(f.verdict, fmt.Sprintf("%-4s", f.verdict)), width, f.about, says)
		if f.do != "" {
			fmt.Fprintf(w, "%s-> %s\n", margin, strings.ReplaceAll(f.do, "\n", "\n"+margin+"   "))
		}
	}
	fmt.Fprintln(w)
}
