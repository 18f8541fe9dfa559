package ews

import "net/http"

// Network is what carries requests where nothing else is given, to put a sign-in around: the proxy of the environment,
// the roots of this machine.
func Network() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t = t.Clone()
	t.DisableCompression = true // the client asks for gzip and reads it itself, with a guard
	t.MaxIdleConnsPerHost = 16
	t.ReadBufferSize, t.WriteBufferSize = 64<<10, 64<<10
	return t
}

// closeIdle lets go of connections that are not in use.
func closeIdle(via http.RoundTripper) {
	if t, ok := via.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
