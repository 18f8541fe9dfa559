package eml_test

import (
	"bytes"
	"io"
	"testing"

	"mailbrick/fetch/mapi/eml"
)

func BenchmarkRead(b *testing.B) {
	for name, raw := range map[string][]byte{"4KB": bytes.Replace(stored(), []byte("words"), bytes.Repeat([]byte("words "), 600), 1),
		"300KB": write(b, draft(b, read(b, stored())))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				read(b, raw)
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	m := draft(b, read(b, stored()))
	b.SetBytes(int64(len(write(b, m))))
	b.ReportAllocs()
	for b.Loop() {
		if err := eml.Write(io.Discard, m); err != nil {
			b.Fatal(err)
		}
	}
}
