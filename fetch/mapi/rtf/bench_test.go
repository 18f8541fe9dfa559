package rtf_test

import (
	"bytes"
	"strings"
	"testing"

	"mailbrick/fetch/mapi/rtf"
)

// page is a long body as Outlook writes them.
func page() []byte {
	const head = `{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset204 Cyr;}}\uc1\pard\plain\f0 `
	const line = `{\*\htmltag64 <p class="MsoNormal">}\htmlrtf {\htmlrtf0 The quick brown fox jumps \'fcber the \f1\'eb\'e8\f0 lazy \u8364 ?dog ` +
		`{\*\htmltag84 &nbsp;}\htmlrtf \'a0\htmlrtf0 {\*\htmltag72 </p>}\htmlrtf\par}\htmlrtf0` + "\r\n"
	return []byte(head + strings.Repeat(line, 4000) + "}")
}

func BenchmarkHTML(b *testing.B) {
	doc := page()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if out, err := rtf.HTML(doc); err != nil || len(out) < 100000 {
			b.Fatal(len(out), err)
		}
	}
}

func BenchmarkText(b *testing.B) {
	doc := page()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if len(rtf.Text(doc)) < 100000 {
			b.Fatal("text is missing")
		}
	}
}

// BenchmarkDecompress reads the bodies of the data; bytes are those of RTF.
func BenchmarkDecompress(b *testing.B) {
	list := corpus(b)
	size := 0
	for _, f := range list {
		doc, _ := rtf.Decompress(f.packed)
		size += len(doc)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range list {
			if doc, err := rtf.Decompress(f.packed); err != nil || !bytes.HasPrefix(doc, []byte(`{\rtf`)) {
				b.Fatal(f.name, err)
			}
		}
	}
}
