package eml

import (
	"bytes"
	"io"
	"testing"
)

// FuzzLined: what is taken for regular base64 decodes as any other does, and is written as it was.
func FuzzLined(f *testing.F) {
	for _, seed := range []string{"QUJD\r\nREVG\r\nRw==", "\r\nQUJD\nREVG\n\n", "QUJD\nRA==\nRUZH", "QUJD\nREVG\n!", "QU\rJ\nREVG", "QUJD\nREVH\n\nREVG", "QUJD\nRB=="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := linedOf(body)
		if l == nil {
			return
		}
		got, err := io.ReadAll(io.NewSectionReader(l, 0, l.size))
		if err != nil || !bytes.Equal(got, decodeBase64(body)) {
			t.Errorf("%q, want %q: %v", got, decodeBase64(body), err)
		}
		var again bytes.Buffer
		parts := l.segments(segment{}, body)
		if err := encodeBase64(&again, bytes.NewReader(got), parts[1].line, parts[1].eol()); err != nil {
			t.Fatal(err)
		}
		if whole := string(parts[0].text) + again.String() + string(parts[2].text); whole != string(body) {
			t.Errorf("%q is written as %q", body, whole)
		}
	})
}
