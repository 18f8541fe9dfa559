package s3

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"mailbrick/archive/blob"
)

func TestDecisions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		failure *failure
		is      error // nil: none of them
		passing bool
	}{
		{"not there", refused(404, "NoSuchKey", ""), blob.ErrNotExist, false},
		{"not there, no word", refused(404, "", ""), blob.ErrNotExist, false},
		{"no bucket", refused(404, "NoSuchBucket", ""), ErrNoBucket, false},
		{"no upload", refused(404, "NoSuchUpload", ""), nil, false},
		{"denied", refused(403, "SignatureDoesNotMatch", ""), ErrDenied, false},
		{"not known", refused(401, "", ""), ErrDenied, false},
		{"no longer known", refused(400, "ExpiredToken", ""), ErrDenied, false},
		{"full", refused(507, "", ""), blob.ErrFull, false},
		{"quota", refused(403, "QuotaExceeded", ""), blob.ErrFull, false},
		{"busy", refused(503, "SlowDown", ""), ErrUnavailable, true},
		{"too often", refused(429, "", ""), ErrUnavailable, true},
		{"slow body", refused(400, "RequestTimeout", ""), ErrUnavailable, true},
		{"broken with status 200", refused(0, "InternalError", ""), ErrUnavailable, true},
		{"not made", refused(501, "NotImplemented", ""), nil, false},
		{"bad request", refused(400, "InvalidArgument", ""), nil, false},
		{"cut", unanswered(io.ErrUnexpectedEOF), ErrUnavailable, true},
		{"nobody there", unanswered(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), ErrUnavailable, true},
		{"wrong host", unanswered(&url.Error{Err: &net.DNSError{IsNotFound: true}}), nil, false},
		{"wrong certificate", unanswered(fmt.Errorf("get: %w", x509.UnknownAuthorityError{})), nil, false},
	}
	all := []error{blob.ErrNotExist, blob.ErrExist, blob.ErrFull, ErrDenied, ErrNoBucket, ErrUnavailable, io.EOF, io.ErrUnexpectedEOF}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, decision := range all {
				if got := errors.Is(tt.failure, decision); got != (decision == tt.is) {
					t.Errorf("is %q: %v", decision, got)
				}
			}
			if got, want := blob.OutOfReach(fmt.Errorf("open: %w", tt.failure)), tt.is != blob.ErrNotExist && tt.is != blob.ErrFull; got != want {
				t.Errorf("out of reach: %v", got)
			}
			if tt.failure.passing != tt.passing {
				t.Errorf("passing: %v", tt.failure.passing)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		off, n int64
		want   string
	}{
		{0, -1, ""},
		{5, -1, "bytes=5-"},
		{0, 1, "bytes=0-0"},
		{5, 10, "bytes=5-14"},
		{5, math.MaxInt64, "bytes=5-"},
		{math.MaxInt64, math.MaxInt64, "bytes=9223372036854775807-"},
		{0, math.MaxInt64, "bytes=0-9223372036854775806"},
	}
	for _, tt := range tests {
		if got := span(tt.off, tt.n); got != tt.want {
			t.Errorf("span of %d from %d: %q, want %q", tt.n, tt.off, got, tt.want)
		}
	}
}

// FuzzForeign: what servers and files say never panics, and an error of theirs
// is short and fit for a terminal.
func FuzzForeign(f *testing.F) {
	f.Add("bytes 5-9/100", "2030-01-02T03:04:05Z", "[default]\nkey = value\n")
	f.Add("bytes */0", "GOVERNANCE", "[profile x\n=\n [x]\n\x00\n\n[]")
	f.Fuzz(func(t *testing.T, header, date, text string) {
		_, _ = rangeStart(header)
		lockOf(http.Header{"X-Amz-Object-Lock-Retain-Until-Date": {date}, "X-Amz-Object-Lock-Mode": {header}})
		for key, value := range parseProfile(text, "default") {
			if strings.ContainsAny(key+value, "\n") {
				t.Errorf("%q = %q", key, value)
			}
		}
		said := refused(500, date, text).Error()
		if len(said) > 400 || !utf8.ValidString(said) || strings.ContainsAny(said, "\n\x1b\x00") {
			t.Errorf("%q", said)
		}
	})
}
