package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/plenum-foundry/plenum/config"
	"github.com/plenum-foundry/plenum/engine"
	"github.com/plenum-foundry/plenum/engine/wheel"
	"github.com/plenum-foundry/plenum/gateway"
	"github.com/plenum-foundry/plenum/llm"
)

// reachTime is how long a place may take to answer at all.
const reachTime = 8 * time.Second

// running looks at the Plenum that is running, or whether one could run.
func (d *doctor) running(ctx context.Context, f *config.File) section {
	base, asked := d.url, d.url != ""
	if !asked {
		base = urlOf(f, textAddr(f.Listen))
	}
	s := section{title: "Plenum at " + base}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: !asked}, //nolint:gosec // our own address, under a certificate for another name
	}}
	r, err := readiness(ctx, client, base)
	if err != nil {
		d.notRunning(ctx, &s, f, err)
		return s
	}
	switch r.Status {
	case "ready":
		s.add("running", good, "ready, configuration "+r.Config, "")
	case "draining":
		s.add("running", note, "it is stopping: calls in flight finish, new ones are refused", "")
	default:
		s.add("running", warn, r.Status, "")
	}
	if r.Refused != "" {
		s.add("configuration", bad, "the changed file was refused, and the one before is in force:\n"+r.Refused, "correct the file; it is taken over by itself")
	}
	return s
}

// notRunning says why no Plenum answers.
func (d *doctor) notRunning(ctx context.Context, s *section, f *config.File, err error) {
	if d.url != "" {
		s.add("running", bad, reason(err), "start it, or see that the address is right")
		return
	}
	var lc net.ListenConfig
	l, lerr := lc.Listen(ctx, "tcp", f.Listen)
	if lerr == nil {
		l.Close()
		s.add("running", note, "none is; "+f.Listen+" is free for it", "")
		return
	}
	s.add("running", bad, fmt.Sprintf("%s cannot be listened on, and no Plenum answers there: %v", f.Listen, reason(err)),
		"stop what is there, or listen on another address")
}

// reached is what came of calling the connections.
type reached struct {
	section section
	clocks  []time.Duration // how far the clocks of those that answered are ahead of ours
}

// connections calls every place that there is a connection to, all at once.
func (d *doctor) connections(ctx context.Context, snapshot *config.Snapshot) reached {
	out := reached{section: section{title: "Connections"}}
	if snapshot == nil {
		return out
	}
	declared := snapshot.Declared.Connections
	found, clocks := make([]finding, len(declared)), make([]*time.Duration, len(declared))
	var wg sync.WaitGroup
	for i := range declared {
		wg.Go(func() {
			c, ok := snapshot.Connection(declared[i].Name)
			conn, built := c.Handle.(*gateway.Connection)
			if ok && built {
				found[i], clocks[i] = d.reach(ctx, conn)
				conn.Close()
			}
		})
	}
	wg.Wait()
	out.section.findings = found
	for _, c := range clocks {
		if c != nil {
			out.clocks = append(out.clocks, *c)
		}
	}
	return out
}

// reach calls one place: without the credential, unless it is to be tried.
func (d *doctor) reach(ctx context.Context, c *gateway.Connection) (finding, *time.Duration) {
	f := finding{about: c.Name, verdict: bad}
	plan, err := c.Provider.Plan("model", llm.OpGenerate, false)
	if err != nil {
		f.says = err.Error()
		return f, nil
	}
	target, tried := plan.URL, false
	if u, ok := modelsURL(plan.URL); ok && d.probe {
		target, tried = u, true
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		f.says = "its address is not usable"
		return f, nil
	}
	host := req.URL.Host
	if tried {
		for k, v := range plan.Header {
			req.Header[k] = v
		}
		if err := c.Provider.Sign(ctx, req, nil); err != nil {
			f.says, f.do = "there is no usable credential: "+err.Error(), "set it"
			return f, nil
		}
	} else {
		req.Method, req.URL.Path, req.URL.RawPath, req.URL.RawQuery = http.MethodHead, "/", "", ""
	}
	began := d.now()
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		f.says, f.do = fmt.Sprintf("%s: %s", host, reason(err)), remedy(err)
		return f, nil
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	f.verdict, f.says = good, fmt.Sprintf("%s answers, after %d ms", host, d.now().Sub(began).Milliseconds())
	if tried {
		judge(&f, host, resp.StatusCode)
	}
	return f, d.ahead(resp)
}

// judge says what an answer to a call with the credential means.
func judge(f *finding, host string, status int) {
	switch status {
	case http.StatusOK:
		f.says += "; the credential is taken"
	case http.StatusUnauthorized, http.StatusForbidden:
		f.verdict, f.says, f.do = bad, fmt.Sprintf("%s refuses the credential (status %d)", host, status), "set a good one; make it at the vendor's console"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		f.verdict, f.says = note, f.says+"; whether the credential is taken cannot be told, for it has no list of models"
	default:
		f.verdict, f.says = warn, f.says+fmt.Sprintf("; to a list of models it says status %d", status)
	}
}

