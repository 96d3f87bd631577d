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
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/proof"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/postgres"
	"github.com/plenum-foundry/plenum/store/sqlite"
)

func backupCommand() *cobra.Command {
	var p place
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy all that a Plenum keeps into one file, while it runs",
		Long: "Copy a data directory, and the PostgreSQL where there is one, into one .tar.gz: keys, declarations, calls, usage,\n" +
			"files and the journal, as they are at one moment. The Plenum may be running. With - for FILE the archive goes to\n" +
			"the output. What is encrypted stays so: the master key is not in the archive.\n\n" +
			"The archive holds the pepper of the keys. It cannot tell anyone a key, but keep it as safe as the\n" +
			"data directory itself. The configuration, and a pepper that is in it, are not in the archive.",
		Example: "  plenum backup plenum-monday.tar.gz\n  plenum backup - --config plenum.yaml | ssh elsewhere 'cat > plenum.tar.gz'",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			f, err := p.file()
			if err != nil {
				return err
			}
			return backup(cmd, f, args[0], force)
		}),
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there already")
	return cmd
}

// source returns what a backup of a place is made of.
func source(f *config.File) (store.Source, error) {
	src := store.Source{Dir: f.DataDir, Files: []string{identity.PepperName}}
	if !f.Database.Empty() {
		src.Dump = func(ctx context.Context, emit store.Emit) error { return postgres.Dump(ctx, f.Database, emit) }
		return src, nil
	}
	database := filepath.Join(f.DataDir, store.DatabaseName)
	if _, err := os.Stat(database); err != nil {
		return src, errNoData(f.DataDir)
	}
	src.Copy = func(ctx context.Context, to string) error { return sqlite.Backup(ctx, database, to) }
	return src, nil
}

func backup(cmd *cobra.Command, f *config.File, path string, force bool) error {
	src, err := source(f)
	if err != nil {
		return err
	}
	if path == "-" {
		_, err := store.Backup(cmd.Context(), cmd.OutOrStdout(), src)
		return err
	}
	if _, err := os.Stat(path); err == nil && !force {
		return fmt.Errorf("%s is there already; --force replaces it", path)
	}
	var m store.Manifest
	err = writeWhole(path, func(w io.Writer) (err error) {
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
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Backed up %s to %s: %s, %d parts.\n", f.DataDir, path, bytesText(st.Size()), len(m.Parts))
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
		Long: "Put a backup in place, in a data directory that is empty or does not exist, and in a PostgreSQL that holds nothing\n" +
			"of a Plenum where the configuration names one. The whole archive is checked before anything is written, and the\n" +
			"ledger is verified after it: the status is 1 where that finds a fault. With - for FILE the archive is read from\n" +
			"the input.",
		Example: "  plenum restore plenum-monday.tar.gz --data-dir /srv/plenum",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			f, err := p.file()
			if err != nil {
				return err
			}
			return restore(cmd, args[0], f)
		}),
	}
	p.flags(cmd)
	return cmd
}

func restore(cmd *cobra.Command, path string, f *config.File) error {
	in := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	if !f.Database.Empty() { // before anything is unpacked
		if err := emptyDatabase(postgres.Empty(cmd.Context(), f.Database)); err != nil {
			return err
		}
	}
	m, err := store.Restore(cmd.Context(), in, f.DataDir, func(ctx context.Context, unpacked string) error {
		return loadDump(ctx, f, unpacked)
	})
	switch {
	case errors.Is(err, store.ErrNotEmpty):
		return fmt.Errorf("%s is not empty: a backup goes into a directory that is empty or does not exist; move this one away, or name another with --data-dir", f.DataDir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run it as the user that Plenum runs as", err)
	case err != nil:
		return err
	}
	made := m.Time
	if t, err := time.Parse(time.RFC3339, m.Time); err == nil {
		made = when(t)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Restored the backup of %s into %s: %d parts, all of them whole.\n", made, f.DataDir, len(m.Parts))
	return proveRestored(cmd, f)
}

// emptyDatabase says what to do about a database that is not empty.
func emptyDatabase(err error) error {
	if errors.Is(err, store.ErrNotEmpty) {
		return errors.New("the database is not empty: a backup goes into one that holds nothing of a Plenum; name another in the configuration (CREATE DATABASE makes one)")
	}
	return err
}

// loadDump fills the database of a configuration from an archive that lies unpacked in a directory.
func loadDump(ctx context.Context, f *config.File, unpacked string) error {
	dir := filepath.Join(unpacked, store.DumpName)
	_, err := os.Stat(dir)
	switch {
	case f.Database.Empty() && err == nil:
		return errors.New("the backup is of a Plenum whose state is in PostgreSQL: give --config with a database")
	case f.Database.Empty():
		return nil
	case err != nil:
		return errors.New("the backup is of a Plenum that keeps its state in its data directory: it goes into one, without a database in the configuration")
	}
	if err := postgres.Load(ctx, f.Database, dir); err != nil {
		return emptyDatabase(err)
	}
	return os.RemoveAll(dir)
}

// proveRestored proves the journal and the ledger that were restored.
func proveRestored(cmd *cobra.Command, f *config.File) error {
	journal := filepath.Join(f.DataDir, store.JournalName)
	if _, err := os.Stat(journal); err == nil {
		if _, err := ledger.Verify(journal); err != nil {
			return fmt.Errorf("it is in place, and its journal does not verify: %w", err)
		}
	}
	s, err := openStore(cmd.Context(), f)
	if err != nil {
		return err
	}
	defer s.Close()
	rep, err := verifyStore(cmd.Context(), s, proof.Options{})
	if err != nil {
		return err
	}
	if len(rep.Findings) > 0 {
		return fmt.Errorf("it is in place, and its ledger has %s: `plenum ledger verify` shows them", many(len(rep.Findings), "fault"))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The ledger verifies: %d entries, %d of them calls.\n", rep.Entries, rep.Calls)
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
