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
		fmt.Fprintf(g.out, "  Key   the one of an earlier start; `%s create key NAME` makes another\n", g.self)
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
		fmt.Fprintf(g.out, "  Ready, but there is no model yet. Set a vendor's key (XAI_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY, ...)\n"+
			"  and start again, or let the local engine run (leave --engine out). Ctrl-C stops.\n\n")
		return
	}
	fmt.Fprintf(g.out, "  Ready. Models: %s\n\n  Paste this into another terminal:\n\n"+
		"  curl -N %s/v1/chat/completions \\\n"+
		"    -H \"Authorization: Bearer %s\" \\\n"+
		"    -H \"Content-Type: application/json\" \\\n"+
		"    -d '{\"model\": \"%s\", \"stream\": true,\n"+
		"         \"messages\": [{\"role\": \"user\", \"content\": \"What is gravity?\"}]}'\n\n"+
		"  Or talk to it there:\n\n"+
		"  PLENUM_KEY=%s %s chat%s\n\n"+
		"  Any OpenAI SDK works with the base URL %s/v1,\n"+
		"  any Anthropic SDK with %s, and the same key. Ctrl-C stops.\n\n",
		some(model, models), g.url, g.keyText(), model, g.keyText(), g.self, g.urlFlag(), g.url, g.url)
}

// keyText is the key as it stands in a shell's command.
func (g *greeter) keyText() string {
	if g.key.Empty() {
		return "$PLENUM_KEY"
	}
	return g.key.Reveal()
}

// urlFlag is what `plenum chat` must be told of the address, if it is not the usual one.
func (g *greeter) urlFlag() string {
	if g.url == "http://"+config.New().Listen {
		return ""
	}
	return " --url " + g.url
}

// some names a few models, the one in the example first, and how many more there are.
func some(first string, models []string) string {
	const most = 5
	names := []string{first}
	for _, m := range models {
		if m != first && len(names) < most {
			names = append(names, m)
		}
	}
	text := strings.Join(names, ", ")
	if more := len(models) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more (GET /v1/models lists them)", more)
	}
	return text
}

// engineFailed says why there is no local model and what can be done.
func (g *greeter) engineFailed(err error, model string, models []string) {
	g.mu.Lock()
	g.endBar()
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
	if inFlight > 0 {
		fmt.Fprintf(g.out, "\n  Stopping: %d calls are still being answered. Ctrl-C again cuts them off.\n", inFlight)
		return
	}
	fmt.Fprintf(g.out, "\n  Stopping.\n")
}
