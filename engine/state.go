package engine

import "time"

// Phase is a stretch of a supervised engine's life.
type Phase string

// The phases, in the order in which an engine without luck goes through them.
const (
	Idle       Phase = "idle"       // Run has not begun
	Probing    Phase = "probing"    // looking for what is installed
	Installing Phase = "installing" // bringing what is missing
	Starting   Phase = "starting"   // the server loads
	Ready      Phase = "ready"      // the server answers
	Restarting Phase = "restarting" // it failed; waiting before the next start
	Failed     Phase = "failed"     // given up; Message says why and what to do
	Stopped    Phase = "stopped"    // Run's context ended
)

// State is how a supervised engine stands.
type State struct {
	Phase    Phase
	Message  string    // for people: what goes on, or what went wrong
	Since    time.Time // when the phase began
	Progress Progress  // of an installation
	Endpoint Endpoint  // of a ready server; otherwise zero
	Restarts int       // starts after the first
	Err      error     // in phases Restarting and Failed
}
