package proof

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/internal/clock"
	"github.com/plenum-foundry/plenum/internal/testkit"
	"github.com/plenum-foundry/plenum/ledger"
	"github.com/plenum-foundry/plenum/ledger/anchor"
)

// memory is a store of entries.
type memory []ledger.Entry

func (m *memory) Append(_ context.Context, es []ledger.Entry) error {
	for _, e := range es {
		e.Body = slices.Clone(e.Body)
		*m = append(*m, e)
	}
	return nil
}

func (m *memory) Entries(_ context.Context, after ledger.Entry, limit int) ([]ledger.Entry, error) {
	for i := range *m {
		if e := &(*m)[i]; e.Node > after.Node || e.Node == after.Node && e.Seq > after.Seq {
			return (*m)[i:min(i+limit, len(*m))], nil
		}
	}
	return nil, nil
}

// written is a ledger with calls and audits, and what is exported of it.
func written(t *testing.T, l *ledger.Ledger, calls int) []string {
	t.Helper()
	for i := range calls {
		r := plenum.Record{ID: fmt.Sprint("c", i), Error: "<&> \u2028"}
		if err := l.Begin(ledger.BeginOf(&r)); err != nil {
			t.Fatal(err)
		}
		if err := l.End(&r); err != nil {
			t.Fatal(err)
		}
		if err := l.Audit(ledger.Audit{Actor: "member:ann", Action: "x", After: json.RawMessage(`{"n":1}`)}); err != nil {
			t.Fatal(err)
		}
	}
	return exported(t, l)
}

func exported(t *testing.T, l *ledger.Ledger) []string {
	t.Helper()
	var m memory
	if err := l.Drain(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := Export(t.Context(), &b, &m, 5); err != nil || n != len(m) {
		t.Fatalf("%d entries, %v", n, err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func open(t *testing.T, dir string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func verify(t *testing.T, lines []string, o Options) Report {
	t.Helper()
	rep, err := Verify(strings.NewReader(strings.Join(lines, "\n")+"\n"), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// names reports whether a finding names a fault at a place.
func names(rep *Report, f Fault, seq uint64) bool {
	return slices.ContainsFunc(rep.Findings, func(x Finding) bool { return x.Fault == f && (seq == 0 || x.Seq == seq) && x.Why != "" })
}

func only(t *testing.T, rep Report, f Fault, seq uint64) {
	t.Helper()
	if !names(&rep, f, seq) {
		t.Errorf("nothing says that entry %d was %s: %+v", seq, f, rep.Findings)
	}
	for _, x := range rep.Findings {
		if x.Fault != f && x.Fault != Removed {
			t.Errorf("%+v is told too", x)
		}
	}
}

// seqOf reads the seq of a line.
func seqOf(t *testing.T, line string) uint64 {
	t.Helper()
	var r row
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatal(err)
	}
	return r.Seq
}

func TestAnExportIsProved(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 1200) // more than a page
	rep := verify(t, lines, Options{})
	if rep.Entries != 2400 || rep.Calls != 1200 || rep.Audits != 1200 || len(rep.Findings) > 0 || len(rep.Heads) != 1 {
		t.Errorf("%+v", rep)
	}
	if _, err := Verify(strings.NewReader("{}\n"), Options{}); err == nil {
		t.Error("anything is an export")
	}
}

// The five ways of tampering.

func TestAChangedEntryIsNamed(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 5)
	lines[4] = strings.Replace(lines[4], "member:ann", "member:bob", 1)
	only(t, verify(t, lines, Options{}), Changed, seqOf(t, lines[4]))
}

func TestAChangedEntryWithItsChainMadeAnewIsNamed(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 5)
	lines[4] = rehashed(t, strings.Replace(lines[4], "member:ann", "member:bob", 1))
	only(t, verify(t, lines, Options{}), Changed, seqOf(t, lines[4]))
}

func TestARemovedEntryIsNamed(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 5)
	next := seqOf(t, lines[5])
	only(t, verify(t, slices.Delete(slices.Clone(lines), 4, 5), Options{}), Removed, next)
	if rep := verify(t, slices.Delete(slices.Clone(lines), 1, 3), Options{}); !names(&rep, Removed, seqOf(t, lines[3])) {
		t.Errorf("the beginning was removed, and nothing says so: %+v", rep.Findings)
	}
}

func TestAnInsertedEntryIsNamed(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 5)
	var r row
	if err := json.Unmarshal([]byte(lines[4]), &r); err != nil {
		t.Fatal(err)
	}
	r.Prior, r.Between, r.Seq = r.Chain, nil, r.Seq+1
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	forged := rehashed(t, string(b))
	only(t, verify(t, slices.Insert(slices.Clone(lines), 5, forged), Options{}), Inserted, r.Seq)
	only(t, verify(t, slices.Insert(slices.Clone(lines), 5, lines[4]), Options{}), Inserted, r.Seq-1)
}

func TestReorderedEntriesAreNamed(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 5)
	lines[4], lines[5] = lines[5], lines[4]
	only(t, verify(t, lines, Options{}), Reordered, seqOf(t, lines[5]))
}