// modelsURL returns where the list of models is, by where answers are made.
func modelsURL(generate string) (string, bool) {
	u, err := url.Parse(generate)
	if err != nil {
		return "", false
	}
	for _, op := range []string{"/chat/completions", "/messages"} {
		if before, ok := strings.CutSuffix(u.Path, op); ok {
			before, _, _ = strings.Cut(before, "/deployments/") // Azure's classic addresses
			u.Path, u.RawPath = before+"/models", ""
			return u.String(), true
		}
	}
	return "", false
}

// ahead returns how far the clock of who answered is ahead of ours.
func (d *doctor) ahead(resp *http.Response) *time.Duration {
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil
	}
	by := at.Sub(d.now())
	return &by
}

// reason says in a few words why a place cannot be reached.
func reason(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "there is no such name"
	case errors.As(err, &dns):
		return "the name cannot be looked up: " + dns.Err
	case errors.As(err, &host):
		return "its certificate is for another name: " + host.Error()
	case errors.As(err, &cert):
		return "its certificate is not trusted: " + cert.Err.Error()
	case errors.As(err, &record):
		return "it does not speak TLS"
	case errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err):
		return "no answer in time"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// remedy says what to do where a place cannot be reached.
func remedy(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	proxied := os.Getenv("HTTPS_PROXY") + os.Getenv("https_proxy") + os.Getenv("HTTP_PROXY") + os.Getenv("http_proxy")
	switch {
	case errors.As(err, &dns):
		return "see that the address is right, and that this machine can look names up"
	case errors.As(err, &cert):
		return "if a proxy of yours opens TLS, install its certificate on this machine (SSL_CERT_FILE)"
	case proxied == "":
		return "see that it runs and that a firewall lets it through; where there is a proxy, set HTTPS_PROXY"
	default:
		return "see that it runs and that the proxy that the environment names lets it through"
	}
}

// skew is how far clocks may be apart.
const skew = 2 * time.Minute

// machine looks at the machine: its clock, and the local engines.
func (d *doctor) machine(ctx context.Context, clocks []time.Duration) section {
	s := section{title: "This machine"}
	s.add("system", good, fmt.Sprintf("%s %s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()), "")
	d.clock(&s, clocks)
	d.engines(ctx, &s)
	return s
}

// epoch is a time before which no clock that is right can be.
func epoch() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func (d *doctor) clock(s *section, clocks []time.Duration) {
	now := d.now()
	if now.Before(epoch()) {
		s.add("clock", bad, "it is "+when(now)+" by it", "set it, by NTP best: keys expire and certificates hold by it")
		return
	}
	for _, by := range clocks {
		if by.Abs() > skew {
			s.add("clock", warn, fmt.Sprintf("it is %s apart from that of a vendor", by.Abs().Round(time.Second)), "set it, by NTP best: keys expire and certificates hold by it")
			return
		}
	}
	if len(clocks) > 0 {
		s.add("clock", good, when(now)+", as vendors have it", "")
		return
	}
	s.add("clock", good, when(now), "")
}

// engines looks which local engines there are.
func (d *doctor) engines(ctx context.Context, s *section) {
	if len(d.parts.Engines) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	py, err := wheel.FindPython(ctx, func(wheel.Python) error { return nil })
	if err != nil {
		s.add("python", note, "there is none", "install Python 3 with pip to have the small local model, or llama.cpp, or Ollama")
	} else {
		v := py.Version
		pip := "pip " + py.Pip
		if py.Pip == "" {
			pip = "no pip"
		}
		s.add("python", good, fmt.Sprintf("%d.%d.%d with %s, at %s", v[0], v[1], v[2], pip, py.Path), "")
	}
	for _, k := range d.parts.Engines {
		s.engine(ctx, k)
	}
	if dir, err := engine.DefaultDir(); err == nil {
		if free, ok := freeBytes(existing(dir)); ok {
			v, do := good, ""
			if free < fewBytes {
				v, do = warn, "make room: the local engine and its model take 300 MB"
			}
			s.add("cache", v, fmt.Sprintf("%s, %s free", dir, bytesText(free)), do)
		}
	}
}

func (s *section) engine(ctx context.Context, k engine.Kind) {
	found, err := k.New(engine.Settings{Offline: true}).Probe(ctx)
	switch {
	case err != nil:
		var e *engine.Error
		says := err.Error()
		if errors.As(err, &e) {
			says = e.Message
		}
		s.add(k.Title, note, says, strings.Join(advice(err), "\n"))
	case found.Installed:
		s.add(k.Title, good, strings.TrimSpace(found.Version+": "+found.Detail), "")
	default:
		s.add(k.Title, note, found.Detail, "")
	}
}
