// Command gen makes the catalog's data files anew from three public tables of models and prices, given
// as a directory that holds models.dev/ and prices/. It takes facts, no texts:
//
//	go run ./catalog/gen -from DIR -date 2026-11-22
//
// A price enters the catalog if nothing speaks against it: where the tables differ, two that agree
// outvote the third, and a price that is known to have begun after the other tables were read counts
// alone. What remains disputed is left out, for an unknown price is better than a wrong one.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/plenum-foundry/plenum/catalog/internal/record"
	"github.com/plenum-foundry/plenum/catalog/internal/table"
)

func main() {
	from := flag.String("from", "", "the directory with the tables")
	date := flag.String("date", "", "the day for which prices are taken, as 2026-11-22")
	into := flag.String("into", "catalog/data", "where the data files are written")
	flag.Parse()
	if err := run(*from, *date, *into); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, date, into string) error {
	if from == "" || date == "" {
		return fmt.Errorf("-from and -date are needed")
	}
	t, err := read(from, date)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	files := map[string]*record.File{}
	for _, p := range table.Places() {
		f := merge(t, p, date)
		files[p.Name] = f
	}
	all := models(t, files)
	for _, p := range table.Places() {
		f := files[p.Name]
		recognise(f, all)
		if err := writeOffers(filepath.Join(into, p.Name+".json"), f); err != nil {
			return err
		}
		fmt.Printf("%-12s %4d offers, %4d priced, %3d disputed\n", p.Name, len(f.Offers), count(f, priced), count(f, disputed))
	}
	return writeModels(filepath.Join(into, "models.json"), all)
}

func priced(o record.Offer) bool   { return o.Price != nil }
func disputed(o record.Offer) bool { return o.Disputed }

func count(f *record.File, is func(record.Offer) bool) int {
	n := 0
	for _, o := range f.Offers {
		if is(o) {
			n++
		}
	}
	return n
}

// writeOffers writes a provider's file with one offer a line, so that a change is easy to review.
func writeOffers(path string, f *record.File) error {
	offers := f.Offers
	slices.SortFunc(offers, func(a, b record.Offer) int { return cmp.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	head, err := json.Marshal(f.Sources)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "{\"provider\":%q,\"made\":%q,\n\"sources\":%s,\n", f.Provider, f.Made, head)
	if f.Data != nil {
		text, err := json.Marshal(f.Data)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\"data\":%s,\n", text)
	}
	if f.Terms != "" {
		fmt.Fprintf(&b, "\"terms\":%q,\n", f.Terms)
	}
	b.WriteString("\"offers\":[")
	if err := lines(&b, offers); err != nil {
		return err
	}
	b.WriteString("\n]}\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func writeModels(path string, m *record.Models) error {
	var b bytes.Buffer
	head, err := json.Marshal(m.Sources)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "{\"sources\":%s,\n\"publishers\":[", head)
	if err := lines(&b, m.Publishers); err != nil {
		return err
	}
	b.WriteString("],\n\"models\":[")
	if err := lines(&b, m.Models); err != nil {
		return err
	}
	b.WriteString("\n]}\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// lines writes the items of a list, each on a line of its own.
func lines[T any](b *bytes.Buffer, items []T) error {
	for i, item := range items {
		text, err := json.Marshal(item)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	return nil
}
