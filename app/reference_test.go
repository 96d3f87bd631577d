package app

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/plenum-foundry/plenum/all"
)

var update = flag.Bool("update", false, "write pages of the documentation anew")

func TestTheReferenceOfTheCommandLineIsUpToDate(t *testing.T) {
	t.Setenv("HOME", "~")
	t.Setenv("XDG_DATA_HOME", "")
	got := reference(Command(Parts{Dialects: all.Dialects(), Providers: all.Providers(), Engines: all.Engines()}))
	page(t, "cli.md", "TheCommandLine", got)
}

// page holds a page of the documentation to what it was made of.
func page(t *testing.T, name, by, got string) {
	t.Helper()
	path := filepath.Join("..", "docs", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("docs/%s is not what the program says; write it anew with go test ./app -run %s -update (-file +program):\n%s", name, by, d)
	}
}

// reference is the documentation of every command, in Markdown.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# The command line\n\n" + root.Long + "\n\n```\n" + root.Example + "\n```\n\n" +
		"Commands that look at data (`get`, `describe`, `create`, `delete`, `backup`) work beside a Plenum that is\n" +
		"running, on its data directory: by `--config` or `--data-dir`, or without either on `./data` if it is one, and\n" +
		"else on the one of `plenum up`. The exit status is 0 where all went well, 1 where not, 2 where the command was\n" +
		"not understood, and 130 where it was interrupted.\n\n" +
		"Environment: `PLENUM_URL` and `PLENUM_KEY` (which Plenum `chat` calls, and with which key), `PLENUM_ADMIN_KEY`\n" +
		"(of `up`), `NO_COLOR`, and the variables in which vendors' own tools look for their keys (of `up` and `doctor`).\n\n" +
		"This page is made from the program by `go test ./app -run TheCommandLine -update`.\n")
	for _, c := range root.Commands() {
		document(&b, c)
	}
	return b.String()
}

func document(b *strings.Builder, c *cobra.Command) {
	if c.Name() == "help" || c.Hidden {
		return
	}
	if c.Runnable() && !c.HasSubCommands() {
		fmt.Fprintf(b, "\n## %s\n\n", c.CommandPath())
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(b, "%s\n\n```\n%s\n", strings.TrimSpace(text), c.UseLine())
		if c.Example != "" {
			fmt.Fprintf(b, "\n%s\n", c.Example)
		}
		b.WriteString("```\n")
		flags(b, c)
	}
	for _, sub := range c.Commands() {
		document(b, sub)
	}
}

func flags(b *strings.Builder, c *cobra.Command) {
	if !c.HasAvailableLocalFlags() {
		return
	}
	b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n")
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		def := ""
		if f.DefValue != "" && f.DefValue != "false" {
			def = "`" + f.DefValue + "`"
		}
		_, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, def, usage)
	})
}
