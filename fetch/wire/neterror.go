package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PlainError leaves out what net and net/http put around an error: URL and addresses. What is left of its text goes through a sieve:
// net/http quotes what a server says that is no HTTP, and what it calls its reason to close a connection of HTTP/2.
func PlainError(err error, sieve func(string) string) error {
	err = bareError(err)
	return &sieved{sieve(err.Error()), err}
}

func bareError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var o *net.OpError
	switch {
	case !errors.As(err, &o):
		return err
	case o.Op == "proxyconnect":
		return bareError(o.Err)
	case o.Op == "dial":
		return plainNameError(o.Err)
	}
	return fmt.Errorf("%s: %w", o.Op, o.Err)
}

type sieved struct {
	text string
	err  error
}

func (s *sieved) Error() string { return s.text }
func (s *sieved) Unwrap() error { return s.err }

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

// TLSHint is not empty if the error is one of TLS: those are never tried again, and never got round.
func TLSHint(err error) string {
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

// Unmet tells who should have taken a connection and did not; both are false if somebody did.
func Unmet(err error) (proxy, server bool) {
	var o *net.OpError
	if !errors.As(err, &o) {
		return false, false
	}
	return o.Op == "proxyconnect", o.Op == "dial"
}

// RetryAfter is the time a server asks for in its header, 0 if it does not. RFC 9110, 10.2.3: seconds or a date.
func RetryAfter(h http.Header, now time.Time, limit time.Duration) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(time.Duration(min(n, 1<<30))*time.Second, limit)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, min(at.Sub(now), limit))
	}
	return 0
}

// Code is what a server calls an error, if that is a word: a token, or what else it was sent, is none.
func Code(code string) string {
	bad := strings.ContainsFunc(code, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '-' && r != '.'
	})
	if bad || len(code) > 100 || strings.Contains(code, "eyJ") || strings.Contains(code, "TlRMTVNTUA") { // a token begins so, and what NTLM sends
		return ""
	}
	return code
}

// Settling is how long to wait before looking what became of a request whose answer was lost: the server may still be at work on
// it, and what it stores after one has looked would be sent a second time. As long again as the request has taken is a guess.
func Settling(took time.Duration) time.Duration { return min(max(took, 5*time.Second), time.Minute) }

// ErrTooLong says that an answer goes on and on.
var ErrTooLong = errors.New("the answer is longer than any answer should be")

// Limit reads up to that many bytes and ends in ErrTooLong where there are more.
func Limit(r io.Reader, limit int64) io.Reader { return &limitedReader{r, limit} }

type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, ErrTooLong
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
