package wire_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/wire"
)

// pieces gives a text n characters at a time.
func pieces(text string, n int) func() ([]byte, error) {
	return func() ([]byte, error) {
		if text == "" {
			return nil, io.EOF
		}
		piece := text[:min(n, len(text))]
		text = text[len(piece):]
		return []byte(piece), nil
	}
}

func TestDecoderAndEncoder(t *testing.T) {
	t.Parallel()
	for size := range 70 {
		want := bytes.Repeat([]byte{0, 'x', 0xFF}, 30)[:size]
		encoded, err := io.ReadAll(wire.NewEncoder(bytes.NewReader(want), int64(size)))
		if err != nil || string(encoded) != base64.StdEncoding.EncodeToString(want) {
			t.Fatalf("%d bytes: %q, %v", size, encoded, err)
		}
		for n := 1; n < 9; n++ {
			d := wire.NewDecoder(pieces(string(encoded), n))
			got, err := io.ReadAll(d)
			if err != nil || !bytes.Equal(got, want) || d.Decoded() != int64(size) {
				t.Errorf("%d bytes in pieces of %d: %q, %v", size, n, got, err)
			}
		}
	}
	if _, err := io.ReadAll(wire.NewEncoder(strings.NewReader("short"), 6)); err == nil {
		t.Error("a source that is shorter than it said was taken")
	}
}

func TestDecoderRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"cut":    {"AAAAA", wire.ErrBase64},
		"notice": {base64.StdEncoding.EncodeToString([]byte("item" + wire.Notice)), wire.ErrNotice},
		"other":  {"AAA!", wire.ErrBase64},
	} {
		if _, err := io.ReadAll(wire.NewDecoder(pieces(c.text, 3))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	w, ctx := wire.NewWatchdog(context.Background(), time.Millisecond)
	defer w.Stop()
	w.Arm()
	<-ctx.Done()
	if err := w.Reason(ctx.Err()); !errors.Is(err, wire.ErrStalled) {
		t.Error(err)
	}
}

func TestPlainErrorNamesNoURL(t *testing.T) {
	t.Parallel()
	inner := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "h", Server: "10.1.2.3:53"}}
	err := wire.PlainError(&url.Error{Op: "Post", URL: "https://h/?authtoken=secret", Err: inner}, strings.Clone)
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "10.1.2.3") {
		t.Error(err)
	}
	if proxy, server := wire.Unmet(inner); proxy || !server {
		t.Error("nobody was met")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "junk": 0, "99999999999": time.Hour, "999999": time.Hour, "31556952000000": time.Hour,
		"99999999999999999999999999": time.Hour, "Fri, 31 Dec 9999 23:59:59 GMT": time.Hour, "Mon, 01 Jan 0001 00:00:00 GMT": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := wire.RetryAfter(http.Header{"Retry-After": {value}}, now, time.Hour); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"ErrorItemNotFound": "ErrorItemNotFound", "Request_ResourceNotFound": "Request_ResourceNotFound", "a.b-c": "a.b-c", "": "",
		"eyJhbGciOiJub25lIn0.a": "", "two words": "", "\x1b[31m": "", "a\u202eb": "", strings.Repeat("a", 101): "",
	} {
		if got := wire.Code(code); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	if _, err := io.Copy(io.Discard, wire.Limit(strings.NewReader("12345"), 4)); !errors.Is(err, wire.ErrTooLong) {
		t.Error(err)
	}
}
