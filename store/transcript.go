package store

import "context"

// Transcript is what was asked and answered in one call, where its project has that kept.
type Transcript struct {
	Call       string // the id of the call, which no other has
	Project    string
	KeyID      string
	Member     string
	Deployment string
	Start      int64  // of the call, in Unix microseconds
	Size       int64  // of what was asked and answered, in bytes as they went over the wire
	Sum        string // what the ledger has of it, which proves that it is what was kept
	Body       []byte // nil in lists
}

// TranscriptFilter chooses among transcripts. A zero field chooses all.
type TranscriptFilter struct {
	Call, Project, KeyID, Member, Deployment string

	From, To int64 // of the start, in Unix microseconds; To is not included
	Before   int64 // the start of the last one on the page before
	BeforeID string
	Limit    int // 0 is 100, and for deleting all
}

// Max returns the most transcripts to return.
func (f *TranscriptFilter) Max() int {
	if f.Limit <= 0 {
		return 100
	}
	return f.Limit
}

// Transcripts keep what was asked and answered.
type Transcripts interface {
	// PutTranscripts keeps transcripts, all or none. One that is there already stays as it is.
	PutTranscripts(ctx context.Context, ts []Transcript) error
	// Transcript returns one, or ErrNotFound.
	Transcript(ctx context.Context, call string) (Transcript, error)
	// Transcripts returns those that are chosen, the latest first, without what they hold.
	Transcripts(ctx context.Context, f TranscriptFilter) ([]Transcript, error)
	// CountTranscripts returns how many are chosen, whatever the limit.
	CountTranscripts(ctx context.Context, f TranscriptFilter) (int64, error)
	// DeleteTranscripts forgets the chosen ones, the oldest first where there is a limit, and returns how many those were.
	DeleteTranscripts(ctx context.Context, f TranscriptFilter) (int64, error)
	// ReplaceTranscript puts another body in the place of the one that is there. It returns ErrMoved where that is another
	// by now, or gone.
	ReplaceTranscript(ctx context.Context, call string, was, is []byte) error
}
