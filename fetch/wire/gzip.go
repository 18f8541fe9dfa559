package wire

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// AskGzip says that the answer may come in gzip: who says so himself has it as it came, and not as net/http unpacks it.
func AskGzip(h http.Header) { h.Set("Accept-Encoding", "gzip") }

// Unpacked is the body of an answer, out of gzip if it is in that. What comes and what it unpacks to are limited alike: little may
// unpack without end, and much to nothing.
func Unpacked(resp *http.Response, raw io.Reader, limit int64) (io.Reader, error) {
	raw = Limit(raw, limit)
	switch enc := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
		return raw, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bufio.NewReaderSize(raw, 32<<10))
		if err != nil {
			return nil, err
		}
		return Limit(z, limit), nil
	default:
		return nil, fmt.Errorf("content encoding %.20q was not asked for", enc)
	}
}
