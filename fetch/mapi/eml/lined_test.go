package eml_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/fetch/mapi/eml"
)

// base64Lines is base64 of data in lines of so many characters.
func base64Lines(data []byte, line int, eol string) string {
	text := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(text) > line {
		b.WriteString(text[:line] + eol)
		text = text[line:]
	}
	return b.String() + text
}

func withFile(body string) []byte {
	return []byte(strings.ReplaceAll("From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n--x\n"+
		"Content-Type: application/octet-stream; name=a\nContent-Transfer-Encoding: base64\n\n", "\n", "\r\n") + body + "\r\n--x--\r\n")
}

// TestLongAttachments: those in regular lines are ranges of the input, all others are decoded; all come back byte for byte.
func TestLongAttachments(t *testing.T) {
	t.Parallel()
	data := make([]byte, 1<<20+1)
	rand.NewChaCha8([32]byte{1}).Read(data)
	usual := base64Lines(data, 76, "\r\n")
	half := 78 * 5000
	for _, c := range []struct {
		name, body string
		ranged     bool
	}{
		{"usual", usual, true},
		{"LF alone", base64Lines(data, 60, "\n"), true},
		{"last line is full", base64Lines(data[:57*14000], 76, "\r\n"), true},
		{"blank lines around", "\r\n\r\n" + usual + "\r\n\r\n", true},
		{"one line", base64Lines(data, 2<<20, ""), false},
		{"long lines", base64Lines(data, 4096, "\r\n"), false},
		{"a blank line within", usual[:half] + "\r\n" + usual[half:], false},
		{"a shorter line within", usual[:half+40] + "\r\n" + usual[half+40:], false},
		{"a space", usual[:half-2] + " " + usual[half-2:], false},
		{"other line ends", usual[:half-2] + usual[half-1:], false},
		{"padding within", base64Lines(data[:57*5000-2], 76, "\r\n") + "\r\n" + base64Lines(data[57*5000-2:], 76, "\r\n"), false},
		{"bits beyond the end", usual[:len(usual)-3] + "B==", false},
		{"cut short", usual[:len(usual)-3], false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := withFile(c.body)
			m := read(t, raw)
			p := m.Attachments[0].Data()
			if (p.Large != nil) != c.ranged {
				t.Errorf("a range of the input: %t", p.Large != nil)
			}
			got := p.Bytes()
			if want := data[:max(0, min(len(data)-3, len(got)))]; len(want) < 57*14000 || !bytes.HasPrefix(got, want) {
				t.Errorf("%d other bytes", len(got))
			}
			if p.Large != nil && c.name == "usual" {
				if err := iotest.TestReader(p.Open(), data); err != nil {
					t.Error(err)
				}
			}
			var out bytes.Buffer
			if err := eml.Write(&out, m); err != nil || !bytes.Equal(out.Bytes(), raw) {
				t.Errorf("comes back as %d bytes of %d: %v", out.Len(), len(raw), err)
			}
		})
	}
}

// TestLongAttachmentMemory: the message is in memory once.
func TestLongAttachmentMemory(t *testing.T) {
	data := make([]byte, 24<<20)
	raw := withFile(base64Lines(data, 76, "\r\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read(t, raw)
	runtime.ReadMemStats(&after)
	if n := int64(after.TotalAlloc - before.TotalAlloc); n > int64(len(raw))+2<<20 {
		t.Errorf("%d KiB allocated for a message of %d", n>>10, len(raw)>>10)
	}
}
