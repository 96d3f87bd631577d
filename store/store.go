// Package store says what Plenum keeps: callers' keys, the records of calls with the usage summed from
// them, the objects that callers own (files, batches) with their contents, what was asked and answered where that is kept, what is declared through the management API, and
// a few settings. Packages sqlite and postgres keep it; storetest holds both to the same behaviour.
//
// It is also the Sink of the ledger: ended calls arrive through Append, in batches. Nothing of a call's
// own path waits for a store.
//
// Backup and Restore make and unpack one archive of a whole data directory, and of the database where that is elsewhere.
package store

import "errors"

// The names of what a data directory holds.
const (
	DatabaseName = "plenum.db"
	JournalName  = "journal"
	DumpName     = "database" // in an archive alone: what a database elsewhere held
)

// The errors on which a caller may act; they come wrapped.
var (
	ErrNotFound = errors.New("there is none")
	ErrExists   = errors.New("there is one already")
)

// Store is all that is kept.
type Store interface {
	Keys
	Records
	Rollups
	Settings
	Objects
	Contents
	Lines
	Resources
	Tables
	Transcripts
	Close() error
}
