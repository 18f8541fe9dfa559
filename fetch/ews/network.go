package ews

import (
	"net/http"

	"mailbrick/fetch/wire"
)

// Network is what carries requests where nothing else is given, to put a sign-in around.
func Network() *http.Transport {
	t := wire.Network()
	t.DisableCompression = true // the client asks for gzip and reads it itself, with a guard
	return t
}

// closeIdle lets go of connections that are not in use.
func closeIdle(via http.RoundTripper) {
	if t, ok := via.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
