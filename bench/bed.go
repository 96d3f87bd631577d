package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// benchKey opens Plenum and is given to the other targets too, so that all are sent the same.
const benchKey = "pk-bench-0123456789abcdef"

// bed is everything that runs during a run: the upstream, and the targets in front of it.
type bed struct {
	mock   string // address
	nginx  *target
	plenum *target
	direct *target
	bare   *target
	before *target
	many   *target // with much to know
	stops  []func()
}

// target is one way to the upstream.
type target struct {
	name    string
	addr    string
	streams string // address for streams, where it is another
	pid     int    // 0 where there is no process between
}

func (t *target) at(stream bool) string {
	if stream && t.streams != "" {
		return t.streams
	}
	return t.addr
}

func setUp(ctx context.Context, o options, dir string) (*bed, error) {
	b := &bed{}
	if err := b.startMock(); err != nil {
		return b, fmt.Errorf("starting the upstream: %w", err)
	}
	b.direct = &target{name: "direct", addr: b.mock}
	if o.bare {
		addr, pid, err := b.role(proxyRole, b.mock)
		if err != nil {
			return b, err
		}
		b.bare = &target{name: bareName, addr: addr, pid: pid}
	}
	if err := b.startNginx(o.nginx, dir); err != nil {
		fmt.Fprintf(os.Stderr, "bench: no nginx, so no ratios (apt-get install nginx-light brings one): %v\n", err)
	}
	binary, err := build(ctx, o, dir)
	if err != nil {
		return b, err
	}
	if b.plenum, err = b.startPlenum("plenum", binary, dir, o.profile); err != nil {
		return b, fmt.Errorf("starting Plenum: %w", err)
	}
	if o.many {
		if b.many, err = b.startMany(ctx, binary, dir); err != nil {
			return b, fmt.Errorf("starting the Plenum with much to know: %w", err)
		}
	}
	if o.against != "" {
		if b.before, err = b.startPlenum("before", o.against, dir, ""); err != nil {
			return b, fmt.Errorf("starting the other Plenum: %w", err)
		}
	}
	return b, nil
}

func (b *bed) close() {
	for i := len(b.stops) - 1; i >= 0; i-- {
		b.stops[i]()
	}
}

// spawn starts a process that ends with this one, and stops it at the end of the run.
func (b *bed) spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// The signal comes when the thread that started the process ends, so that thread is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	b.stops = append(b.stops, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait()
	})
	return nil
}

func (b *bed) startMock() (err error) {
	b.mock, _, err = b.role(mockRole)
	return err
}

// role starts this program again as something else, and returns the address that it tells.
func (b *bed) role(args ...string) (addr string, pid int, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, err
	}
	cmd := exec.CommandContext(context.Background(), self, args...)
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		return "", 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, err
	}
	if err := b.spawn(cmd); err != nil {
		return "", 0, err
	}
	b.stops = append(b.stops, func() { hold.Close() })
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), cmd.Process.Pid, err
}

// nginxConf proxies as plainly as nginx can: with as many workers as Plenum has threads, connections to the
// upstream kept open, and streams not buffered, on a port of their own.
const nginxConf = `
daemon off;
master_process on;
worker_processes %d;
pid %s/nginx.pid;
error_log %s/error.log warn;
events { worker_connections 8192; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_requests 100000000;
  client_max_body_size 64m;
  client_body_buffer_size 4m;
  client_body_temp_path %s/body;
  proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/f;
  uwsgi_temp_path %s/u;
  scgi_temp_path %s/s;
  upstream mock { server %s; keepalive 512; keepalive_requests 100000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server { listen %s; location / { proxy_pass http://mock; } }
  server { listen %s; location / { proxy_pass http://mock; proxy_buffering off; } }
}
`

