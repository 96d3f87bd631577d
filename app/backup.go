package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

func backupCommand() *cobra.Command {
	var p place
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy all that a Plenum keeps into one file, while it runs",
		Long: "Copy a data directory into one .tar.gz: keys, calls, usage and the journal, as they are at one moment.\n" +
			"The Plenum may be running. With - for FILE the archive goes to the output.\n\n" +
			"The archive holds the pepper of the keys. It cannot tell anyone a key, but keep it as safe as the\n" +
			"data directory itself. The configuration and vendors' credentials are not in it.",
		Example: "  plenum backup plenum-monday.tar.gz\n  plenum backup - --config plenum.yaml | ssh elsewhere 'cat > plenum.tar.gz'",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			f, err := p.embedded("backed up with pg_dump")
			if err != nil {
				return err
			}
			return backup(cmd, f.DataDir, args[0], force)
		}),
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there already")
	return cmd
}

// embedded returns the configuration of a place whose store is the embedded one, and in which there is
// something.
func (p *place) embedded(instead string) (*config.File, error) {
	f, err := p.file()
	if err != nil {
		return nil, err
	}
	if !f.Database.Empty() {
		return nil, fmt.Errorf("the state of this Plenum is in PostgreSQL, which is %s", instead)
	}
	return f, nil
}

func backup(cmd *cobra.Command, dir, path string, force bool) error {
	database := filepath.Join(dir, store.DatabaseName)
	if _, err := os.Stat(database); err != nil {
		return errNoData(dir)
	}
	src := store.Source{
		Dir: dir, Files: []string{identity.PepperName},
		Copy: func(ctx context.Context, to string) error { return sqlite.Backup(ctx, database, to) },
	}
	if path == "-" {
		_, err := store.Backup(cmd.Context(), cmd.OutOrStdout(), src)
		return err
	}
	if _, err := os.Stat(path); err == nil && !force {
		return fmt.Errorf("%s is there already; --force replaces it", path)
	}
	var m store.Manifest
	err := writeWhole(path, func(w io.Writer) (err error) {
		m, err = store.Backup(cmd.Context(), w, src)
		return err
	})
	if err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Backed up %s to %s: %s, %d parts.\n", dir, path, bytesText(st.Size()), len(m.Parts))
	return err
}

// writeWhole writes a file that only its owner can read, and that is there either whole or not at all.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func restoreCommand() *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in place, in an empty data directory",
		Long: "Put a backup in place, in a data directory that is empty or does not exist. The whole archive is\n" +
			"checked before anything is written there. With - for FILE the archive is read from the input.",
		Example: "  plenum restore plenum-monday.tar.gz --data-dir /srv/plenum",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			f, err := p.embedded("restored with pg_restore")
			if err != nil {
				return err
			}
			return restore(cmd, args[0], f.DataDir)
		}),
	}
	p.flags(cmd)
	return cmd
}

func restore(cmd *cobra.Command, path, dir string) error {
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	m, err := store.Restore(cmd.Context(), in, dir)
	switch {
	case errors.Is(err, store.ErrNotEmpty):
		return fmt.Errorf("%s is not empty: a backup goes into a directory that is empty or does not exist; move this one away, or name another with --data-dir", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run it as the user that Plenum runs as", err)
	case err != nil:
		return err
	}
	made := m.Time
	if t, err := time.Parse(time.RFC3339, m.Time); err == nil {
		made = when(t)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Restored the backup of %s into %s: %d parts, all of them whole.\n", made, dir, len(m.Parts))
	return err
}

// bytesText says a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
