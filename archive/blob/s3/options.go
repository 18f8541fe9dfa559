package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The least and the most that S3 takes as a part that is not the last one, and
// what is taken here: a part is a buffer in memory.
const (
	MinPartSize     = 5 << 20
	MaxPartSize     = 64 << 20
	DefaultPartSize = 8 << 20
)

// Options say which bucket, and who asks. Bucket, AccessKey and SecretKey must
// be given, the rest may be zero.
type Options struct {
	Endpoint string // https://host:port; https is meant where there is no scheme; Amazon if empty
	Region   string // asked of the server by Open if empty
	Bucket   string
	Prefix   string // folder in the bucket that holds all objects, "a/b"; the whole bucket if empty

	AccessKey    string
	SecretKey    Secret
	SessionToken Secret

	PathStyle bool         // the bucket in the path and not in the host's name at Amazon, Google and Aliyun; elsewhere it always is
	PlainHTTP bool         // plain http to other hosts than this one, too
	HTTP      *http.Client // its Transport carries the requests: a proxy, roots; nothing else of it counts

	PartSize int           // memory of a writer; what is longer goes up in parts of this size: 8 MiB
	Patience time.Duration // how long one call is tried again: 2 min
	Contact  time.Duration // the same until a first call was well: Patience
	Stall    time.Duration // a connection that moves nothing for so long is given up: 1 min

	Clock func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	Rand  io.Reader // nonces and jitter
}

// Secret is a string that does not show in formats, logs and JSON.
type Secret string

const hiddenSecret = "(secret)"

// String implements fmt.Stringer.
func (Secret) String() string { return hiddenSecret }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return hiddenSecret }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

func (o Options) withDefaults() Options {
	if o.PartSize == 0 {
		o.PartSize = DefaultPartSize
	}
	if o.Patience <= 0 {
		o.Patience = 2 * time.Minute
	}
	if o.Contact <= 0 {
		o.Contact = o.Patience
	}
	if o.Stall <= 0 {
		o.Stall = time.Minute
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o Options) check() error {
	switch {
	case !isBucketName(o.Bucket):
		return fmt.Errorf("bucket name %q: want 3 to 63 of a-z 0-9 . -", o.Bucket)
	case !isPrefix(o.Prefix):
		return fmt.Errorf("prefix %q: want folders with slashes between them", o.Prefix)
	case o.AccessKey == "" || o.SecretKey == "":
		return fmt.Errorf("%w: no access key or no secret key", ErrDenied)
	case o.PartSize < MinPartSize || o.PartSize > MaxPartSize:
		return fmt.Errorf("part size %d: want %d to %d", o.PartSize, MinPartSize, MaxPartSize)
	}
	return nil
}

func isBucketName(s string) bool {
	return len(s) >= 3 && len(s) <= 63 && !strings.Contains(s, "..") && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-'
	})
}

func isPrefix(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > maxKey/2 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F || r == '\uFFFD' }) {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// endpoint is the server's address: nothing but a scheme and a host.
func (o Options) endpoint() (*url.URL, error) {
	if o.Endpoint == "" {
		return &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}, nil
	}
	text := o.Endpoint
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.User != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		// Not the text itself: there may be a password in it.
		return nil, errors.New("endpoint: want https://host:port")
	case u.Scheme == "http" && !o.PlainHTTP && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("endpoint %s: plain http is for this machine only, unless it is allowed", u.Host)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("endpoint %s: scheme %q", u.Host, u.Scheme)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
