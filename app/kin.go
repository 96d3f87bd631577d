package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/identity"
	"github.com/plenum-foundry/plenum/store"
	"github.com/plenum-foundry/plenum/vault"
)

// The settings that tell by which secrets a store is kept, and not what they are.
const (
	pepperSetting = "pepper_check"
	masterSetting = "master_key_id"
)

// forCheck is what the check value of a pepper is the MAC of. It is longer than any key, so that it is none's MAC.
const forCheck = "the check value by which the nodes of one store know that they have the same pepper"

// loadPepper returns the pepper of a configuration: the one it declares, or that of the data directory, which is made where
// that is wanted.
func loadPepper(f *config.File, create bool) (*identity.Pepper, error) {
	if !f.Pepper.Empty() {
		b, err := hex.DecodeString(strings.TrimSpace(f.Pepper.Reveal()))
		if err != nil {
			return nil, errors.New("pepper: it is not 32 bytes in hexadecimal, such as `openssl rand -hex 32` makes") // the error would quote it
		}
		p, err := identity.NewPepper(b)
		if err != nil {
			return nil, fmt.Errorf("pepper: %w", err)
		}
		return p, nil
	}
	if !create {
		if _, err := os.Stat(filepath.Join(f.DataDir, identity.PepperName)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the pepper of the keys is neither in the configuration nor in %s: %w", f.DataDir, err)
		}
	}
	return identity.LoadOrCreatePepper(f.DataDir)
}

// storePepper returns the pepper of a configuration, if it is the one that the store's keys are kept under.
func storePepper(ctx context.Context, f *config.File, s store.Settings) (*identity.Pepper, error) {
	p, err := loadPepper(f, false)
	if err != nil {
		return nil, err
	}
	return p, samePepper(ctx, f, s, p)
}

// kin makes sure that this node has the secrets of the others on its store: with another pepper it would know no key, and
// make keys that no other node knows; without the master key it could not open what they keep.
//
// An embedded store has no other nodes: who has lost a secret of it is told so, and may begin anew.
func (n *Node) kin(ctx context.Context, f *config.File) error {
	for _, same := range [...]func() error{
		func() error { return samePepper(ctx, f, n.store, n.pepper) },
		func() error { return sameMaster(ctx, n.store, n.safe.vault) },
	} {
		err := same()
		if err == nil {
			continue
		}
		if !f.Database.Empty() || !errors.Is(err, errStranger) {
			return err
		}
		n.log.Error("the data directory is kept by another secret than this one", "err", err)
	}
	return nil
}

// errStranger says that a store is kept by another secret.
var errStranger = errors.New("not one of this store's nodes")

func samePepper(ctx context.Context, f *config.File, s store.Settings, p *identity.Pepper) error {
	mac := p.MAC(plenum.NewSecret(forCheck))
	mine := hex.EncodeToString(mac[:])
	kept, err := s.EnsureSetting(ctx, pepperSetting, []byte(mine))
	if err != nil {
		return err
	}
	if string(kept) == mine {
		return nil
	}
	where := "pepper in the configuration"
	if f.Pepper.Empty() {
		where = filepath.Join(f.DataDir, identity.PepperName)
	}
	return fmt.Errorf("%w: this node's pepper (%s) is not the one that the keys of this store are kept under, so it would know none of them; "+
		"give it that of a node which serves: its file %q, or the same `pepper` in the configuration", errStranger, where, identity.PepperName)
}

func sameMaster(ctx context.Context, s store.Settings, v *vault.Vault) error {
	kept, err := s.EnsureSetting(ctx, masterSetting, []byte(v.Current()))
	switch {
	case err != nil:
		return err
	case string(kept) == v.Current():
		return nil
	case !v.Knows(string(kept)):
		return fmt.Errorf("%w: credentials and content in this store are encrypted under the master key %s, and this node has %s; "+
			"give it the `master_key` of the other nodes, or that one's file in `master_keys_before`", errStranger, kept, v.Current())
	}
	return s.SetSetting(ctx, masterSetting, []byte(v.Current()))
}

// follow has the store say what changes. It returns where that is said, and whether it can be relied on.
func (n *Node) follow(ctx context.Context) (said <-chan struct{}, hears *atomic.Bool) {
	c, hears := make(chan struct{}, 1), new(atomic.Bool)
	if n.follower == nil {
		return nil, hears
	}
	changed := func() {
		select {
		case c <- struct{}{}:
		default: // it is said already
		}
	}
	go n.follower.Follow(ctx, changed, func(on bool) {
		if hears.Swap(on) != on {
			n.log.Info("changes in the store are said at once", "so", on)
		}
	})
	return c, hears
}
