package app

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/migrate"
)

func importBifrostCommand() *cobra.Command {
	var t takeover
	var file string
	cmd := &cobra.Command{
		Use:   "bifrost -f FILE",
		Short: "Take over Bifrost's providers, models, teams, customers, budgets and virtual keys",
		Long: "Take over what Bifrost's configuration file says: providers with their keys and weights, models and aliases, teams and\n" +
			"customers, budgets, rate limits and virtual keys. Virtual keys stay good where the file has their value, or the environment\n" +
			"that it names; only their hash is kept. The report says of each setting what became of it.\n\n" +
			"All that is declared takes effect at once, or nothing; then the keys are taken over one by one. A run that was interrupted is\n" +
			"run again: what is there already stays as it is. env.NAME in the file is read where this command runs.",
		Example: "  plenum import bifrost -f config.json --dry-run\n" +
			"  plenum import bifrost -f config.json --url https://plenum.example",
		Args: cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return &usageError{"-f is missing: which file?"}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("reading Bifrost's configuration: %w", err)
			}
			r, err := migrate.Bifrost(text, os.LookupEnv, clock.Real.Now())
			if err != nil {
				return err
			}
			return t.take(cmd.Context(), r, cmd.OutOrStdout())
		}),
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "Bifrost's configuration `file`, config.json")
	_ = cmd.MarkFlagFilename("file", "json")
	return cmd
}
