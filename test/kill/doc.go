// Package kill holds no code: its test kills a running Plenum, again and again under load, and looks
// whether it remembers every call of which a byte has reached a caller.
package kill
