package ews

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/fetch/wire"
)

// decodeText decodes text as the content of an element.
func decodeText(text string, r func(io.Reader) io.Reader, size int) ([]byte, error) {
	s := newScanner(r(strings.NewReader("<d>" + text + "</d>")))
	for range 2 {
		if _, err := s.next(); err != nil {
			return nil, err
		}
	}
	d := wire.NewDecoder(s.chunk)
	var out []byte
	p := make([]byte, size)
	for {
		n, err := d.Read(p)
		out = append(out, p[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func plain(r io.Reader) io.Reader { return r }

func TestBase64Decodes(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 150 {
		want := make([]byte, rnd.IntN(300))
		for j := range want {
			want[j] = byte(rnd.Uint32())
		}
		var text strings.Builder
		text.WriteString(" ")
		width := rnd.IntN(80) + 1
		for j, c := range base64.StdEncoding.EncodeToString(want) {
			if j%width == 0 {
				text.WriteString([]string{"\r\n", " ", "\n\t  ", "<!-- -->", "<![CDATA[ ]]>"}[rnd.IntN(5)])
			}
			if rnd.IntN(40) == 0 {
				text.WriteString("&#" + string("0123456789"[c/100]) + string("0123456789"[c/10%10]) + string("0123456789"[c%10]) + ";")
				continue
			}
			text.WriteRune(c)
		}
		for _, r := range []func(io.Reader) io.Reader{plain, iotest.OneByteReader, iotest.DataErrReader} {
			for _, size := range []int{1, 2, 3, 5, 7, 64, 4096} {
				got, err := decodeText(text.String(), r, size)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("run %d, %d bytes at a time: %v\n%q\ngot  %x\nwant %x", i, size, err, text.String(), got, want)
				}
			}
		}
	}
}

func TestBase64Refuses(t *testing.T) {
	t.Parallel()
	mail := strings.Repeat("some mail text ", 20)
	quoted := mail + wire.Notice + mail
	enc := base64.StdEncoding.EncodeToString
	var wide []byte
	for _, c := range []byte(wire.Notice) {
		wide = append(wide, c, 0)
	}
	tests := []struct {
		name, text string
		want       error
	}{
		{"whole", enc([]byte(mail)), nil},
		{"the notice within a mail is text", enc([]byte(quoted)), nil},
		{"notice in the text", enc([]byte("ab")) + wire.Notice, wire.ErrBase64},
		{"notice after a whole group", "AAAA" + wire.Notice, wire.ErrBase64},
		{"notice after one character", "A" + wire.Notice, wire.ErrBase64},
		{"notice after a line end", "AAAA\r\n" + wire.Notice + "\r\n", wire.ErrBase64},
		{"notice decoded at the end", enc(append([]byte(mail), wire.Notice...)), wire.ErrNotice},
		{"notice decoded with a line end", enc(append([]byte(mail), wire.Notice+"\r\n"...)), wire.ErrNotice},
		{"notice decoded as utf-16", enc(append([]byte(mail), wide...)), wire.ErrNotice},
		{"group cut", "AAAAA", wire.ErrBase64},
		{"group cut before padding", "AAAAAA=", wire.ErrBase64},
		{"data after padding", "AA==AAAA", wire.ErrBase64},
		{"padding too early", "A===", wire.ErrBase64},
		{"padding within", "AA=A", wire.ErrBase64},
		{"padding alone", "====", wire.ErrBase64},
		{"not in the alphabet", "AAA_AAAA", wire.ErrBase64},
		{"url alphabet", "AAAAAAA-", wire.ErrBase64},
		{"no-break space", "AAAA\u00A0AAAA", wire.ErrBase64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 7, 100, 4096} {
				if _, err := decodeText(tt.text, plain, size); !errors.Is(err, tt.want) {
					t.Errorf("%d bytes at a time: got %v, want %v", size, err, tt.want)
				}
			}
		})
	}
}

func FuzzBase64(f *testing.F) {
	f.Add("AAAA BBBB\r\nQQ==", 5)
	f.Add("AQID"+wire.Notice, 64)
	f.Add("&#65;AA<![CDATA[A]]>", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = min(max(size, 1), 1<<16)
		got, err := decodeText(text, plain, size)
		if strings.ContainsAny(text, "<&") {
			return
		}
		clean := strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < 256 && isSpace(byte(r)) }), "")
		want, wantErr := base64.StdEncoding.DecodeString(clean)
		if wantErr == nil && !wire.EndsInNotice(want) && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%q: %v, got %x, want %x", text, err, got, want)
		}
		if wantErr != nil && err == nil {
			t.Fatalf("%q: accepted, encoding/base64 says %v", text, wantErr)
		}
	})
}
