package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/outbound"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/anchor"
	"github.com/plenum-foundry/plenum/ledger/proof"
	"github.com/plenum-foundry/plenum/store"
)

// anchors returns what puts the ledger's head where the configuration says.
func anchors(f *config.File, l *ledger.Ledger, log *slog.Logger) (*anchor.Keeper, error) {
	k := &anchor.Keeper{Ledger: l, Clock: clock.Real, Log: log}
	client := outbound.Private.Client(30 * time.Second)
	for i := range f.Ledger.Anchors {
		a := &f.Ledger.Anchors[i]
		p := anchor.Place{Name: cmp.Or(a.Name, a.Kind), Kind: a.Kind, Every: a.Every}
		switch a.Kind {
		case anchor.KindFile:
			p.Anchor = anchor.File{Path: a.Path}
		case anchor.KindGit:
			p.Anchor = anchor.Git{Dir: a.Path, Push: a.Push}
		case anchor.KindLog:
			p.Anchor = anchor.Log{URL: a.URL, Client: client}
		case anchor.KindStamp:
			roots, err := rootsIn(a.CA)
			if err != nil {
				return nil, fmt.Errorf("ledger.anchors: %w", err)
			}
			stamp := anchor.Stamp{URL: a.URL, Client: client, Roots: roots}
			if a.Path != "" {
				stamp.Copy = &anchor.File{Path: a.Path}
			}
			p.Anchor = stamp
		}
		k.Places = append(k.Places, p)
	}
	return k, nil
}

// rootsIn reads the certificates of a file; without one there are none.
func rootsIn(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no certificate in PEM", path)
	}
	return pool, nil
}

func ledgerCommand() *cobra.Command {
	return verb("ledger", "Export the record of calls and changes, and prove it", ledgerExportCommand(), ledgerVerifyCommand())
}

func ledgerExportCommand() *cobra.Command {
	var p place
	var force bool
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the whole ledger, with its proof, into one file",
		Long: "Write every record of a call and every entry of the audit into one file of JSON lines, with the hash chain\n" +
			"that proves them. `plenum ledger verify` checks such a file anywhere. With - for FILE it goes to the output.\n" +
			"It holds no content and no secret.",
		Example: "  plenum ledger export ledger.jsonl",
		Args:    one("FILE"),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			return p.with(cmd, func(ctx context.Context, _ *config.File, s store.Store) error {
				return exportLedger(cmd, s, args[0], force)
			})
		}),
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there already")
	return cmd
}

func exportLedger(cmd *cobra.Command, s store.Store, path string, force bool) error {
	now := time.Now().UnixMicro()
	if path == "-" {
		_, err := proof.Export(cmd.Context(), cmd.OutOrStdout(), s, now)
		return err
	}
	if _, err := os.Stat(path); err == nil && !force {
		return fmt.Errorf("%s is there already; --force replaces it", path)
	}
	var n int
	err := writeWhole(path, func(w io.Writer) (err error) {
		n, err = proof.Export(cmd.Context(), w, s, now)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Exported %d entries to %s.\n", n, path)
	return err
}

func ledgerVerifyCommand() *cobra.Command {
	var p place
	var o output
	var files []string
	var ca string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Prove that a ledger is what was written",
		Long: "Prove of an export, or without FILE of the data of this Plenum, that every entry is what the node wrote:\n" +
			"nothing changed, removed, inserted, put in another order or cut off. With FILE nothing else is needed.\n" +
			"A chain that was made anew as a whole, or cut off at its end, shows only against anchors: time-stamps in\n" +
			"the ledger itself, and the files that --anchors names. The status is 1 where anything is wrong.",
		Example: "  plenum ledger verify ledger.jsonl --anchors /mnt/worm/heads.jsonl\n  plenum ledger verify ledger.jsonl --ca tsa.pem -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			opts, err := heldAgainst(files, ca)
			if err != nil {
				return err
			}
			var rep proof.Report
			if len(args) == 1 {
				rep, err = verifyFile(cmd, args[0], opts)
			} else {
				err = p.with(cmd, func(ctx context.Context, _ *config.File, s store.Store) (err error) {
					rep, err = verifyStore(ctx, s, opts)
					return err
				})
			}
			if err != nil {
				return err
			}
			return o.showProof(cmd.OutOrStdout(), &rep)
		}),
	}
	p.flags(cmd)
	o.flags(cmd)
	cmd.Flags().StringArrayVar(&files, "anchors", nil, "a `file` of anchored heads; may be given several times")
	cmd.Flags().StringVar(&ca, "ca", "", "a PEM `file` with the certificates that time-stamps must come from; any if left out")
	return cmd
}

// heldAgainst reads what a ledger is held against.
func heldAgainst(files []string, ca string) (o proof.Options, err error) {
	if o.Roots, err = rootsIn(ca); err != nil {
		return o, err
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return o, err
		}
		more, err := anchor.Read(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return o, fmt.Errorf("%s: %w", path, err)
		}
		o.Anchors = append(o.Anchors, more...)
	}
	return o, nil
}

func verifyFile(cmd *cobra.Command, path string, o proof.Options) (proof.Report, error) {
	if path == "-" {
		return proof.Verify(cmd.InOrStdin(), o)
	}
	f, err := os.Open(path)
	if err != nil {
		return proof.Report{}, err
	}
	defer f.Close()
	return proof.Verify(f, o)
}

// verifyStore verifies what a store would export.
func verifyStore(ctx context.Context, s store.Store, o proof.Options) (proof.Report, error) {
	r, w := io.Pipe()
	go func() {
		_, err := proof.Export(ctx, w, s, time.Now().UnixMicro())
		_ = w.CloseWithError(err)
	}()
	defer r.Close()
	return proof.Verify(r, o)
}

// showProof tells what was found, and ends with status 1 where that is anything.
func (o *output) showProof(w io.Writer, rep *proof.Report) error {
	rows := make([][]string, len(rep.Findings))
	for i, f := range rep.Findings {
		line := dash
		if f.Line > 0 {
			line = count(int64(f.Line))
		}
		rows[i] = []string{string(f.Fault), orDash(f.Node), count(int64(f.Seq)), line, f.Why}
	}
	if err := o.show(w, rep, []string{"FAULT", "NODE", "ENTRY", "LINE", "WHY"}, rows, "Nothing is wrong."); err != nil {
		return err
	}
	if o.format != "json" {
		fmt.Fprintf(w, "%d entries: %d calls, %d of the audit; %d anchors hold", rep.Entries, rep.Calls, rep.Audits, rep.Anchors)
		if rep.Stamped != nil {
			fmt.Fprintf(w, ", the latest time-stamp is of %s", rep.Stamped.Format(time.RFC3339))
		}
		fmt.Fprintln(w, ".")
		for _, h := range rep.Heads {
			fmt.Fprintf(w, "node %s ends with entry %d, %s\n", h.Node, h.Seq, h.Chain)
		}
		if len(rep.Findings) == 0 && rep.Entries > 0 && rep.Anchors == 0 {
			fmt.Fprintln(w, "No anchor was there to hold it against: a chain that was made anew as a whole would not show.")
		}
	}
	if len(rep.Findings) > 0 {
		return &exitError{statusFailed}
	}
	return nil
}
