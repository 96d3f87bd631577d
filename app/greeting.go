package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	plenum "github.com/plenum-foundry/plenum"
	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
)

// greeter says on the terminal what `plenum up` has to say: the URL, the key, how far a download is,
// and a call to paste.
type greeter struct {
	out      io.Writer
	url      string
	key      plenum.Secret // of this start; empty where there was one already
	vendors  []config.Connection
	dir      string
	self     string // how this program is called
	terminal bool

	mu      sync.Mutex
	greeted bool
	failed  bool   // there is no local engine, and it has been told why
	gone    bool   // the person has asked to stop: nothing more is to be said
	bar     string // the download whose progress bar stands on the current line
	shown   string // the last line that said what goes on
	tenths  int    // of the download that were said where there is no terminal
}

func (g *greeter) hello() {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.out, "\nPlenum %s\n\n  URL   %s\n", plenum.Version, g.url)
	if g.key.Empty() {
		fmt.Fprintf(g.out, "  Key   the one of an earlier start; `%s create key NAME%s` makes another\n", g.self, g.dirFlag())
	} else {
		fmt.Fprintf(g.out, "  Key   %s\n        shown this once: keep it\n", g.key.Reveal())
	}
	fmt.Fprintf(g.out, "  Data  %s\n", g.dir)
	if len(g.vendors) > 0 {
		names := make([]string, 0, len(g.vendors))
		for _, c := range g.vendors {
			names = append(names, c.Name)
		}
		fmt.Fprintf(g.out, "\n  Connected, with keys from the environment: %s\n", strings.Join(names, ", "))
	}
	fmt.Fprintln(g.out)
}

// barWidth is the width of a progress bar, in characters.
const barWidth = 30

// progress draws how far a download is: a bar on a terminal, a line for each tenth elsewhere.
func (g *greeter) progress(p engine.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.Total <= 0 || g.gone {
		return
	}
	done := min(float64(p.Done)/float64(p.Total), 1)
	if g.terminal {
		n := int(done * barWidth)
		fmt.Fprintf(g.out, "\r\x1b[K  [%s%s] %3.0f %%  %.0f of %.0f MB  %s",
			strings.Repeat("=", n), strings.Repeat(" ", barWidth-n), 100*done, float64(p.Done)/1e6, float64(p.Total)/1e6, p.Doing)
		g.bar = p.Doing
		return
	}
	if t := int(done * 10); t > g.tenths {
		g.tenths = t
		fmt.Fprintf(g.out, "  %3d %% of %.0f MB: %s\n", t*10, float64(p.Total)/1e6, p.Doing)
	}
}

func (g *greeter) doing(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.greeted || g.gone || what == "" || what == g.shown {
		return
	}
	g.endBar()
	g.shown = what
	fmt.Fprintf(g.out, "  %s ...\n", upperFirst(what))
}

func (g *greeter) endBar() {
	if g.bar != "" {
		fmt.Fprintln(g.out)
		g.bar = ""
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// ready prints a call to paste, once.
func (g *greeter) ready(model string, models []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.greeted || g.gone {
		return
	}
	g.greeted = true
	g.endBar()
	if len(models) == 0 {
		fmt.Fprintf(g.out, "  Plenum runs, but it has no model yet. %s Ctrl-C stops.\n\n", g.missing())
		return
	}
	fmt.Fprintf(g.out, "  Ready. %s\n\n  Paste this into another terminal:\n\n"+
		"  curl -N %s/v1/chat/completions \\\n"+
		"    -H \"Authorization: Bearer %s\" \\\n"+
		"    -H \"Content-Type: application/json\" \\\n"+
		"    -d '{\"model\": \"%s\", \"stream\": true,\n"+
		"         \"messages\": [{\"role\": \"user\", \"content\": \"What is gravity?\"}]}'\n\n"+
		"  Or talk to it there:\n\n"+
		"  %s%s chat%s\n\n"+
		"  Any OpenAI SDK works with the base URL %s/v1,\n"+
		"  any Anthropic SDK with %s, and the same key. Ctrl-C stops.\n\n",
		some(model, models), g.url, g.keyText(), model, g.keyEnv(), g.self, g.urlFlag(), g.url, g.url)
}

// keyText is the key as it stands in a shell's command.
func (g *greeter) keyText() string {
	if g.key.Empty() {
		return "$PLENUM_KEY"
	}
	return g.key.Reveal()
}

// keyEnv sets the key for a command; where it is not known, PLENUM_KEY is taken to be set.
func (g *greeter) keyEnv() string {
	if g.key.Empty() {
		return ""
	}
	return "PLENUM_KEY=" + g.key.Reveal() + " "
}

// missing says what to do for a model.
func (g *greeter) missing() string {
	if g.failed {
		return "Do one of these and start again."
	}
	return "Set a vendor's key (XAI_API_KEY, OPENAI_API_KEY,\n" +
		"  ANTHROPIC_API_KEY, ...) and start again, or leave --engine out to have a local one."
}

// dirFlag is what commands must be told of the data directory, if it is not the usual one.
func (g *greeter) dirFlag() string {
	if g.dir == defaultDataDir() {
		return ""
	}
	return " --data-dir " + g.dir
}

// urlFlag is what `plenum chat` must be told of the address, if it is not the usual one.
func (g *greeter) urlFlag() string {
	if g.url == "http://"+config.New().Listen {
		return ""
	}
	return " --url " + g.url
}

// some names the models, or if they are many, how many they are and the one in the example.
func some(first string, models []string) string {
	const most = 5
	if len(models) > most {
		return fmt.Sprintf("%d models (GET /v1/models lists them), such as %s.", len(models), first)
	}
	return "Models: " + strings.Join(models, ", ")
}

// engineFailed says why there is no local model and what can be done.
func (g *greeter) engineFailed(err error, model string, models []string) {
	g.mu.Lock()
	if g.gone {
		g.mu.Unlock()
		return
	}
	g.endBar()
	g.failed = true
	msg := err.Error()
	var e *engine.Error
	if errors.As(err, &e) {
		msg = e.Message
	}
	fmt.Fprintf(g.out, "\n  The local model is not available: %s\n", msg)
	for _, a := range advice(err) {
		fmt.Fprintf(g.out, "    - %s.\n", strings.TrimSuffix(a, "."))
	}
	fmt.Fprintln(g.out)
	g.mu.Unlock()
	g.ready(model, models)
}

// stopping says that Plenum has heard that it is to stop.
func (g *greeter) stopping(inFlight int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endBar()
	g.gone = true
	if g.terminal {
		fmt.Fprintln(g.out) // the terminal shows ^C
	}
	if inFlight > 0 {
		fmt.Fprintf(g.out, "  Stopping: %s being answered. Ctrl-C again cuts off.\n", many(int(inFlight), "call"))
		return
	}
	fmt.Fprintln(g.out, "  Stopping.")
}
