package app

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/stage/claim"
	"github.com/plenum-foundry/plenum/stage/resolve"
	"github.com/plenum-foundry/plenum/store"
)

// owners keeps in the store who owns what upstreams keep.
type owners struct{ store store.Objects }

var _ Owners = owners{}

// together is how many are looked up at once.
const together = 500

// Owned returns those of the ids that the project owns.
func (o owners) Owned(ctx context.Context, project string, ids []string) (map[string]resolve.Place, error) {
	out := map[string]resolve.Place{}
	for some := range slices.Chunk(ids, together) {
		found, err := o.store.Objects(ctx, store.ObjectFilter{Project: project, IDs: some, Limit: together})
		if err != nil {
			return nil, err
		}
		for i := range found {
			var at resolve.Place
			if found[i].Deployment != "" && json.Unmarshal(found[i].Body, &at) == nil {
				out[found[i].ID] = at
			}
		}
	}
	return out, nil
}

// Whose returns whose the ids are that are known, and where.
func (o owners) Whose(ctx context.Context, ids []string) (map[string]claim.Thing, error) {
	out := map[string]claim.Thing{}
	for some := range slices.Chunk(ids, together) {
		found, err := o.store.Objects(ctx, store.ObjectFilter{IDs: some, Limit: together})
		if err != nil {
			return nil, err
		}
		for i := range found {
			thing := claim.Thing{Project: found[i].Project}
			var at resolve.Place
			if found[i].Deployment != "" && json.Unmarshal(found[i].Body, &at) == nil {
				thing.Deployment, thing.Connection = at.Deployment, at.Connection
			}
			out[found[i].ID] = thing
		}
	}
	return out, nil
}

// Note notes that a vendor made something for a caller.
func (o owners) Note(ctx context.Context, who plenum.Principal, kind, id string, at claim.Thing) error {
	return o.Own(ctx, who, kind, id, resolve.Place{Deployment: at.Deployment, Connection: at.Connection})
}

// Own notes that a caller made something. What is known already stays with who has it.
func (o owners) Own(ctx context.Context, who plenum.Principal, kind, id string, at resolve.Place) error {
	body, err := json.Marshal(at)
	if err != nil {
		return err
	}
	err = o.store.CreateObject(ctx, store.Object{
		ID: id, Kind: "upstream " + kind, Project: who.Project, KeyID: who.KeyID, Member: who.Member, Deployment: at.Deployment,
		Status: "kept", Created: time.Now().UnixMilli(), Body: body,
	})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// Disown forgets it.
func (o owners) Disown(ctx context.Context, id string) error {
	err := o.store.DeleteObject(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
