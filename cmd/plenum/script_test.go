package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plenum-foundry/plenum/internal/testkit"
)

// The scripts in testdata/script run the real program. Besides what testscript brings they may use:
//
//	plenum ARGS...                    the program itself, with a HOME of its own
//	vendor NAME KEY MODEL CAN...      start a vendor of one model, its address in $NAME
//	http [-H 'N: V'] METHOD URL [FILE]   make a call; shows status, headers, body and trailers
//	sse [-H 'N: V'] URL FILE          make a call with a streamed answer; shows its events, one a line
//	upstream NAME ANSWER...           start an upstream whose address is $NAME; see answerOf
//	said NAME FILE                    write the last request that the upstream had to a file
//	freeport NAME                     set $NAME to an address of this machine that is free
//	setenv NAME FILE [REGEXP]         set $NAME to what a file (or stdout) says, or to the group in the expression
//	waitfor http URL STATUS [REGEXP]  wait until a URL answers so, to a call with $PLENUM_KEY
//	waitfor calls NAME N              wait until the upstream has had N calls
//	waitfor refused ADDRESS           wait until nobody listens on an address
//	waitfor text FILE REGEXP          wait until a file says so
//	signal SIGNAL WORD                send a signal to the program in the background with WORD among its arguments
//	edit FILE OLD NEW                 replace a text in a file, in one step
//	truncate FILE N                   cut a file off after N bytes

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plenum": main, "http": httpMain, "sse": sseMain})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup:              setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"upstream": upstreamCmd, "vendor": vendorCmd, "said": saidCmd, "freeport": freeportCmd, "setenv": setenvCmd,
			"waitfor": waitforCmd, "signal": signalCmd, "edit": editCmd, "truncate": truncateCmd,
		},
	})
}

// upstreams are those that a script has started, by name.
type upstreams map[string]*testkit.Upstream

type upstreamsKey struct{}

func setUp(e *testscript.Env) error {
	e.Values[upstreamsKey{}] = upstreams{}
	home := filepath.Join(e.WorkDir, "home")
	e.Setenv("HOME", home)
	e.Setenv("NO_COLOR", "1")
	// Built with the race detector each command would sleep a second before it ends.
	e.Setenv("GORACE", "atexit_sleep_ms=10")
	e.Setenv("NO_PROXY", "127.0.0.1")
	return os.MkdirAll(home, 0o700)
}

// until asks again and again until ok, and gives up in the end.
func until(ts *testscript.TestScript, what string, ok func() (bool, string)) {
	last := ""
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var done bool
		if done, last = ok(); done {
			return
		}
	}
	ts.Fatalf("waited for %s in vain; the last was %s", what, last)
}

func need(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func upstreamCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "upstream NAME ANSWER...")
	var script []testkit.Answer
	for _, spec := range args[1:] {
		script = append(script, answerOf(ts, spec))
	}
	all := ts.Value(upstreamsKey{}).(upstreams)
	if up, ok := all[args[0]]; ok {
		up.Script(script...)
		return
	}
	up, err := testkit.Start(script...)
	ts.Check(err)
	ts.Defer(up.Close)
	all[args[0]] = up
	ts.Setenv(args[0], up.URL)
}

// vendorCmd starts a vendor of one model that speaks Chat Completions: vendor NAME KEY MODEL CAN...
func vendorCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "vendor NAME KEY MODEL CAN...")
	up, err := testkit.Start()
	ts.Check(err)
	ts.Defer(up.Close)
	up.Handle((&testkit.Vendor{Key: args[1], Model: args[2], Can: args[3:]}).Handle)
	ts.Setenv(args[0], up.URL)
}

