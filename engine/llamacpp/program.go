package llamacpp

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"
)

// findProgram returns the llama-server on the PATH, if one is there and runs.
func findProgram(ctx context.Context) (path, version string, ok bool) {
	path, err := exec.LookPath("llama-server")
	if err != nil {
		return "", "", false
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", "", false
	}
	for line := range strings.Lines(string(out)) {
		if v, found := strings.CutPrefix(strings.TrimSpace(line), "version:"); found {
			version = strings.TrimSpace(v)
		}
	}
	return path, strings.TrimSpace("llama-server " + version), true
}

// freePort returns the wanted port of 127.0.0.1 if it is free, and any free one if not.
func freePort(ctx context.Context, want int) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", want))
	if err != nil && want != 0 {
		l, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// environment keeps, of our environment, what a server computes with: not the vendors' keys.
func environment(all []string) (kept []string) {
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case name == "PATH", name == "HOME", name == "TMPDIR", name == "LANG", name == "LD_LIBRARY_PATH", name == "DYLD_LIBRARY_PATH":
		case strings.HasPrefix(name, "GGML_"), strings.HasPrefix(name, "CUDA_"), strings.HasPrefix(name, "HIP_"), strings.HasPrefix(name, "ROCR_"):
		default:
			continue
		}
		kept = append(kept, entry)
	}
	return kept
}
