package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/store/sealed"
	"github.com/plenum-foundry/plenum/vault"
)

// safe seals what is kept and must be known again, and opens it, also where it was sealed under the pepper before there
// were master keys.
type safe struct {
	vault  *vault.Vault
	pepper *identity.Pepper
}

// openSafe makes the safe of a configuration's master keys. That of the pepper opens always, and seals where there is no
// other.
func openSafe(f *config.File, kms []vault.Service, p *identity.Pepper) (safe, error) {
	var all []vault.Master
	add := func(what string, m vault.Master, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		all = append(all, m)
		return nil
	}
	switch {
	case !f.MasterKey.Empty() && f.MasterKeyKMS != "":
		return safe{}, errors.New("master_key and master_key_kms are two master keys; give one")
	case f.MasterKeyKMS != "":
		m, err := vault.FromService(f.MasterKeyKMS, kms)
		if err := add("master_key_kms", m, err); err != nil {
			return safe{}, err
		}
	case !f.MasterKey.Empty():
		m, err := vault.NewMaster(f.MasterKey)
		if err := add("master_key", m, err); err != nil {
			return safe{}, err
		}
	}
	for _, path := range f.MasterKeysOld {
		m, err := masterBefore(path, kms)
		if err := add("master_keys_before: "+path, m, err); err != nil {
			return safe{}, err
		}
	}
	m, err := vault.Derived(p.Master())
	if err := add("the pepper", m, err); err != nil {
		return safe{}, err
	}
	s := safe{vault.New(all...), p}
	if f.MasterKeyKMS != "" { // better now than when the first thing is to be kept
		if _, err := s.vault.Seal([]byte(plenum.Product), "start"); err != nil {
			return safe{}, fmt.Errorf("master_key_kms: %w", err)
		}
	}
	return s, nil
}

// masterBefore returns a key that was the master key before: at the address of a service, or in a file.
func masterBefore(at string, kms []vault.Service) (vault.Master, error) {
	if strings.Contains(at, "://") {
		return vault.FromService(at, kms)
	}
	b, err := os.ReadFile(at)
	if err != nil {
		return vault.Master{}, err
	}
	return vault.NewMaster(plenum.NewSecret(string(b)))
}

// open opens a text that was sealed.
func (s safe) open(text string) (string, error) {
	plain, ok, err := s.vault.OpenText(text)
	if ok {
		return plain, err
	}
	return s.pepper.OpenText(text)
}

// again seals a text anew, under the master key of now.
func (s safe) again(_, text string) (string, error) {
	plain, err := s.open(text)
	if err != nil {
		return "", err
	}
	return s.vault.SealText(plain)
}

func rotateCommand(parts Parts) *cobra.Command {
	return verb("rotate", "Give a key another secret, or encrypt what is kept under a new key", rotateKeyCommand(parts), rotateMasterKeyCommand(parts))
}

func rotateMasterKeyCommand(parts Parts) *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "master-key",
		Short: "Encrypt credentials and content in the store anew, under the master key of the configuration",
		Long: "Encrypt vendors' credentials and content in the store anew, under the master key of the configuration.\n\n" +
			"Put the new key into master_key and the old one's file into master_keys_before, restart every node, run this\n" +
			"beside them, and take the old one out. It may be interrupted and run again; it never shows a secret.",
		Example: "  plenum rotate master-key --config plenum.yaml",
		Args:    cobra.NoArgs,
		RunE: stoppable(func(cmd *cobra.Command, _ []string) error {
			return p.with(cmd, func(ctx context.Context, f *config.File, s store.Store) error {
				pepper, err := storePepper(ctx, f, s)
				if err != nil {
					return err
				}
				safe, err := openSafe(f, parts.KMS, pepper)
				if err != nil {
					return err
				}
				items, objects, err := rotate(ctx, s, safe)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Encrypted anew under master key %s: what %d declarations hold, %d objects.\n", safe.vault.Current(), items, objects)
				return err
			})
		}),
	}
	p.flags(cmd)
	return cmd
}

// rotate seals anew what is kept: credentials in what is declared, as one change of all, and the bodies of objects.
func rotate(ctx context.Context, s store.Store, safe safe) (items, objects int, err error) {
	for {
		items, err = rotateItems(ctx, s, safe)
		if !errors.Is(err, store.ErrMoved) {
			break
		}
	}
	if err != nil {
		return 0, 0, err
	}
	objects, err = sealed.New(s, safe.vault).Reseal(ctx)
	return items, objects, err
}

func rotateItems(ctx context.Context, s store.Store, safe safe) (int, error) {
	rs, at, err := s.Resources(ctx)
	if err != nil {
		return 0, err
	}
	var changes []store.ResourceChange
	for i := range rs {
		if !rs[i].Item() {
			continue
		}
		secrets := 0
		spec, err := config.Secrets(rs[i].Kind, rs[i].Spec, func(path, text string) (string, error) {
			secrets++
			return safe.again(path, text)
		})
		if err != nil {
			return 0, fmt.Errorf("%s %s: %w", rs[i].Kind, rs[i].Name, err)
		}
		if secrets > 0 {
			changes = append(changes, store.ResourceChange{Kind: rs[i].Kind, Name: rs[i].Name, Spec: spec})
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	_, err = s.ChangeResources(ctx, at, "plenum rotate master-key", time.Now().UnixMilli(), changes)
	return len(changes), err
}
