package wire_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"mailbrick/fetch/wire"
)

// endless gives a piece again and again.
type endless struct {
	piece []byte
	read  int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.piece[e.read%int64(len(e.piece)):])
	e.read += int64(n)
	return n, nil
}

func zip(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.Bytes()
}

// TestUnpacked: whatever is packed how, no more than the limit is read, nor given.
func TestUnpacked(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for name, row := range map[string]struct {
		encoding string
		body     io.Reader
		want     int64
		fails    error // any, if it is errAny
	}{
		"as it is":              {"", strings.NewReader("text"), 4, nil},
		"identity":              {"identity", strings.NewReader("text"), 4, nil},
		"gzip":                  {"gzip", bytes.NewReader(zip("text")), 4, nil},
		"gzip by another name":  {" X-GZIP ", bytes.NewReader(zip("text")), 4, nil},
		"in two parts":          {"gzip", io.MultiReader(bytes.NewReader(zip("te")), bytes.NewReader(zip("xt"))), 4, nil},
		"endless":               {"", &endless{piece: []byte("a")}, limit, wire.ErrTooLong},
		"a bomb":                {"gzip", bytes.NewReader(zip(strings.Repeat("a", 2*limit))), limit, wire.ErrTooLong},
		"endless parts":         {"gzip", &endless{piece: zip("a")}, -1, wire.ErrTooLong},
		"endless empty parts":   {"gzip", &endless{piece: zip("")}, 0, wire.ErrTooLong},
		"an endless name of it": {"gzip", io.MultiReader(bytes.NewReader([]byte{0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 0xFF}), &endless{piece: []byte("a")}), 0, errAny},
		"an endless extra":      {"gzip", io.MultiReader(bytes.NewReader([]byte{0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF}), &endless{piece: []byte("a")}), 0, errAny},
		"cut":                   {"gzip", bytes.NewReader(zip("text")[:12]), -1, io.ErrUnexpectedEOF},
		"none":                  {"gzip", strings.NewReader("text"), 0, errAny},
		"another":               {"br", strings.NewReader("text"), 0, errAny},
		"twice":                 {"gzip, gzip", bytes.NewReader(zip(string(zip("text")))), 0, errAny},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{Header: http.Header{"Content-Encoding": {row.encoding}}}
			body, err := wire.Unpacked(resp, row.body, limit)
			var n int64
			if err == nil {
				n, err = io.Copy(io.Discard, body)
			}
			if row.fails == errAny && err == nil || row.fails != errAny && !errors.Is(err, row.fails) || row.want >= 0 && n != row.want {
				t.Errorf("%d bytes, %v", n, err)
			}
			if e, ok := row.body.(*endless); ok && e.read > limit+64<<10 {
				t.Errorf("%d bytes were read", e.read)
			}
		})
	}
}

var errAny = errors.New("any")