func TestATruncatedExportIsNamed(t *testing.T) {
	lines := written(t, open(t, t.TempDir()), 5)
	only(t, verify(t, lines[:len(lines)-3], Options{}), Truncated, 0)
	cut := strings.Join(lines, "\n")
	rep, err := Verify(strings.NewReader(cut[:len(cut)*2/3]), Options{})
	if err != nil || !names(&rep, Truncated, 0) {
		t.Errorf("%+v, %v", rep.Findings, err)
	}
}

// TestWhoTampersIsFoundOut tampers with one export in each way, and prints what verification says of it.
func TestWhoTampersIsFoundOut(t *testing.T) {
	l := open(t, t.TempDir())
	lines := written(t, l, 5)
	head := verify(t, lines, Options{}).Heads[0] // as an anchor outside has it
	o := Options{Anchors: []anchor.Anchored{{Head: head, Time: time.Now().UnixMicro(), Kind: anchor.KindFile}}}
	if rep := verify(t, lines, o); len(rep.Findings) > 0 {
		t.Fatalf("the export itself: %+v", rep.Findings)
	}
	for _, way := range []struct {
		name  string
		lines []string
		want  Fault
	}{
		{"a call is changed", edited(t, lines, 3, `"id":"c1"`, `"id":"c9"`), Changed},
		{"a call is taken out", slices.Delete(slices.Clone(lines), 3, 4), Removed},
		{"an entry is forged between, its sum made anew", slices.Insert(slices.Clone(lines), 5, forged(t, lines[4])), Inserted},
		{"two entries change places", slices.Concat(lines[:4], []string{lines[5], lines[4]}, lines[6:]), Reordered},
		{"the end is cut off", lines[:len(lines)-3], Truncated},
		{"an entry is changed and all sums after it made anew", rewritten(t, lines, 2), Changed},
	} {
		rep := verify(t, way.lines, o)
		if !names(&rep, way.want, 0) {
			t.Errorf("%s: nothing says %s: %+v", way.name, way.want, rep.Findings)
			continue
		}
		f := rep.Findings[slices.IndexFunc(rep.Findings, func(f Finding) bool { return f.Fault == way.want })]
		t.Logf("%-52s %-9s entry %d, line %d: %s", way.name, f.Fault, f.Seq, f.Line, f.Why)
	}
}

// edited is an export with something else in a line.
func edited(t *testing.T, lines []string, at int, old, fresh string) []string {
	t.Helper()
	out := slices.Clone(lines)
	if !strings.Contains(out[at], old) {
		t.Fatalf("line %d has no %s: %s", at, old, out[at])
	}
	out[at] = strings.Replace(out[at], old, fresh, 1)
	return out
}

// forged is an entry that says to follow another.
func forged(t *testing.T, after string) string {
	t.Helper()
	var r row
	if err := json.Unmarshal([]byte(after), &r); err != nil {
		t.Fatal(err)
	}
	r.Prior, r.Between, r.Seq = r.Chain, nil, r.Seq+1
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return rehashed(t, string(b))
}

