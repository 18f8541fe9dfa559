package pst

import (
	"fmt"
	"testing"

	"mailbrick/fetch/mapi"
)

// BenchmarkWalk opens a file and reads all its messages.
func BenchmarkWalk(b *testing.B) {
	for _, k := range []kind{{"ANSI", ANSI, cryptPermute, false, false}, {"Unicode", Unicode, cryptPermute, false, false}, {"cyclic", Unicode, cryptCyclic, false, false}} {
		b.Run(k.name, func(b *testing.B) {
			w := k.builder()
			top := w.root()
			const count = 1000
			for range count {
				w.add(w.message(w.fresh(typeMessage), w.rich(0)), top)
			}
			data := w.file()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				read := 0
				for e := range mustOpen(b, data).IPMSubtree().Messages() {
					if _, _, err := e.Read(); err != nil {
						b.Fatal(err)
					}
					read++
				}
				if read != count {
					b.Fatal(read)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/message")
		})
	}
}

// BenchmarkAttachment reads a message with a long attachment, twice as reading does: to check and to use it.
func BenchmarkAttachment(b *testing.B) {
	const size = 20 << 20
	for _, crypt := range []byte{cryptNone, cryptPermute, cryptCyclic} {
		b.Run(fmt.Sprint("crypt=", crypt), func(b *testing.B) {
			w := newBuilder(Unicode, crypt)
			w.chunk = 8176
			w.add(w.message(w.fresh(typeMessage), &mapi.Message{Attachments: []mapi.Attachment{
				{Properties: mapi.Bag{mapi.NewBinary(mapi.PidTagAttachData, make([]byte, size))}}}}), w.root())
			f := mustOpen(b, w.file())
			e := entryOf(b, f)
			b.SetBytes(size)
			b.ReportAllocs()
			buf := make([]byte, 32<<10)
			for b.Loop() {
				m, _, err := e.Read()
				if err != nil {
					b.Fatal(err)
				}
				r := m.Attachments[0].Data().Open()
				for total := 0; total < size; {
					n, err := r.Read(buf)
					if err != nil {
						b.Fatal(err)
					}
					total += n
				}
			}
		})
	}
}
