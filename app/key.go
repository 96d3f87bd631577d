package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store"
)

func createCommand() *cobra.Command {
	return verb("create", "Make a key, or declare something in a running Plenum", append([]*cobra.Command{createKeyCommand()}, nounCommands(createNounCommand)...)...)
}

func deleteCommand() *cobra.Command {
	return verb("delete", "Revoke a key, or take away what was declared in a running Plenum", append([]*cobra.Command{deleteKeyCommand()}, nounCommands(deleteNounCommand)...)...)
}

// newKey is what is wanted of a key.
type newKey struct {
	project string
	member  string
	expires string
	aws     bool // show what signs for AWS rather than the secret itself
}

func createKeyCommand() *cobra.Command {
	var p place
	var k newKey
	cmd := &cobra.Command{
		Use:   "key NAME",
		Short: "Make a key that applications call with",
		Long: "Make a key. Its secret is shown this once: what is kept is a hash of it.\n\n" +
			"A Plenum that is running takes the key over within a second. Where the output is not a terminal,\n" +
			"only the secret is written to it, so that a script can take it.",
		Example: "  plenum create key laptop\n" +
			"  plenum create key ci --project tests --expires 30d\n" +
			"  export PLENUM_KEY=$(plenum create key shell --expires 12h)\n" +
			"  export $(plenum create key lambda --aws)        AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for Bedrock's SDKs",
		Args:              one("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			return p.with(cmd, func(ctx context.Context, f *config.File, s store.Store) error {
				secret, key, err := makeKey(ctx, f, s, args[0], k)
				if err != nil {
					return err
				}
				if k.aws {
					return showAWS(cmd.OutOrStdout(), cmd.ErrOrStderr(), f, key)
				}
				return showKey(cmd.OutOrStdout(), cmd.ErrOrStderr(), secret, key)
			})
		}),
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&k.project, "project", "default", "the `project` that its calls belong to")
	cmd.Flags().StringVar(&k.member, "member", "", "the `person` that it belongs to")
	cmd.Flags().BoolVar(&k.aws, "aws", false, "show it as an AWS access key, for SDKs that sign their requests (Signature Version 4)")
	cmd.Flags().StringVar(&k.expires, "expires", "", "when it ends: after a `time` such as 30d or 12h, or on a day such as 2027-01-31; never if left out")
	return cmd
}

// makeKey makes a key and keeps it in the store.
func makeKey(ctx context.Context, f *config.File, s store.Store, name string, k newKey) (plenum.Secret, plenum.Key, error) {
	expires, err := parseExpiry(k.expires, time.Now())
	if err != nil {
		return plenum.Secret{}, plenum.Key{}, err
	}
	if err := plainName("name", name); err != nil {
		return plenum.Secret{}, plenum.Key{}, err
	}
	if err := plainName("project", k.project); err != nil {
		return plenum.Secret{}, plenum.Key{}, err
	}
	if _, err := os.Stat(filepath.Join(f.DataDir, identity.PepperName)); err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("the pepper of the keys is not in %s, so no key can be made here: %w", f.DataDir, err)
	}
	pepper, err := identity.LoadOrCreatePepper(f.DataDir)
	if err != nil {
		return plenum.Secret{}, plenum.Key{}, err
	}
	return keepKey(ctx, s, pepper, plenum.Key{Name: name, Project: k.project, Member: k.member, Expires: expires})
}

// keepKey makes the secret of a key and keeps the key.
func keepKey(ctx context.Context, s store.Store, pepper *identity.Pepper, want plenum.Key) (plenum.Secret, plenum.Key, error) {
	secret, key, err := identity.New(rand.Reader, pepper, time.Now())
	if err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("making a key: %w", err)
	}
	key.Name, key.Project, key.Member, key.Expires = want.Name, want.Project, want.Member, want.Expires
	if err := s.CreateKey(ctx, key); err != nil {
		return plenum.Secret{}, plenum.Key{}, fmt.Errorf("keeping a key: %w", err)
	}
	return secret, key, nil
}

// maxName bounds what people name.
const maxName = 128

func plainName(what, s string) error {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f }
	if s == "" || len(s) > maxName || strings.ContainsFunc(s, bad) {
		return fmt.Errorf("a %s has 1 to %d bytes and no control characters", what, maxName)
	}
	return nil
}

// parseExpiry reads when a key ends, as Unix milliseconds; 0 is never.
func parseExpiry(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.ParseInLocation("2006-01-02", text, now.Location())
	if err != nil {
		span, err := parseSpan(text)
		if err != nil {
			return 0, fmt.Errorf("--expires: %w, or a day such as 2027-01-31", err)
		}
		at = now.Add(span)
	}
	if !at.After(now) {
		return 0, fmt.Errorf("--expires: %s is past", at.Format(time.DateTime))
	}
	return at.UnixMilli(), nil
}

