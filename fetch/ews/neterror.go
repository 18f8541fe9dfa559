package ews

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// plainNetworkError leaves out what net and net/http put around an error: URL and addresses.
func plainNetworkError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var o *net.OpError
	switch {
	case !errors.As(err, &o):
		return err
	case o.Op == "proxyconnect":
		return plainNetworkError(o.Err)
	case o.Op == "dial":
		return plainNameError(o.Err)
	}
	return fmt.Errorf("%s: %w", o.Op, o.Err)
}

// plainNameError leaves out which server of names was asked.
func plainNameError(err error) error {
	var d *net.DNSError
	if !errors.As(err, &d) {
		return err
	}
	plain := *d
	plain.Server = ""
	return &plain
}

const unmetHint = "check host and port of the URL, and whether the server is up and can be reached from here"

// unmet names who should have taken a connection and did not; "" if somebody did.
func (c *Client) unmet(err error) string {
	var o *net.OpError
	switch {
	case !errors.As(err, &o):
		return ""
	case o.Op == "proxyconnect":
		return "the proxy"
	case o.Op == "dial":
		return c.host
	}
	return ""
}

// tlsHint is not empty if the error is one of TLS: those are never tried again, and never got round.
func tlsHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record):
		return "the server does not speak TLS at this address"
	case errors.As(err, &host):
		return "the certificate is for another name: use the name that it is for"
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &verify):
		return "add the server's certificate authority to those this machine trusts, or renew the certificate"
	case errors.As(err, &alert):
		return "server and client do not agree on TLS"
	}
	return ""
}
