package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/plenum-foundry/plenum/config"
)

// listen listens on an address, or says who is there already and what to do. Command is what the person
// has typed, for the advice.
func listen(ctx context.Context, addr, command string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case !errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	who := "another program"
	if answers(ctx, addr) {
		who = "a Plenum that runs already (`plenum chat` talks to it)"
	}
	advice := "stop it, or listen on another address"
	if free := freeNear(ctx, addr); free != "" {
		advice = fmt.Sprintf("stop it, or start on another address: `%s --listen %s`", command, free)
		if command == "plenum serve" {
			advice = fmt.Sprintf("stop it, or set another address in the configuration: `listen: %s`", free)
		}
	}
	return nil, fmt.Errorf("%s is taken by %s; %s", addr, who, advice)
}

// answers reports whether a Plenum answers at an address.
func answers(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := readiness(ctx, http.DefaultClient, urlOf(config.New(), textAddr(addr)))
	return err == nil && s.Status != ""
}

// textAddr is an address that is not resolved.
type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// ready is what /readyz says.
type ready struct {
	Status  string `json:"status"`
	Config  string `json:"config"`
	Refused string `json:"config_refused"`
}

// readiness asks a Plenum how it is.
func readiness(ctx context.Context, client *http.Client, base string) (ready, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return ready{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return ready{}, err
	}
	defer resp.Body.Close()
	var s ready
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&s); err != nil || s.Status == "" {
		return ready{}, fmt.Errorf("what answers at %s is not a Plenum", base)
	}
	return s, nil
}

// freeNear returns an address on the same host, a few ports on, on which nobody listens; "" if none is.
func freeNear(ctx context.Context, addr string) string {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return ""
	}
	var lc net.ListenConfig
	for p := port + 1; p <= port+20; p++ {
		near := net.JoinHostPort(host, strconv.Itoa(p))
		if l, err := lc.Listen(ctx, "tcp", near); err == nil {
			l.Close()
			return near
		}
	}
	return ""
}
