// Package proof carries ledgers out of a store, and proves of such an export, without anything else at hand, that it is
// what the nodes wrote: nothing changed, removed, inserted, put in another order or cut off.
//
// An export is a text of JSON lines: a head, the entries of every node in the order of its chain, an end. Each entry has
// its body as it was written, byte by byte. What a chain alone cannot show (that all of it was written anew, that its end
// is missing) shows against anchors: those that the export holds as entries of the audit, and those given with it.
package proof

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/plenum-foundry/plenum/ledger"
)

// Source is where entries are read from: a store.
type Source interface {
	// Entries returns entries ordered by node, seq and chain, from the one after on.
	Entries(ctx context.Context, after ledger.Entry, limit int) ([]ledger.Entry, error)
}

// version is that of the format.
const version = 1

// opening is the first line of an export.
type opening struct {
	Version int   `json:"plenum_ledger"`
	Time    int64 `json:"exported_us"`
}

// row is an entry as a line.
type row struct {
	Node    string          `json:"node"`
	Seq     uint64          `json:"seq"`
	Kind    string          `json:"kind"`
	Prior   ledger.Sum      `json:"prior"`
	Between []ledger.Sum    `json:"between,omitempty"`
	Chain   ledger.Sum      `json:"chain"`
	Body    json.RawMessage `json:"body"`
}

// closing is the last line.
type closing struct {
	End   bool          `json:"end"`
	Count int           `json:"entries"`
	Heads []ledger.Head `json:"heads"`
}

// Export writes all entries of a source. Now is in Unix microseconds. It returns how many there are.
func Export(ctx context.Context, w io.Writer, s Source, now int64) (int, error) {
	const page = 1000
	out := bufio.NewWriter(w)
	if err := line(out, opening{version, now}); err != nil {
		return 0, err
	}
	end := closing{End: true}
	heads := map[string]ledger.Head{}
	var after ledger.Entry
	for {
		entries, err := s.Entries(ctx, after, page)
		if err != nil {
			return 0, fmt.Errorf("reading the ledger: %w", err)
		}
		for i := range entries {
			e := &entries[i]
			if err := writeEntry(out, e); err != nil {
				return 0, err
			}
			heads[e.Node] = ledger.Head{Node: e.Node, Seq: e.Seq, Chain: e.Chain}
		}
		end.Count += len(entries)
		if len(entries) < page {
			break
		}
		after = entries[len(entries)-1]
	}
	for _, n := range slices.Sorted(maps.Keys(heads)) {
		end.Heads = append(end.Heads, heads[n])
	}
	if err := line(out, end); err != nil {
		return 0, err
	}
	return end.Count, out.Flush()
}

// writeEntry writes an entry with its body as it is: encoding/json would write some of it in another way.
func writeEntry(out *bufio.Writer, e *ledger.Entry) error {
	b, err := json.Marshal(row{Node: e.Node, Seq: e.Seq, Kind: e.Kind, Prior: e.Prior, Between: e.Between, Chain: e.Chain, Body: json.RawMessage("0")})
	if err != nil {
		return err
	}
	b = append(b[:len(b)-len("0}")], e.Body...)
	_, err = out.Write(append(b, "}\n"...))
	return err
}

func line(out *bufio.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = out.Write(append(b, '\n'))
	return err
}