// rehashed makes the chain of a line anew, as somebody who knows the format would.
func rehashed(t *testing.T, line string) string {
	t.Helper()
	l := open(t, t.TempDir())
	if err := l.Audit(ledger.Audit{Actor: "a", Action: "b"}); err != nil {
		t.Fatal(err)
	}
	var r row
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatal(err)
	}
	e := ledger.Entry{Node: r.Node, Seq: r.Seq, Kind: r.Kind, Prior: r.Prior, Between: r.Between, Body: r.Body}
	e.Chain = e.Sum()
	var b bytes.Buffer
	var m memory
	_ = m.Append(t.Context(), []ledger.Entry{e})
	if _, err := Export(t.Context(), &b, &m, 1); err != nil {
		t.Fatal(err)
	}
	return strings.Split(b.String(), "\n")[1]
}

// rewritten is an export whose entries were changed from one on, the whole chain and the end made anew.
func rewritten(t *testing.T, lines []string, from int) []string {
	t.Helper()
	out := slices.Clone(lines)
	var prior ledger.Sum
	var last row
	for i := from; i < len(out)-1; i++ {
		var r row
		if err := json.Unmarshal([]byte(out[i]), &r); err != nil {
			t.Fatal(err)
		}
		if i == from {
			r.Body = bytes.Replace(r.Body, []byte("member:ann"), []byte("member:bob"), 1)
		} else {
			r.Prior = prior
		}
		e := ledger.Entry{Node: r.Node, Seq: r.Seq, Kind: r.Kind, Prior: r.Prior, Between: r.Between, Body: r.Body}
		r.Chain = e.Sum()
		e.Chain = r.Chain
		prior, last = r.Chain, r
		var b bytes.Buffer
		m := memory{e}
		if _, err := Export(t.Context(), &b, &m, 1); err != nil {
			t.Fatal(err)
		}
		out[i] = strings.Split(b.String(), "\n")[1]
	}
	b, err := json.Marshal(closing{End: true, Count: len(out) - 2, Heads: []ledger.Head{{Node: last.Node, Seq: last.Seq, Chain: last.Chain}}})
	if err != nil {
		t.Fatal(err)
	}
	out[len(out)-1] = string(b)
	return out
}

func keep(l *ledger.Ledger, places ...anchor.Place) *anchor.Keeper {
	return &anchor.Keeper{Ledger: l, Places: places, Clock: clock.Real, Log: slog.New(slog.DiscardHandler)}
}

