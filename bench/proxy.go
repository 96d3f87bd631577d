package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// proxyRole is the argument that makes this program a bare reverse proxy.
const proxyRole = "proxy"

// bareName is what it is called in reports.
const bareName = "net/http"

// serveProxy proxies to an upstream as Go's standard library does by itself: what net/http costs when
// nothing is authenticated, metered or recorded.
func serveProxy(upstream string) error {
	l, err := announce()
	if err != nil {
		return err
	}
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
	p.Transport = &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	p.FlushInterval = -1
	err = http.Serve(l, p)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
