package eml_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
)

// alternative is a mail of two bodies and two files, none laid out as Write would.
func alternative() []byte {
	return lines("From: a@example.com", "Subject: s", "MIME-Version: 1.0 (of old)", "Content-Type: multipart/mixed;", "\tboundary=\"o\"", "X-Last: 1", "",
		"preamble", "--o", "Content-Type: multipart/alternative; boundary=i", "Content-Language: en", "", "--i ", "Content-Type: text/plain; charset=iso-8859-1",
		"Content-Transfer-Encoding: quoted-printable", "", "Gr=FC=DFe, a long line =", "that goes on", strings.Repeat("the same words again\r\n", 30), "--i", "Content-Type: text/html", "",
		"<p>page", "--i--", "", "--o", "Content-Type: image/png; name=p.png", "Content-Description: a picture", "Content-Transfer-Encoding: BASE64", "",
		base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2, 3}, 10)), base64.StdEncoding.EncodeToString([]byte{1, 2, 3, 4}), "",
		"--o", "Content-Type: message/rfc822", "", "Subject: inside", "X-Odd :  1", "", "inner", "--o", "Content-Type: text/x-patch; name=p.patch", "", "+ added", "--o--", "epilogue")
}

func TestSkeletonGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	lf := func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")) }
	for name, raw := range map[string][]byte{
		"alternative":         bytes.ReplaceAll(alternative(), []byte("X-Odd :"), []byte("X-Odd:")),
		"lines of LF":         bytes.ReplaceAll(lf(alternative()), []byte("X-Odd :"), []byte("X-Odd:")),
		"no end":              lines("Subject: s", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "words"),
		"one boundary twice":  lines("Subject: s", "Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", "--b--", "--b--"),
		"no empty line":       lines("Subject: s", "words that are no field", "and more"),
		"only a header":       lines("Subject: s", ""),
		"base64, one line":    lines("Subject: s", "Content-Transfer-Encoding: base64", "", "d29yZHM="),
		"base64, long lines":  lines("Subject: s", "Content-Transfer-Encoding: base64", "Content-Type: a/b", "", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("abc"), 9000))),
		"base64, garbage":     lines("Subject: s", "Content-Transfer-Encoding: base64", "Content-Type: a/b", "", "YWJj", "!YWJj", "?", "", ""),
		"base64 of a message": lines("Subject: s", "Content-Transfer-Encoding: base64", "Content-Type: message/rfc822", "", "U3ViamVjdDogeAoKeQ=="),
		"8-bit":               lines("Subject: s", "", "\xFCber\x00\x01", "a\nb\rc"),
		"UTF-16":              lines("Subject: s", "Content-Type: text/plain; charset=utf-16", "", "\xFF\xFEa\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := survive(raw)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, raw) {
				t.Errorf("got\n%s\nwant\n%s", got, raw)
			}
		})
	}
}

// TestSkeletonKeepsNoBytesTwice: what is in a property is not in the skeleton, too.
func TestSkeletonKeepsNoBytesTwice(t *testing.T) {
	t.Parallel()
	file := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("abcdefgh "), 7*57))
	var folded strings.Builder
	for at := 0; at < len(file); at += 60 {
		folded.WriteString(file[at:min(at+60, len(file))] + "\n")
	}
	text := strings.Repeat("a line of some words\n", 500)
	raw := "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=windows-1252\n\n" +
		text + "\x80 is no UTF-8\n" + text + "\n--b\nContent-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + folded.String() + "\n--b--\n"
	m := read(t, []byte(raw))
	if n := skeleton(m).Len(); n > 500 {
		t.Errorf("a skeleton of %d bytes for a message of %d", n, len(raw))
	}
	if got := string(write(t, m)); got != raw {
		t.Error("does not come back")
	}
}

func TestChangesBreakTheSkeleton(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		edit func(*mapi.Message)
		want string // in the file
		laid bool   // as it was but for that
	}{
		{"nothing", func(*mapi.Message) {}, "epilogue", true},
		{"subject", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagSubject, "new")) }, "Subject: new\r\n", true},
		{"body", func(m *mapi.Message) { m.Properties.Set(mapi.NewText(mapi.PidTagBody, "new words")) }, "new words", false},
		{"page", func(m *mapi.Message) { m.Properties.Set(mapi.NewBinary(mapi.PidTagHTML, []byte("<p>new"))) }, "<p>new", false},
		{"one body taken away", func(m *mapi.Message) { m.Properties.Remove(mapi.PidTagHTML) }, "p.png", false},
		{"attachment in base64 changed", func(m *mapi.Message) {
			m.Attachments[0].Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, []byte("new")))
		}, "bmV3", true},
		{"attachment as it is changed", func(m *mapi.Message) {
			m.Attachments[2].Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, []byte("--o--")))
		}, "LS1vLS0=", false},
		{"attachment renamed", func(m *mapi.Message) {
			m.Attachments[0].Properties.Set(mapi.NewText(mapi.PidTagAttachLongFilename, "n.png"))
		}, "n.png", false},
		{"attachment taken away", func(m *mapi.Message) { m.Attachments = m.Attachments[:2] }, "p.png", false},
		{"embedded message changed", func(m *mapi.Message) {
			m.Attachments[1].Embedded.Properties.Set(mapi.NewText(mapi.PidTagBody, "inner words"))
		}, "inner words", true},
		{"headers taken away", func(m *mapi.Message) { m.Properties.Remove(mapi.PidTagTransportMessageHeaders) }, "p.png", false},
		{"another structure", func(m *mapi.Message) {
			m.Properties.Set(mapi.NewText(mapi.PidTagTransportMessageHeaders, "Subject: s\r\nContent-Type: text/plain\r\n\r\n"))
		}, "p.png", false},
		{"damaged", func(m *mapi.Message) { p := skeleton(m); p.Data = p.Data[:len(p.Data)-1] }, "p.png", false},
		{"a body again and again", func(m *mapi.Message) {
			p := skeleton(m)
			p.Data = append(p.Data, bytes.Repeat([]byte{2, 1, 0, 5}, 1000)...)
		}, "p.png", false},
		{"an attachment twice", func(m *mapi.Message) { p := skeleton(m); p.Data = append(p.Data, 3, 2, 0, 76) }, "p.png", false},
		{"of the future", func(m *mapi.Message) { skeleton(m).Data[0] = 2 }, "p.png", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := throughBlob(t, read(t, alternative()))
			c.edit(m)
			got := string(write(t, m))
			if !strings.Contains(got, c.want) || strings.Contains(got, "preamble") != c.laid {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// FuzzSkeleton: whatever stands in the property, a file comes out.
func FuzzSkeleton(f *testing.F) {
	m := read(f, alternative())
	f.Add(skeleton(m).Data)
	f.Add([]byte{1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := read(t, alternative())
		skeleton(m).Data = data
		write(t, m)
	})
}
