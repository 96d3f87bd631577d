package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/store"
)

// place says which Plenum's data a command works on: those of a configuration, or of a data directory.
// Commands work on the data themselves, beside a Plenum that may be running on them.
type place struct {
	config  string
	dataDir string
}

// flags adds the flags that name the place.
func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&p.config, "config", "c", "", "the configuration `file` whose data are meant")
	cmd.Flags().StringVar(&p.dataDir, "data-dir", defaultDataDir(), "the data `directory` that is meant, where there is no configuration")
	cmd.MarkFlagsMutuallyExclusive("config", "data-dir")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagDirname("data-dir")
}

// defaultDataDir is ./data where there is one already, and else a place of the user's.
func defaultDataDir() string {
	if _, err := os.Stat(filepath.Join("data", store.DatabaseName)); err == nil {
		return "data"
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, plenum.Product)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "data"
	}
	return filepath.Join(home, ".local", "share", plenum.Product)
}

// file returns the configuration of the place.
func (p *place) file() (*config.File, error) {
	if p.config == "" {
		f := config.New()
		f.DataDir = p.dataDir
		return f, nil
	}
	f, err := config.Load(p.config, config.Env{})
	if f == nil || !onlyElsewhere(err) {
		return nil, fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	return f, nil
}

// onlyElsewhere reports whether nothing that is wrong with a configuration says where the data are: a
// vendor's key that is not in this shell's environment is no reason not to list calls.
func onlyElsewhere(err error) bool {
	if err == nil {
		return true
	}
	var problems config.Problems
	if !errors.As(err, &problems) {
		return false
	}
	return !slices.ContainsFunc(problems, func(p config.Problem) bool {
		return p.Path == "" || p.Path == "data_dir" || p.Path == "database"
	})
}

// errNoData says that there is no data where some were meant.
func errNoData(dir string) error {
	return fmt.Errorf("there are no data of a Plenum in %s; `plenum up` starts one there, --data-dir or --config names another place", dir)
}

// open opens the store of the place, which must be there already.
func (p *place) open(ctx context.Context) (*config.File, store.Store, error) {
	f, err := p.file()
	if err != nil {
		return nil, nil, err
	}
	if f.Database.Empty() {
		if _, err := os.Stat(filepath.Join(f.DataDir, store.DatabaseName)); errors.Is(err, os.ErrNotExist) {
			return nil, nil, errNoData(f.DataDir)
		}
	}
	s, err := openStore(ctx, f)
	return f, s, err
}

// with runs what a command does with an open store.
func (p *place) with(cmd *cobra.Command, do func(ctx context.Context, f *config.File, s store.Store) error) error {
	f, s, err := p.open(cmd.Context())
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), f, s), s.Close())
}
