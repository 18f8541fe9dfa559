package rtf_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"mailbrick/fetch/mapi/rtf"
)

func FuzzDecompress(f *testing.F) {
	f.Add(vector(f))
	f.Add(vector(f)[:30])
	f.Add(rtf.Compress([]byte(hello)))
	f.Add(change(vector(f), 4, 0xFFFFFFFF))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := rtf.Decompress(data)
		if len(out) > 9*len(data) {
			t.Fatalf("%d bytes of %d", len(out), len(data))
		}
		if err == nil && len(out) > 0 {
			if again, err := rtf.Decompress(rtf.Compress(out)); err != nil || !bytes.Equal(again, out) {
				t.Fatalf("%q came back as %q, %v", out, again, err)
			}
		}
		_ = rtf.Text(out)
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte(hello))
	f.Add([]byte(`{\rtf1\ansi\ansicpg1252\fromhtml1{\fonttbl{\f0\fcharset128 A;}}\f0{\*\htmltag64 <p>}\'83A\htmlrtf x\htmlrtf0 &lt;<\par}`))
	f.Add([]byte(`{\rtf1\fromtext\uc2\u-10179??\u-8704??\bin3 }}}{\pict\bin99999 }`))
	f.Add([]byte(`{\rtf1{\fonttbl{\f1\fcharset2 S;}}{\pntext\f1\'b7\tab}a\cell\row\v b\plain\_\~\{}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		plain := rtf.Text(doc)
		page, err := rtf.HTML(doc)
		if !utf8.ValidString(page) || !utf8.ValidString(plain) {
			t.Fatalf("not UTF-8: %q %q", plain, page)
		}
		if len(plain) > 4*len(doc)+16 || len(page) > 6*len(doc)+16 {
			t.Fatalf("%d bytes gave %d of text, %d of html", len(doc), len(plain), len(page))
		}
		if (err == nil) != (rtf.KindOf(doc) == rtf.OfHTML) {
			t.Fatal(err)
		}
	})
}
