package store

import (
	"context"
	"io"
)

// ContentName is the folder of contents beside the embedded store.
const ContentName = "content"

// Object is a thing that a caller owns and asks for again by its id: a file, a batch, or something that an
// upstream keeps for them. Its owner is the project: for anyone else it is not there.
type Object struct {
	ID      string
	Kind    string // what it is: "file", "batch", "vector_store"
	Project string
	KeyID   string // the key that made it
	Member  string
	// Deployment is the deployment by whose target an upstream keeps it; "" where Plenum does.
	Deployment string
	Label      string // what lists are narrowed by beside the kind: a file's purpose, a batch's dialect
	Status     string
	Size       int64  // of its content
	Created    int64  // Unix milliseconds
	Expires    int64  // Unix milliseconds; 0 is never
	Holder     string // the node that works on it
	HeldUntil  int64  // Unix milliseconds; until then no other node takes it
	Body       []byte // whatever else its maker keeps, mostly JSON
}

// ObjectFilter chooses among objects. A zero field chooses all.
type ObjectFilter struct {
	Kind, Project, Label, Status string
	IDs                          []string
	ExpiredBy                    int64  // only those that expire at that time or before
	After                        string // the id of the last one on the page before; it need not be there any more
	AfterCreated                 int64  // its Created
	OldestFirst                  bool   // else the latest is first
	Limit                        int    // 0 is 100
}

// Max returns the most objects to return.
func (f *ObjectFilter) Max() int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// Objects are what callers own.
type Objects interface {
	// CreateObject keeps a new object. It returns ErrExists where the id is taken.
	CreateObject(ctx context.Context, o Object) error
	// Object returns one object, or ErrNotFound.
	Object(ctx context.Context, id string) (Object, error)
	// Objects returns the chosen objects, ordered by when they were made and then by id.
	Objects(ctx context.Context, f ObjectFilter) ([]Object, error)
	// UpdateObject changes an object as change says, while nobody else can, and returns what it is then. It
	// returns ErrNotFound, or the error of change, and then nothing is changed. Id and kind stay.
	UpdateObject(ctx context.Context, id string, change func(*Object) error) (Object, error)
	// DeleteObject forgets an object, its content and its lines, or returns ErrNotFound.
	DeleteObject(ctx context.Context, id string) error
	// ObjectsSize returns how much the contents of a project measure.
	ObjectsSize(ctx context.Context, project string) (int64, error)
}

// Contents are the contents of objects: bytes that are written once and read as a stream.
type Contents interface {
	// PutContent keeps all of r and returns how much that was. Where it fails nothing is kept.
	PutContent(ctx context.Context, id string, r io.Reader) (int64, error)
	// Content opens a content, or returns ErrNotFound.
	Content(ctx context.Context, id string) (io.ReadCloser, error)
}

// LineState is how far a line of a batch has come.
type LineState string

// The states of a line. One that was never begun is not kept.
const (
	LineRunning LineState = "running" // begun, and nobody knows yet how it went
	LineDone    LineState = "done"    // answered
	LineFailed  LineState = "failed"  // ended in an error
)

// Line is a line of a batch that was begun.
type Line struct {
	N      int // from 0, in the order of the input
	State  LineState
	Result []byte // what it came to, as its batch says it
}

// Lines are the lines of batches. A line is begun before it is sent and ended after it was answered, so that
// a node which dies knows of each line whether it may have been sent.
type Lines interface {
	// BeginLine notes that a line is about to be sent. It returns ErrExists where it was begun before.
	BeginLine(ctx context.Context, batch string, n int) error
	// EndLine notes how a line ended, also of one that was never begun.
	EndLine(ctx context.Context, batch string, l Line) error
	// ReleaseLine forgets that a line was begun: it was not sent after all.
	ReleaseLine(ctx context.Context, batch string, n int) error
	// Lines returns lines in order, from the given one on.
	Lines(ctx context.Context, batch string, from, limit int) ([]Line, error)
	// DropLines forgets all lines of a batch.
	DropLines(ctx context.Context, batch string) error
	// CountLines returns how many lines there are in each state.
	CountLines(ctx context.Context, batch string) (map[LineState]int, error)
}
