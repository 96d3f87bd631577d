package llamacpp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/wheel"
)

// What else gives Plenum a model to answer with.
const (
	adviseServer = "install llama.cpp so that llama-server is on the PATH"
	adviseOllama = "install Ollama and start it, with a model pulled"
	adviseVendor = "set a vendor's key, such as XAI_API_KEY, OPENAI_API_KEY or ANTHROPIC_API_KEY"
)

// noProgram says that this machine has no llama-server, and no Python that could run the wheel's.
func noProgram(err error) error {
	return &engine.Error{
		Message: "no llama-server on the PATH, and no Python that can run the packaged one: " + oneLine(err),
		Advice:  []string{adviseServer, adviseOllama, adviseVendor},
		Final:   true, Err: err,
	}
}

// noPip says that what is missing cannot be fetched for want of a pip.
func noPip(s setup, missing []wheel.Wheel, err error) error {
	return &engine.Error{
		Message: fmt.Sprintf("no pip to fetch %s with: %s", requirements(missing), oneLine(err)),
		Advice:  waysOut(s, missing), Final: true, Err: err,
	}
}

// notFetched says why what is missing did not come.
func notFetched(s setup, missing []wheel.Wheel, err error) error {
	message := err.Error()
	if errors.Is(err, wheel.ErrOffline) {
		message = fmt.Sprintf("offline, and %s not on this machine", requirements(missing))
	}
	return &engine.Error{Message: message, Advice: waysOut(s, missing), Final: true, Err: err}
}

// waysOut are the ways to go on without this download.
func waysOut(s setup, missing []wheel.Wheel) []string {
	ways := []string{fmt.Sprintf(
		"on a machine like this one that reaches a package index run `python3 -m pip download --no-deps --only-binary :all: --dest wheels %s` and copy the files of wheels/ into %s here",
		requirements(missing), s.store.Inbox())}
	if s.program == "" && needsServer(missing) {
		ways = append(ways, adviseServer)
	}
	return append(ways, adviseOllama, adviseVendor)
}

// needsServer reports whether the server's wheel is among the missing, and not only the weights.
func needsServer(missing []wheel.Wheel) bool {
	for _, w := range missing {
		if w.Project != modelWheel().Project {
			return true
		}
	}
	return false
}

// requirements names wheels as pip does.
func requirements(wheels []wheel.Wheel) string {
	names := make([]string, len(wheels))
	for i, w := range wheels {
		names[i] = w.Requirement()
	}
	return strings.Join(names, " ")
}

// oneLine joins the lines of an error made of several.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
