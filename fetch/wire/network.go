package wire

import "net/http"

// maxHeader bounds the head of an answer, all 1xx before it included. Exchange sends a few KiB of it; net/http would take 10 MiB from
// each of many connections.
const maxHeader = 1 << 20

// Network is what carries requests where nothing else is given, to put a sign-in around: the proxy of the environment, the roots of this machine.
func Network() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t = t.Clone()
	t.MaxResponseHeaderBytes = maxHeader
	t.MaxIdleConnsPerHost = 16
	t.ReadBufferSize, t.WriteBufferSize = 64<<10, 64<<10
	return t
}

// CloseIdle lets go of connections that are not in use.
func CloseIdle(via http.RoundTripper) {
	if t, ok := via.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
