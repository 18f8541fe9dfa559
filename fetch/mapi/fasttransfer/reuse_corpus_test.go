package fasttransfer_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/fasttransfer"
)

// seen is all that a Scan gives.
type seen struct {
	report  fasttransfer.Report
	message mapi.Message
	summary []byte
	pieces  []fasttransfer.Segment
	all     []byte
}

type growing struct{ data []byte }

func (g *growing) WriteAt(p []byte, off int64) (int, error) {
	if off != int64(len(g.data)) {
		return 0, errors.New("not at the end")
	}
	g.data = append(g.data, p...)
	return len(p), nil
}

func (g *growing) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(g.data).ReadAt(p, off)
}

// look scans and copies all that lies in the Scanner's memory.
func look(t testing.TB, s *fasttransfer.Scanner, blob []byte, v fasttransfer.Visitor, spooled bool) seen {
	t.Helper()
	var got seen
	v.Message = &mapi.Message{}
	if spooled {
		v.Spool = &growing{}
	}
	v.Segment = func(s fasttransfer.Segment) error {
		got.all = append(got.all, s.Data...)
		got.pieces = append(got.pieces, fasttransfer.Segment{Stream: s.Stream, Kind: s.Kind, Data: bytes.Clone(s.Data)})
		return nil
	}
	r, err := s.Scan(bytes.NewReader(blob), v)
	if err != nil {
		t.Fatal(err)
	}
	got.report, got.message, got.summary = r, deepCopy(t, v.Message), mapi.AppendSummary(nil, v.Message, r.Size)
	if r.Similar != nil {
		got.report.Similar = append([]byte{}, r.Similar...)
	}
	return got
}

// deepCopy has nothing in common with m, and spooled values as if they were kept.
func deepCopy(t testing.TB, m *mapi.Message) (out mapi.Message) {
	t.Helper()
	bag := func(b mapi.Bag) (out mapi.Bag) {
		for _, p := range b {
			if p.Data != nil {
				p.Data = append([]byte{}, p.Data...)
			}
			if p.Name != nil {
				name := *p.Name
				p.Name = &name
			}
			if p.Large != nil {
				data, err := io.ReadAll(p.Open())
				if err != nil {
					t.Fatal(err)
				}
				p.Data, p.Large = data, nil
			}
			out = append(out, p)
		}
		return out
	}
	out.Properties = bag(m.Properties)
	for _, r := range m.Recipients {
		out.Recipients = append(out.Recipients, bag(r))
	}
	for _, a := range m.Attachments {
		to := mapi.Attachment{Properties: bag(a.Properties)}
		if a.Embedded != nil {
			inner := deepCopy(t, a.Embedded)
			to.Embedded = &inner
		}
		out.Attachments = append(out.Attachments, to)
	}
	return out
}

// sameForAll reads blobs in random order, in all ways of reading, in one Scanner whose memory is overwritten in between, and each
// in memory of its own.
func sameForAll(t *testing.T, blobs [][]byte, rounds int, rng *rand.Rand) {
	t.Helper()
	ways := []struct {
		v       fasttransfer.Visitor
		spooled bool
	}{
		{v: fasttransfer.Visitor{}},
		{v: fasttransfer.Visitor{Keep: 8 << 10, Room: 16 << 20, Wanted: mapi.InSummary}},
		{v: fasttransfer.Visitor{Keep: 100}, spooled: true},
		{v: fasttransfer.Visitor{Keep: 4 << 10, Room: 3000}, spooled: true},
	}
	used := &fasttransfer.Scanner{ReadAhead: 128 << 10}
	for range rounds {
		for _, i := range rng.Perm(len(blobs)) {
			way := ways[rng.IntN(len(ways))]
			blob := blobs[i]
			if rng.IntN(8) == 0 {
				blob = damaged(blob, rng)
			}
			got := look(t, used, blob, way.v, way.spooled)
			used.Poison()
			want := look(t, &fasttransfer.Scanner{ReadAhead: 128 << 10}, blob, way.v, way.spooled)
			if !reflect.DeepEqual(got, want) || !bytes.Equal(got.all, blob) {
				t.Fatalf("blob %d: %+v %q, alone %+v %q", i, got.report, got.summary, want.report, want.summary)
			}
		}
	}
}

// damaged is a blob that ends too early or has some other bytes.
func damaged(blob []byte, rng *rand.Rand) []byte {
	if len(blob) == 0 {
		return blob
	}
	out := bytes.Clone(blob)
	if rng.IntN(2) == 0 {
		return out[:rng.IntN(len(out))]
	}
	for range 1 + rng.IntN(4) {
		out[rng.IntN(len(out))] = byte(rng.Uint32())
	}
	return out
}

// TestScannerOfAllKinds: what a Scanner gives of an item is what it is in memory of its own, whatever came before.
func TestScannerOfAllKinds(t *testing.T) {
	t.Parallel()
	blobs := [][]byte{encode(t, item(20, 0)), encode(t, nested(5)), encode(t, item(2000, 20<<10)), framed(startRecip, 7), encode(t, crowded(300)), nil,
		framed(tag(0x6800, mapi.TypeBinary)+u32(5)+"12345", 3), []byte(preamble),
		[]byte("no blob === Truncated Data ==="), encode(t, &mapi.Message{Properties: mapi.Bag{mapi.NewText(mapi.PidTagSubject, "")}})}
	files, _ := filepath.Glob(data + "*/*.bin")
	for _, name := range files {
		blob, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, blob)
	}
	sameForAll(t, blobs, 8, rand.New(rand.NewPCG(1, 2)))
}

// TestScannerOfRealMail is that over mail of people.
func TestScannerOfRealMail(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MAILBRICK_MAIL")
	if root == "" {
		t.Skip("no data: MAILBRICK_MAIL is not set")
	}
	share := 40 // one file in so many
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		share = 1
	}
	var blobs [][]byte
	rng, n := rand.New(rand.NewPCG(3, 4)), 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if n++; n%share != 0 {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := eml.Read(bytes.NewReader(text))
		if err != nil {
			return nil // no mail
		}
		kept, _ := fasttransfer.Encodable(m)
		if blobs = append(blobs, encode(t, kept)); len(blobs) == 500 {
			sameForAll(t, blobs, 1, rng)
			blobs = blobs[:0]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Skip("no data: there is nothing in MAILBRICK_MAIL")
	}
	sameForAll(t, blobs, 2, rng)
}
