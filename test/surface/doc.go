// Package surface looks at every operation that the vendors' own descriptions of their APIs list, and at what becomes of
// it at Plenum's door: it is spoken, it passes as it is, Plenum answers it out of what it keeps itself, or it is not
// there, and then why. docs/surface.md is made from it, so that what cannot be carried is known by name.
package surface