func (b *bed) startNginx(binary, dir string) error {
	path, err := exec.LookPath(binary)
	if err != nil {
		return err
	}
	unary, err := freeAddr()
	if err != nil {
		return err
	}
	stream, err := freeAddr()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	conf := fmt.Sprintf(nginxConf, runtime.GOMAXPROCS(0), dir, dir, dir, dir, dir, dir, dir, b.mock, unary, stream)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	if err := b.spawn(cmd); err != nil {
		return err
	}
	if err := reachable(stream); err != nil {
		return err
	}
	b.nginx = &target{name: "nginx", addr: unary, streams: stream, pid: cmd.Process.Pid}
	return nil
}

func freeAddr() (string, error) {
	l, err := loopback(context.Background())
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func reachable(addr string) error {
	var last error
	for range 100 {
		conn, err := dial(addr)
		if err == nil {
			return conn.Close()
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

// plenumConf has each style of answer behind a deployment of its own, in both dialects.
func plenumConf(addr, dir, mock string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `listen: %s
data_dir: %s/data
admin_key: admin-bench-0123456789
log: {format: json, level: info}
connections:
  - {name: openai, provider: openai, base_url: "http://%s/v1", credentials: {api_key: sk-bench}}
  - {name: anthropic, provider: anthropic, base_url: "http://%s", credentials: {api_key: sk-bench}}
keys:
  - {name: bench, secret: %s}
deployments:
`, addr, dir, mock, mock, benchKey)
	for _, s := range styles() {
		for _, c := range []string{"openai", "anthropic"} {
			fmt.Fprintf(&b, "  - {name: %s-%s, retry: {attempts: 1}, targets: [{connection: %s, upstream_model: %s, "+
				"price: {input_usd_per_million: 3, output_usd_per_million: 15}}]}\n", c, s.model, c, s.model)
		}
	}
	return b.String()
}

// build returns the binary to measure.
func build(ctx context.Context, o options, dir string) (string, error) {
	if o.plenum != "" {
		return o.plenum, nil
	}
	binary, pkg := filepath.Join(dir, "plenum"), "./cmd/plenum"
	if o.profile != "" {
		pkg = "./bench/profiled"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, pkg)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building Plenum: %w", err)
	}
	return binary, nil
}

func (b *bed) startPlenum(name, binary, dir, profile string) (*target, error) {
	return b.launch(name, binary, dir, profile, func(addr, dir string) string { return plenumConf(addr, dir, b.mock) })
}

// home is where a Plenum has its files.
func (b *bed) home(dir, name string) string { return filepath.Join(dir, name+".d") }

// launch starts a Plenum with a configuration.
func (b *bed) launch(name, binary, dir, profile string, conf func(addr, dir string) string) (*target, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir = b.home(dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "plenum.yaml")
	if err := os.WriteFile(file, []byte(conf(addr, dir)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "plenum.log"))
	if err != nil {
		return nil, err
	}
	b.stops = append(b.stops, func() { log.Close() })
	cmd := exec.CommandContext(context.Background(), binary, "serve", "--config", file)
	cmd.Stderr = log
	if profile != "" {
		abs, err := filepath.Abs(profile)
		if err != nil {
			return nil, err
		}
		cmd.Env = append(os.Environ(), "PLENUM_CPU_PROFILE="+abs)
	}
	if err := b.spawn(cmd); err != nil {
		return nil, err
	}
	if err := reachable(addr); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return &target{name: name, addr: addr, pid: cmd.Process.Pid}, nil
}

// agree checks that the upstream saw nothing that it had to refuse.
func (b *bed) agree() error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+b.mock+"/stats", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var s struct{ Served, Bad int64 }
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	fmt.Printf("upstream: %d answered, %d refused, %d asked\n", s.Served, s.Bad, numbers.Load())
	switch {
	case s.Bad > 0:
		return errors.New("the upstream was sent bodies that were not what the callers sent")
	case s.Served != numbers.Load():
		return errors.New("the upstream did not see every request exactly once")
	}
	return nil
}
