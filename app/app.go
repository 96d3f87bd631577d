// Package app puts Plenum together: it is the only place where everything meets. The command line, the
// node, the order of the pipeline are here; what they are made of is below.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/dialect"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/provider"
)

// Parts are what a build of Plenum consists of. A build with a provider of its own is a main of ten
// lines that appends to these lists.
type Parts struct {
	Dialects  []*dialect.Dialect // the first answers paths that belong to none
	Providers []provider.Kind
	Engines   []engine.Kind
}

// Main runs the command line and returns the exit status.
func Main(parts Parts, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := Command(parts)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		var quiet *exitError
		if !errors.As(err, &quiet) {
			fmt.Fprintf(root.ErrOrStderr(), "plenum: %v\n", err)
			return 1
		}
		return quiet.code
	}
	return 0
}

// exitError ends the command with a status and no further words.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// Command returns the command line.
func Command(parts Parts) *cobra.Command {
	root := &cobra.Command{
		Use:   "plenum",
		Short: "An AI foundry that you own: every vendor's models behind one door",
		Long: "Plenum hosts every vendor's models behind one door, on your own machine or servers.\n\n" +
			"Start with `plenum up`: it needs no configuration, prints a URL, a first key and a call to paste.\n" +
			"Then point any OpenAI or Anthropic SDK at that URL.",
		Version:       plenum.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(upCommand(parts), serveCommand(parts))
	return root
}