// answerOf reads an answer: FILE[,OPTION]..., where a file that ends in .sse is a stream and any other
// JSON. The options are status=N, delay=D (between the events), wait=D (before anything), retry-after=D,
// cut=N (bytes after which the connection is closed) and hang.
func answerOf(ts *testscript.TestScript, spec string) testkit.Answer {
	parts := strings.Split(spec, ",")
	body := ts.ReadFile(parts[0])
	a := testkit.JSON(body)
	if strings.HasSuffix(parts[0], ".sse") {
		a = testkit.Stream([]byte(body))
	}
	for _, option := range parts[1:] {
		name, value, _ := strings.Cut(option, "=")
		number, _ := strconv.Atoi(value)
		span, _ := time.ParseDuration(value)
		switch name {
		case "status":
			a = a.WithStatus(number)
		case "delay":
			a = a.Delay(span)
		case "wait":
			a = a.DelayHeaders(span)
		case "retry-after":
			a = a.RetryAfter(span)
		case "cut":
			a = a.CutAt(number)
		case "hang":
			a = testkit.Hang()
		default:
			ts.Fatalf("an upstream has no option %q", option)
		}
	}
	return a
}

func saidCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "said NAME FILE")
	up, ok := ts.Value(upstreamsKey{}).(upstreams)[args[0]]
	if !ok || up.Last() == nil {
		ts.Fatalf("no call has reached the upstream %s", args[0])
	}
	r := up.Last()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.Path)
	writeHeader(&b, "", r.Header)
	fmt.Fprintf(&b, "\n%s\n", r.Body)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
}

func freeportCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "freeport NAME")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

func setenvCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "setenv NAME FILE [REGEXP]")
	text := strings.TrimSpace(ts.ReadFile(args[1]))
	if len(args) > 2 {
		found := regexp.MustCompile(args[2]).FindStringSubmatch(text)
		if len(found) < 2 {
			ts.Fatalf("%s has nothing like %s", args[1], args[2])
		}
		text = found[1]
	}
	ts.Setenv(args[0], text)
}

func waitforCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "waitfor http URL STATUS [REGEXP], waitfor calls NAME N, waitfor refused ADDRESS")
	rest := strings.Join(args[2:], " ")
	switch args[0] {
	case "http":
		status, pattern, _ := strings.Cut(rest, " ")
		number, err := strconv.Atoi(status)
		ts.Check(err)
		waitForAnswer(ts, args[1], number, regexp.MustCompile(pattern))
	case "calls":
		up := ts.Value(upstreamsKey{}).(upstreams)[args[1]]
		number, err := strconv.Atoi(rest)
		ts.Check(err)
		until(ts, "calls", func() (bool, string) { return up.Count() >= number, strconv.Itoa(up.Count()) })
	case "text":
		pattern := regexp.MustCompile("(?m)" + rest)
		until(ts, rest, func() (bool, string) {
			text, _ := os.ReadFile(ts.MkAbs(args[1]))
			return pattern.Match(text), string(text)
		})
	case "refused":
		until(ts, "a refusal", func() (bool, string) {
			c, err := net.DialTimeout("tcp", args[1], 5*time.Second)
			if err == nil {
				c.Close()
			}
			return err != nil, "a connection"
		})
	default:
		ts.Fatalf("there is nothing to wait for called %q", args[0])
	}
}

func waitForAnswer(ts *testscript.TestScript, url string, status int, pattern *regexp.Regexp) {
	until(ts, fmt.Sprintf("%s to say %d %s", url, status, pattern), func() (bool, string) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		got, body, err := get(ctx, url, ts.Getenv("PLENUM_KEY"))
		if err != nil {
			return false, err.Error()
		}
		return got == status && pattern.MatchString(body), fmt.Sprintf("%d %s", got, body)
	})
}

func get(ctx context.Context, url, key string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	return resp.StatusCode, readBody(resp.Body), nil
}

func signalCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "signal SIGNAL WORD")
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP}
	i := slices.IndexFunc(ts.BackgroundCmds(), func(c *exec.Cmd) bool { return slices.Contains(c.Args, args[1]) })
	if i < 0 || signals[args[0]] == nil {
		ts.Fatalf("no program in the background has %q among its arguments, or there is no signal %q", args[1], args[0])
	}
	ts.Check(ts.BackgroundCmds()[i].Process.Signal(signals[args[0]]))
}

func editCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "edit FILE OLD NEW")
	path := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	tmp := path + ".new"
	ts.Check(os.WriteFile(tmp, []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
	ts.Check(os.Rename(tmp, path))
}

func truncateCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "truncate FILE N")
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}
