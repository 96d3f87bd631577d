package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// run is what a command does.
type run func(cmd *cobra.Command, args []string) error

// stoppable ends the command's context on Ctrl-C and SIGTERM. A second one ends the process at once.
func stoppable(r run) run {
	return func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		defer context.AfterFunc(ctx, stop)()
		cmd.SetContext(ctx)
		return r(cmd, args)
	}
}
