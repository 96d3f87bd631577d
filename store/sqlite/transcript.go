package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/plenum-foundry/plenum/store"
)

const transcriptColumns = "call, project, key, member, deployment, start_us, size, sum"

// chosenTranscripts is the condition of a filter, whose values transcriptArgs gives.
const chosenTranscripts = ` WHERE start_us >= ?1 AND start_us < ?2 AND (?3 = '' OR call = ?3)
	AND (?4 = '' OR project = ?4) AND (?5 = '' OR key = ?5) AND (?6 = '' OR member = ?6) AND (?7 = '' OR deployment = ?7)`

func transcriptArgs(f *store.TranscriptFilter) []any {
	to := f.To
	if to == 0 {
		to = math.MaxInt64
	}
	return []any{f.From, to, f.Call, f.Project, f.KeyID, f.Member, f.Deployment}
}

// PutTranscripts keeps transcripts.
func (d *DB) PutTranscripts(ctx context.Context, ts []store.Transcript) error {
	err := d.transact(ctx, func(tx *sql.Tx) error {
		for i := range ts {
			t := &ts[i]
			_, err := tx.ExecContext(ctx, "INSERT INTO transcripts ("+transcriptColumns+", body) VALUES "+marks(1, 9)+" ON CONFLICT (call) DO NOTHING",
				t.Call, t.Project, t.KeyID, t.Member, t.Deployment, t.Start, t.Size, t.Sum, t.Body)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping transcripts: %w", err)
	}
	return nil
}

// Transcript returns one.
func (d *DB) Transcript(ctx context.Context, call string) (store.Transcript, error) {
	var t store.Transcript
	err := d.read.QueryRowContext(ctx, "SELECT "+transcriptColumns+", body FROM transcripts WHERE call = ?", call).
		Scan(&t.Call, &t.Project, &t.KeyID, &t.Member, &t.Deployment, &t.Start, &t.Size, &t.Sum, &t.Body)
	if err != nil {
		return t, fmt.Errorf("finding the transcript of %s: %w", call, found(err))
	}
	return t, nil
}

// Transcripts returns those that are chosen.
func (d *DB) Transcripts(ctx context.Context, f store.TranscriptFilter) ([]store.Transcript, error) {
	rows, err := d.read.QueryContext(ctx, "SELECT "+transcriptColumns+" FROM transcripts"+chosenTranscripts+`
		AND (?9 = '' OR start_us <= ?8 AND (start_us, call) < (?8, ?9)) ORDER BY start_us DESC, call DESC LIMIT ?10`,
		append(transcriptArgs(&f), f.Before, f.BeforeID, f.Max())...)
	ts, err := collect(rows, err, scanTranscript)
	if err != nil {
		return nil, fmt.Errorf("listing transcripts: %w", err)
	}
	return ts, nil
}

// CountTranscripts returns how many are chosen.
func (d *DB) CountTranscripts(ctx context.Context, f store.TranscriptFilter) (n int64, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT count(*) FROM transcripts"+chosenTranscripts, transcriptArgs(&f)...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting transcripts: %w", err)
	}
	return n, nil
}

// DeleteTranscripts forgets the chosen ones.
func (d *DB) DeleteTranscripts(ctx context.Context, f store.TranscriptFilter) (int64, error) {
	limit := int64(-1)
	if f.Limit > 0 {
		limit = int64(f.Limit)
	}
	res, err := d.write.ExecContext(ctx, "DELETE FROM transcripts WHERE call IN (SELECT call FROM transcripts"+chosenTranscripts+
		" ORDER BY start_us, call LIMIT ?8)", append(transcriptArgs(&f), limit)...)
	if err != nil {
		return 0, fmt.Errorf("deleting transcripts: %w", err)
	}
	return res.RowsAffected()
}

// ReplaceTranscript puts another body in the place of the one that is there.
func (d *DB) ReplaceTranscript(ctx context.Context, call string, was, is []byte) error {
	res, err := d.write.ExecContext(ctx, "UPDATE transcripts SET body = ? WHERE call = ? AND body = ?", is, call, was)
	if err != nil {
		return fmt.Errorf("replacing the transcript of %s: %w", call, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("replacing the transcript of %s: %w", call, store.ErrMoved)
	}
	return nil
}

// scanTranscript reads a transcript without its body.
func scanTranscript(r row) (t store.Transcript, err error) {
	return t, r.Scan(&t.Call, &t.Project, &t.KeyID, &t.Member, &t.Deployment, &t.Start, &t.Size, &t.Sum)
}
