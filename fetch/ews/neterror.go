package ews

import "mailbrick/fetch/wire"

const unmetHint = "check host and port of the URL, and whether the server is up and can be reached from here"

// unmet names who should have taken a connection and did not; "" if somebody did.
func (c *Client) unmet(err error) string {
	switch proxy, server := wire.Unmet(err); {
	case proxy:
		return "the proxy"
	case server:
		return c.host
	}
	return ""
}
