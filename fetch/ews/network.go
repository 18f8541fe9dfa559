package ews

import (
	"net/http"

	"mailbrick/fetch/wire"
)

// Network is what carries requests where nothing else is given, to put a sign-in around.
func Network() *http.Transport { return wire.Network() }

// closeIdle lets go of connections that are not in use.
func closeIdle(via http.RoundTripper) {
	if t, ok := via.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
