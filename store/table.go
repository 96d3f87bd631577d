package store

import "context"

// Table is a table of models and prices that somebody imported, as the catalog reads it.
type Table struct {
	Name string // what table it is: "litellm"; there is one of each name
	Date string // as of when it is, as 2026-11-22
	// Version is raised by each change of any table.
	Version  int64
	Imported int64 // Unix milliseconds
	By       string
	Offers   int
	Body     []byte // nil where it was taken away
}

// Tables are the tables that were imported.
type Tables interface {
	// Tables returns those that are there, ordered by name.
	Tables(ctx context.Context) ([]Table, error)
	// TablesVersion returns the newest version of all, those that were taken away among them; 0 before the first.
	TablesVersion(ctx context.Context) (int64, error)
	// PutTable keeps a table in the place of the one of its name, whose version is at: 0 where there is none. One
	// without a body is taken away. It returns ErrMoved where the version is another by now.
	PutTable(ctx context.Context, at int64, t Table) error
}
