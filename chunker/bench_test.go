package chunker_test

import (
	"testing"

	"mailbrick/chunker"
)

func BenchmarkCut(b *testing.B) {
	for name, data := range map[string][]byte{"random": randomBytes(1, 32<<20), "mixed": mixed(32 << 20)} {
		b.Run(name, func(b *testing.B) {
			c := chunker.New([32]byte{1}, chunker.Params{})
			b.SetBytes(int64(len(data)))
			chunks := 0
			for b.Loop() {
				chunks = len(cuts(c, data))
			}
			b.ReportMetric(float64(len(data))/float64(chunks), "B/chunk")
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		chunker.New([32]byte{1}, chunker.Params{})
	}
}
