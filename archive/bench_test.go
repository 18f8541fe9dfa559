package archive

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// mail is an item of about 20 KiB: properties of its own, a body, and now and then an attachment that others have too.
func mail(n int) []Segment {
	head := make([]byte, 1500)
	copy(head, fmt.Sprintf("subject %d, message id %d@x.example", n, n))
	binary.LittleEndian.PutUint64(head[1400:], uint64(n)*0x9E3779B97F4A7C15)
	body := append([]byte(fmt.Sprintf("Dear number %d,\n", n)), textOf(n, 6000)...)
	list := []Segment{{0, Framing, []byte{1, 2, 3, 4, 5, 6, 7, 8}}, {1, Small, head}, {2, Text, body}}
	if n%4 == 0 {
		list = append(list, Segment{3, Bulk, noise(uint64(n/8%50), 60_000)})
	}
	return list
}

func textOf(n, size int) []byte {
	b := make([]byte, 0, size+16)
	for i := uint64(n); len(b) < size; i = i*6364136223846793005 + 1442695040888963407 {
		b = append(b, []string{"the ", "meeting ", "of ", "budget ", "is ", "tomorrow ", "please ", "find ", "attached "}[i>>33%9]...)
	}
	return b
}

func putMail(b *testing.B, s *Session, n int) (size int64) {
	c := s.NewContent(b.Context())
	for _, seg := range mail(n) {
		if err := c.Add(seg); err != nil {
			b.Fatal(err)
		}
	}
	item := Item{ItemID: fmt.Sprintf("AAMkADAwATM0MDAAMS1iNTcwLWI2NTEtMDACLTAwCgBGAAAD%090d", n), ChangeKey: fmt.Sprintf("CQAAABYAAAD%024d", n), FolderID: "inbox", Summary: make([]byte, 200)}
	if err := s.Put(b.Context(), item, c); err != nil {
		b.Fatal(err)
	}
	if err := s.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c.Size()
}

// filledWorld holds so many items in one mailbox.
func filledWorld(b *testing.B, items int) *world {
	w := newWorld(b)
	w.run(b, "m", func(s *Session) {
		for n := range items {
			putMail(b, s, n)
		}
	})
	return w
}

func BenchmarkPut(b *testing.B) {
	w := newWorld(b)
	s := w.begin(b, "m")
	var size int64
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		size += putMail(b, s, n)
		n++
	}
	if _, err := s.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size / int64(n))
}

// BenchmarkPutKnown is a second mailbox with the same mail.
func BenchmarkPutKnown(b *testing.B) {
	w := filledWorld(b, 2000)
	s := w.begin(b, "other")
	var size int64
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		size += putMail(b, s, n%2000)
		n++
	}
	if _, err := s.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size / int64(n))
}

// BenchmarkOneItem is a run that finds one new item, with its commit.
func BenchmarkOneItem(b *testing.B) {
	w := filledWorld(b, 100)
	n := 1000
	b.ReportAllocs()
	for b.Loop() {
		w.run(b, "m", func(s *Session) { putMail(b, s, n) })
		n++
	}
}

// BenchmarkKnown is a question of a run that finds nothing new in 20,000 items.
func BenchmarkKnown(b *testing.B) {
	w := filledWorld(b, 20_000)
	s := w.begin(b, "m")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok, err := s.Known(fmt.Sprintf("AAMkADAwATM0MDAAMS1iNTcwLWI2NTEtMDACLTAwCgBGAAAD%090d", n%20_000)); !ok || err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkOpen(b *testing.B) {
	w := filledWorld(b, 20_000)
	b.Run("catalog there", func(b *testing.B) {
		for b.Loop() {
			w.reopen(b)
		}
	})
	b.Run("catalog made anew", func(b *testing.B) {
		for b.Loop() {
			fresh := worldOf(w.memory, w.memory, vfs.NewMem())
			fresh.open(b)
			fresh.close(b)
		}
	})
	w.close(b)
}

func BenchmarkList(b *testing.B) {
	w := filledWorld(b, 20_000)
	snap := w.snapshots(b, "m")[0]
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range w.Versions(b.Context(), snap) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 20_000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(20_000, "items/op")
}

func BenchmarkReadBack(b *testing.B) {
	w := filledWorld(b, 2000)
	snap := w.snapshots(b, "m")[0]
	var size int64
	b.ReportAllocs()
	for b.Loop() {
		size = 0
		for v, err := range w.Versions(b.Context(), snap) {
			if err != nil {
				b.Fatal(err)
			}
			r, err := w.OpenBlob(b.Context(), v)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r)
			if err != nil {
				b.Fatal(err)
			}
			size += n
		}
	}
	b.SetBytes(size)
}
