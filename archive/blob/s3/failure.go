package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"mailbrick/archive/blob"
)

var (
	// ErrUnavailable says that the server could not be reached, or was busy or
	// broken, until patience was over.
	ErrUnavailable = blob.ErrUnavailable
	// ErrDenied says that the keys are missing or wrong, or lack a right.
	ErrDenied = fmt.Errorf("object store denies access: %w", fs.ErrPermission)
	// ErrNoBucket says that the server has no such bucket.
	ErrNoBucket = errors.New("no such bucket")
	// ErrCondition says that the server makes objects over others although it
	// was told not to, so that it cannot be a bucket.
	ErrCondition = errors.New("object store does not heed If-None-Match")
)

// failure is an attempt that went wrong.
type failure struct {
	status  int    // of the answer, 0 for none
	code    string // S3's word for it
	text    string
	passing bool // it may be well the next time
}

func (f *failure) Error() string {
	var parts []string
	if f.status != 0 {
		parts = append(parts, fmt.Sprintf("status %d", f.status))
	}
	for _, s := range []string{f.code, f.text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Unwrap is the decision of the caller.
func (f *failure) Unwrap() error {
	switch {
	case f.code == "NoSuchBucket":
		return ErrNoBucket
	case f.status == http.StatusNotFound && f.code != noUpload:
		return blob.ErrNotExist
	case f.isFull():
		return blob.ErrFull
	case f.status == http.StatusForbidden, f.status == http.StatusUnauthorized, f.code == "ExpiredToken", f.code == "InvalidToken":
		return ErrDenied
	case f.passing:
		return ErrUnavailable
	}
	return nil
}

// OutOfReach is for blob.OutOfReach: an answer that is none of those that are expected, or none at all, says nothing of what lies there.
func (f *failure) OutOfReach() bool {
	decision := f.Unwrap()
	return decision != blob.ErrNotExist && decision != blob.ErrFull
}

func (f *failure) isFull() bool {
	switch f.code {
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "NoSpaceLeft":
		return true
	}
	return f.status == http.StatusInsufficientStorage
}

// noUpload is the word for an upload in parts that is not there.
const noUpload = "NoSuchUpload"

// isTaken tells the answers to a conditional creation that mean: there may be
// an object. An upload that is gone was completed, by a try whose answer was
// lost, or aborted.
func isTaken(err error) bool {
	var f *failure
	return errors.As(err, &f) && (f.status == http.StatusPreconditionFailed || f.code == noUpload)
}

func hasStatus(err error, status int) bool {
	var f *failure
	return errors.As(err, &f) && f.status == status
}

// refused makes a failure of an answer.
func refused(status int, code, text string) *failure {
	f := &failure{status: status, code: clean(code, 64), text: clean(text, 300)}
	f.passing = !f.isFull() && isPassing(status, code)
	return f
}

func isPassing(status int, code string) bool {
	switch code {
	case "InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "Throttling", "ThrottlingException",
		"RequestLimitExceeded", "BandwidthLimitExceeded", "OperationAborted", "ConditionalRequestConflict",
		"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch": // damaged on the way
		return true
	}
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// unanswered makes a failure of an error before or in an answer. Its text is
// kept and its chain is not: a cut connection ends with io.ErrUnexpectedEOF,
// which here means the end of an object.
func unanswered(err error) *failure {
	return &failure{text: clean(err.Error(), 300), passing: !isForGood(err)}
}

// isForGood tells errors of a connection that waiting does not cure.
func isForGood(err error) bool {
	var (
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		record    tls.RecordHeaderError
		dns       *net.DNSError
	)
	return errors.Is(err, errTooLong) || errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &record) || errors.As(err, &dns) && dns.IsNotFound || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// clean makes foreign text fit for a terminal and short.
func clean(s string, most int) string {
	s = strings.ToValidUTF8(s[:min(len(s), most)], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 {
			return ' '
		}
		return r
	}, s))
}
