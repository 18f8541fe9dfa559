package pack_test

import (
	"testing"

	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/pack"
)

// cut makes chunks of a size out of data.
func cut(data []byte, size int, class pack.Class) (out []piece) {
	for n := 0; len(data) > 0; n++ {
		k := min(size, len(data))
		out = append(out, pieceOf(n, class, data[:k]))
		data = data[k:]
	}
	return out
}

func kinds() map[string][]piece {
	const size = 32 << 20
	return map[string][]piece{
		"properties": cut(words(1, size), 1500, pack.Small),
		"text":       cut(words(2, size), 30_000, pack.Text),
		"attachment": cut(words(3, size), 64<<10, pack.Bulk),
		"random":     cut(noise(4, size), 64<<10, pack.Bulk),
	}
}

func BenchmarkWrite(b *testing.B) {
	for name, pieces := range kinds() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(32 << 20)
			b.ReportAllocs()
			var stored int64
			for range b.N {
				stored = writePack(b, new(blobtest.Memory), 1, pieces).Size
			}
			b.ReportMetric(float64(stored)/(32<<20), "stored/plain")
		})
	}
}

// BenchmarkSmall is what a commit of one item costs.
func BenchmarkSmall(b *testing.B) {
	pieces := []piece{pieceOf(1, 0, words(1, 1500)), pieceOf(2, 1, words(2, 4000))}
	b.ReportAllocs()
	for range b.N {
		writePack(b, new(blobtest.Memory), 1, pieces)
	}
}

func BenchmarkFrame(b *testing.B) {
	for name, pieces := range kinds() {
		b.Run(name, func(b *testing.B) {
			m, r := newMemory()
			table := writePack(b, m, 1, pieces)
			b.SetBytes(32 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := contents(b, r, table); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTable(b *testing.B) {
	m, r := newMemory()
	table := writePack(b, m, 1, kinds()["properties"])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Table(b.Context(), table.Name); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(table.Chunks()), "chunks")
}
