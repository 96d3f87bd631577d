// Package app puts Plenum together: it is the only place where everything meets. The command line, the
// node, the order of the pipeline are here; what they are made of is below.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/provider"
	"github.com/plenum-foundry/plenum/vault"
)

// Parts are what a build of Plenum consists of. A build with a provider of its own is a main of ten
// lines that appends to these lists.
type Parts struct {
	Dialects  []*dialect.Dialect // the first answers paths that belong to none
	Providers []provider.Kind
	Engines   []engine.Kind   // the last is the one that Plenum brings itself
	KMS       []vault.Service // where master keys may be; none is as good
}

// The exit statuses of the command line.
const (
	statusFailed      = 1
	statusUsage       = 2
	statusInterrupted = 130 // as shells have it for SIGINT
)

// Main runs the command line and returns the exit status.
func Main(parts Parts, args []string) int {
	root := Command(parts)
	root.SetArgs(args)
	began := false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return 0
	}
	return ended(root.ErrOrStderr(), cmd, err, began)
}

// ended says what a command ended with and returns the exit status.
func ended(w io.Writer, cmd *cobra.Command, err error, began bool) int {
	var quiet *exitError
	var usage *usageError
	switch {
	case errors.As(err, &quiet):
		return quiet.code
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "plenum: interrupted")
		return statusInterrupted
	case !began || errors.As(err, &usage):
		fmt.Fprintf(w, "plenum: %v\n`%s --help` tells how it is used.\n", err, cmd.CommandPath())
		return statusUsage
	default:
		fmt.Fprintf(w, "plenum: %v\n", err)
		return statusFailed
	}
}

// exitError ends the command with a status and no further words.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// The groups that the commands are shown in.
const (
	groupRun  = "run"
	groupUse  = "use"
	groupCare = "care"
)

// Command returns the command line.
func Command(parts Parts) *cobra.Command {
	cobra.EnableCommandSorting = false // they stand in the order in which a newcomer needs them
	root := &cobra.Command{
		Use:   "plenum",
		Short: "An AI foundry that you own: every vendor's models behind one door",
		Long: "Plenum hosts every vendor's models behind one door, on your own machine or servers.\n\n" +
			"Start with `plenum up`. It needs no configuration, prints a URL, a first key and a call to paste.\n" +
			"Then `plenum chat` talks to it from another terminal, and any OpenAI or Anthropic SDK works with\n" +
			"that URL as its base URL.",
		Example: "  plenum up                        start, with a small model of its own\n" +
			"  OPENAI_API_KEY=... plenum up     start, with OpenAI's models as well\n" +
			"  plenum chat                      talk to a model\n" +
			"  plenum create key laptop         make a key for an application\n" +
			"  plenum get usage                 what was used, and what it cost\n" +
			"  plenum doctor                    find out what is wrong",
		Version:       plenum.Version,
		Args:          cobra.ArbitraryArgs,
		RunE:          parent,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("plenum {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupUse, Title: "Use and manage it:"},
		&cobra.Group{ID: groupCare, Title: "Look after it:"},
	)
	add(root, groupRun, upCommand(parts), serveCommand(parts))
	add(root, groupUse, chatCommand(), createCommand(parts), deleteCommand(parts), getCommand(parts), describeCommand(parts), applyCommand(), exportCommand(), policyCommand(parts), catalogCommand(), importCommand(), loginCommand(), logoutCommand(), whoamiCommand(), reportCommand(), exitDrillCommand(), publishCommand(), deskCommand(), termsCommand(), reconcileCommand(), transcriptCommand())
	add(root, groupCare, doctorCommand(parts), probeCommand(), ledgerCommand(), backupCommand(), restoreCommand(), rotateCommand(parts))
	root.AddCommand(versionCommand())
	return root
}

func add(root *cobra.Command, group string, cmds ...*cobra.Command) {
	for _, c := range cmds {
		c.GroupID = group
		root.AddCommand(c)
	}
}

// verb returns a command that only has commands below it, one for each noun.
func verb(use, short string, nouns ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: parent}
	cmd.AddCommand(nouns...)
	return cmd
}

// one wants one argument, and says which it is where it is missing.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("%s is missing: `%s %s`", what, cmd.Parent().CommandPath(), cmd.Use)
		case 1:
			return nil
		}
		return fmt.Errorf("there is one %s, not %d; put one that has spaces into quotes", what, len(args))
	}
}

// parent is what a command does that only has commands below it: it shows them, or says which of them
// may have been meant.
func parent(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	msg := fmt.Sprintf("there is no command `%s %s`", cmd.CommandPath(), args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		msg += fmt.Sprintf("; did you mean `%s %s`?", cmd.CommandPath(), strings.Join(near, "` or `"))
	}
	return &usageError{msg}
}

// usageError is a fault in what was typed.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "plenum %s\n", plenum.Version)
		},
	}
}
