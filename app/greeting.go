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
	key      plenum.Secret // of this start; empty where there were keys already
	vendors  []config.Connection
	terminal bool

	mu      sync.Mutex
	greeted bool
	bar     bool // a progress bar stands on the current line
	tenths  int  // of the download that were said where there is no terminal
}

func (g *greeter) hello() {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.out, "\nPlenum %s\n\n  URL  %s\n", plenum.Version, g.url)
	if g.key.Empty() {
		fmt.Fprintf(g.out, "  Key  made at an earlier start; `plenum create key NAME` makes another\n")
	} else {
		fmt.Fprintf(g.out, "  Key  %s\n       shown this once: keep it\n", g.key.Reveal())
	}
	if len(g.vendors) > 0 {
		names := make([]string, 0, len(g.vendors))
		for _, c := range g.vendors {
			names = append(names, c.Name)
		}
		fmt.Fprintf(g.out, "  From the environment: %s\n", strings.Join(names, ", "))
	}
	fmt.Fprintln(g.out)
}

// barWidth is the width of a progress bar, in characters.
const barWidth = 30

// progress draws how far a download is: a bar on a terminal, a line for each tenth elsewhere.
func (g *greeter) progress(p engine.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.Total <= 0 {
		return
	}
	done := min(float64(p.Done)/float64(p.Total), 1)
	if g.terminal {
		n := int(done * barWidth)
		fmt.Fprintf(g.out, "\r\x1b[K  %s  [%s%s] %3.0f %%  %.0f of %.0f MB", p.Doing,
			strings.Repeat("=", n), strings.Repeat(" ", barWidth-n), 100*done, float64(p.Done)/1e6, float64(p.Total)/1e6)
		g.bar = true
		return
	}
	if t := int(done * 10); t > g.tenths {
		g.tenths = t
		fmt.Fprintf(g.out, "  %s: %d %%\n", p.Doing, t*10)
	}
}

func (g *greeter) doing(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.greeted || what == "" {
		return
	}
	g.endBar()
	fmt.Fprintf(g.out, "  %s\n", what)
}

func (g *greeter) endBar() {
	if g.bar {
		fmt.Fprintln(g.out)
		g.bar = false
	}
}

// ready prints a call to paste, once.
func (g *greeter) ready(models []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.greeted {
		return
	}
	g.greeted = true
	g.endBar()
	if len(models) == 0 {
		fmt.Fprintf(g.out, "  No model yet: set a vendor's key (OPENAI_API_KEY, XAI_API_KEY, ANTHROPIC_API_KEY, ...) and start again,\n"+
			"  or let the local engine run (leave --engine out).\n\n")
		return
	}
	key := "$PLENUM_KEY"
	if !g.key.Empty() {
		key = g.key.Reveal()
	}
	model := models[len(models)-1] // the local one, where there is one
	fmt.Fprintf(g.out, "  Ready. Models: %s\n\n  Paste this:\n\n"+
		"  curl -N %s/v1/chat/completions \\\n"+
		"    -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n"+
		"    -d '{\"model\": \"%s\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}]}'\n\n"+
		"  Any OpenAI or Anthropic SDK works: base URL %s/v1 (Anthropic: %s), the key above. Ctrl-C stops.\n\n",
		some(models), g.url, key, model, g.url, g.url)
}

// some names a few models, and how many more there are.
func some(models []string) string {
	const most = 5
	if len(models) <= most {
		return strings.Join(models, ", ")
	}
	return fmt.Sprintf("%s and %d more (GET /v1/models)", strings.Join(models[len(models)-most:], ", "), len(models)-most)
}

// engineFailed says why there is no local model and what can be done.
func (g *greeter) engineFailed(err error, models []string) {
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
	if len(models) > 0 {
		g.ready(models)
	}
}