// showKey tells a new key to a person, or its bare secret to a program.
func showKey(out, notes io.Writer, secret plenum.Secret, k plenum.Key) error {
	about := notes
	if isTerminal(out) {
		about = out
		fmt.Fprintf(out, "  Key      %s\n           shown this once: keep it\n", secret.Reveal())
	} else if _, err := fmt.Fprintln(out, secret.Reveal()); err != nil {
		return err
	}
	fmt.Fprintf(about, "  Id       %s\n  Name     %s\n  Project  %s\n", k.ID, k.Name, k.Project)
	if k.Expires != 0 {
		fmt.Fprintf(about, "  Expires  %s\n", when(millis(k.Expires)))
	}
	return nil
}

// showAWS tells a new key as what AWS's SDKs take.
func showAWS(out, notes io.Writer, f *config.File, k plenum.Key) error {
	pepper, err := identity.LoadOrCreatePepper(f.DataDir)
	if err != nil {
		return err
	}
	if isTerminal(out) {
		notes = out
	}
	if _, err := fmt.Fprintf(out, "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", k.ID, pepper.AWSSecret(&k).Reveal()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(notes, "\n  Shown this once: keep it. Any region will do; the address of Plenum goes into AWS_ENDPOINT_URL_BEDROCK_RUNTIME.\n  Name     %s\n  Project  %s\n", k.Name, k.Project)
	return err
}

func getKeysCommand() *cobra.Command {
	var p place
	var o output
	cmd := &cobra.Command{
		Use:     "keys",
		Aliases: []string{"key"},
		Short:   "List the keys",
		Long:    "List the keys that are kept in the store, oldest first. Their secrets are not kept and cannot be shown.",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return p.with(cmd, func(ctx context.Context, _ *config.File, s store.Store) error {
				keys, err := s.Keys(ctx)
				if err != nil {
					return fmt.Errorf("reading the keys: %w", err)
				}
				return o.showKeys(cmd.OutOrStdout(), keys, time.Now())
			})
		}),
	}
	p.flags(cmd)
	o.flags(cmd)
	return cmd
}

// keyView is a key as it is shown: without its MAC.
type keyView struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Project string     `json:"project"`
	Member  string     `json:"member,omitempty"`
	Prefix  string     `json:"prefix"`
	State   string     `json:"state"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

func viewKey(k *plenum.Key, now time.Time) keyView {
	v := keyView{ID: k.ID, Name: k.Name, Project: k.Project, Member: k.Member, Prefix: k.Prefix, State: "good", Created: millis(k.Created).UTC()}
	if k.Expires != 0 {
		at := millis(k.Expires).UTC()
		v.Expires = &at
		if !at.After(now) {
			v.State = "expired"
		}
	}
	if k.Revoked != 0 {
		at := millis(k.Revoked).UTC()
		v.Revoked, v.State = &at, "revoked"
	}
	return v
}

func (o *output) showKeys(w io.Writer, keys []plenum.Key, now time.Time) error {
	views, rows := make([]keyView, len(keys)), make([][]string, len(keys))
	for i := range keys {
		v := viewKey(&keys[i], now)
		expires := "never"
		if v.Expires != nil {
			expires = when(*v.Expires)
		}
		views[i] = v
		rows[i] = []string{v.ID, v.Name, v.Project, v.Prefix + "...", v.State, when(v.Created), expires}
	}
	return o.show(w, views, []string{"ID", "NAME", "PROJECT", "KEY", "STATE", "MADE", "EXPIRES"}, rows,
		"There is no key. `plenum create key NAME` makes one.")
}

func deleteKeyCommand() *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "key ID",
		Short: "Revoke a key",
		Long: "Revoke a key, by its id or by a name that only one good key has. A Plenum that is running refuses it\n" +
			"within a second. What was called with it stays on record.",
		Args:              one("ID"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: stoppable(func(cmd *cobra.Command, args []string) error {
			return p.with(cmd, func(ctx context.Context, _ *config.File, s store.Store) error {
				k, err := findKey(ctx, s, args[0])
				if err != nil {
					return err
				}
				if err := s.RevokeKey(ctx, k.ID, time.Now().UnixMilli()); err != nil {
					return fmt.Errorf("revoking the key: %w", err)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Revoked %s (%s). A Plenum that is running refuses it within a second.\n", k.ID, k.Name)
				return err
			})
		}),
	}
	p.flags(cmd)
	return cmd
}

// findKey returns the key of an id, or of a name that only one good key has.
func findKey(ctx context.Context, s store.Store, asked string) (plenum.Key, error) {
	k, err := s.Key(ctx, asked)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return k, err
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return plenum.Key{}, fmt.Errorf("reading the keys: %w", err)
	}
	var named []plenum.Key
	for _, k := range keys {
		if k.Name == asked && identity.Usable(&k, time.Now()) == nil {
			named = append(named, k)
		}
	}
	switch len(named) {
	case 0:
		return plenum.Key{}, fmt.Errorf("there is no key %q; `plenum get keys` lists them", asked)
	case 1:
		return named[0], nil
	default:
		return plenum.Key{}, fmt.Errorf("%d keys are called %q; give the id of one, as `plenum get keys` lists them", len(named), asked)
	}
}
