package store

import (
	"context"
	"errors"
	"strings"
)

// ErrMoved says that something was changed meanwhile by somebody else; it comes wrapped.
var ErrMoved = errors.New("it was changed meanwhile")

// Resource is something that is declared through the management API: a deployment, a project, a policy. What a
// file declares is not among them.
type Resource struct {
	Kind string // the list that it stands in, such as "deployments"
	Name string
	Spec []byte // as JSON; secrets in it are sealed
	// Version is the revision of all resources at which this one was last changed.
	Version int64
	Created int64  // Unix milliseconds
	Changed int64  // Unix milliseconds
	By      string // who changed it last
}

// OfDirectories is how the kinds begin of what directories have kept by SCIM: it is in one revision with the members that
// come of it, and no item of the configuration.
const OfDirectories = "scim_"

// Item reports whether a resource is an item of the configuration.
func (r *Resource) Item() bool { return !strings.HasPrefix(r.Kind, OfDirectories) }

// ResourceChange is what becomes of one resource.
type ResourceChange struct {
	Kind, Name string
	Spec       []byte // nil takes it away
}

// Resources are what is declared through the management API. They have one revision, which each set of changes
// raises by one: a set that was checked against a revision is kept only if nothing has changed since.
type Resources interface {
	// Resources returns all resources, ordered by kind and name, and their revision: 0 before the first change.
	Resources(ctx context.Context) ([]Resource, int64, error)
	// Revision returns the revision alone.
	Revision(ctx context.Context) (int64, error)
	// ChangeResources makes all changes or none, and returns the new revision. It returns ErrMoved where at is not
	// the revision any more. What is to go and is not there is no error.
	ChangeResources(ctx context.Context, at int64, by string, now int64, changes []ResourceChange) (int64, error)
}
