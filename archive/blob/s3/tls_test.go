package s3_test

import (
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/s3"
)

// TestTLS: over TLS the signature does not cover the bytes, their MD5 does.
func TestTLS(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t))
	secure := httptest.NewUnstartedServer(p)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	p.url = secure.URL

	stranger := behind(t, p, plainBucket)
	if _, err := stranger.Size(t.Context(), "object"); err == nil || errors.Is(err, s3.ErrUnavailable) || errors.Is(err, blob.ErrNotExist) {
		t.Errorf("a certificate of nobody: %v", err)
	}
	if p.count("head") != 0 {
		t.Error("a request was sent to a stranger")
	}

	b := behind(t, p, plainBucket, func(o *s3.Options) { o.HTTP = secure.Client() })
	put(t, b, "empty", "")
	put(t, b, "object", "bytes")
	put(t, b, "parts", manyParts)
	wantContent(t, b, "empty", "")
	wantContent(t, b, "object", "bytes")
	wantContent(t, b, "parts", manyParts)
	if err := commit(t, b, "parts", manyParts); !errors.Is(err, blob.ErrExist) {
		t.Errorf("again: %v", err)
	}
	if err := b.Remove(t.Context(), "parts"); err != nil {
		t.Error(err)
	}
}

// TestDamagedOnTheWay: the server refuses bytes that are not those of their sum,
// and gets them again.
func TestDamagedOnTheWay(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t), order{is("put"), 0, 1, flip}, order{is("part"), 1, 1, flip})
	secure := httptest.NewTLSServer(p)
	t.Cleanup(secure.Close)
	p.url = secure.URL
	b := behind(t, p, plainBucket, func(o *s3.Options) { o.HTTP = secure.Client() })
	for name, content := range map[string]string{"object": "bytes", "parts": manyParts} {
		put(t, b, name, content)
		wantContent(t, b, name, content)
	}
	if p.count("put") != 2 || p.count("part") != 4 {
		t.Errorf("%d times in one piece, %d parts", p.count("put"), p.count("part"))
	}
}