// drained is kept for tests that want all entries of a ledger at once.
func drained(t *testing.T, l *ledger.Ledger) memory {
	t.Helper()
	var m memory
	if err := l.Drain(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// authority is a time-stamping authority on the loopback.
func authority(t *testing.T) (url string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tsa"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		q, err := timestamp.ParseRequest(b)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ts := timestamp.Timestamp{
			HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: time.Now(), Nonce: q.Nonce,
			Policy: []int{1, 2, 3}, Ordering: true, AddTSACertificate: q.Certificates,
		}
		answer, err := ts.CreateResponseWithOpts(cert, key, crypto.SHA256)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(s.Close)
	return s.URL, roots
}

func TestATimeStampProvesAHead(t *testing.T) {
	url, roots := authority(t)
	l := open(t, t.TempDir())
	for i := range 4 {
		if err := l.Audit(ledger.Audit{Actor: "member:ann", Action: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "stamps.jsonl")
	stamp := anchor.Stamp{URL: url, Client: http.DefaultClient, Roots: roots, Copy: &anchor.File{Path: outside}}
	k := keep(l, anchor.Place{Name: "tsa", Kind: anchor.KindStamp, Every: time.Nanosecond, Anchor: stamp})
	k.Round(t.Context())
	k.Round(t.Context()) // nothing is new
	lines := exported(t, l)
	rep := verify(t, lines, Options{Roots: roots})
	if rep.Audits != 5 || rep.Anchors != 1 || rep.Stamped == nil || len(rep.Findings) > 0 {
		t.Fatalf("%+v", rep)
	}
	_, others := authority(t)
	if rep := verify(t, lines, Options{Roots: others}); !names(&rep, Unproven, 4+1) {
		t.Errorf("another authority's roots prove it: %+v", rep)
	}
	f, err := os.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	anchors, err := anchor.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	// All of the chain made anew from the second entry on, the stamp in it included: what was kept outside tells.
	rep = verify(t, rewritten(t, lines, 2), Options{Roots: roots, Anchors: anchors})
	if !names(&rep, Changed, anchors[0].Seq) {
		t.Errorf("a chain that was made anew is not told: %+v", rep.Findings)
	}
	// The end cut off, with a new end put there.
	short := rewritten(t, append(slices.Clone(lines[:3]), lines[len(lines)-1]), 2)
	rep = verify(t, short, Options{Roots: roots, Anchors: anchors})
	if !names(&rep, Truncated, anchors[0].Seq) {
		t.Errorf("a chain that was cut off is not told: %+v", rep.Findings)
	}
	// A stamp whose head was altered proves nothing.
	anchors[0].Seq++
	if rep := verify(t, lines, Options{Roots: roots, Anchors: anchors}); !names(&rep, Unproven, anchors[0].Seq) {
		t.Errorf("a stamp of another head is believed: %+v", rep.Findings)
	}
}

func TestHeadsAreKeptInFilesRepositoriesAndLogs(t *testing.T) {
	testkit.Program(t, "git")
	var heard []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "receipt")
	}))
	defer s.Close()
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "journal"))
	bare := filepath.Join(dir, "bare.git")
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", bare).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	k := keep(
		l,
		anchor.Place{Name: "file", Kind: anchor.KindFile, Every: time.Nanosecond, Anchor: anchor.File{Path: filepath.Join(dir, "deep", "heads")}},
		anchor.Place{Name: "git", Kind: anchor.KindGit, Every: time.Nanosecond, Anchor: anchor.Git{Dir: filepath.Join(dir, "git"), Push: bare}},
		anchor.Place{Name: "log", Kind: anchor.KindLog, Every: time.Nanosecond, Anchor: anchor.Log{URL: s.URL, Client: http.DefaultClient}},
		anchor.Place{Name: "gone", Kind: anchor.KindFile, Every: time.Nanosecond, Anchor: anchor.File{Path: filepath.Join(dir, "deep", "heads", "no")}},
	)
	for i := range 2 {
		if err := l.Audit(ledger.Audit{Actor: "a", Action: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		k.Round(t.Context())
	}
	for _, path := range []string{filepath.Join(dir, "deep", "heads"), filepath.Join(dir, "git", l.Head().Node+".jsonl")} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		anchors, err := anchor.Read(f)
		_ = f.Close()
		if err != nil || len(anchors) != 2 {
			t.Errorf("%s has %v, %v", path, anchors, err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "git", "--git-dir", bare, "log", "--all", "--format=%s").Output()
	if err != nil || strings.Count(string(out), "node "+l.Head().Node) != 2 {
		t.Errorf("the repository that was pushed to has %q, %v", out, err)
	}
	if !bytes.Contains(heard, []byte(l.Head().Node)) {
		t.Errorf("the log heard %q", heard)
	}
	var failed int
	for _, e := range drained(t, l) {
		if a, err := e.Audit(); err == nil && a.Decision == ledger.Failed && a.Name == "gone" && a.Reason != "" {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("%d failures are written down, want 2", failed)
	}
}

func TestANodeThatGoesOnWhereAnotherWasSaysSo(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if err := l.Audit(ledger.Audit{Actor: "a", Action: "x"}); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := os.Remove(filepath.Join(dir, "node")); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	if rep := verify(t, exported(t, l), Options{}); len(rep.Findings) > 0 || len(rep.Heads) != 2 {
		t.Errorf("%+v", rep)
	}
}
