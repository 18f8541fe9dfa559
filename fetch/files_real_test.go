package fetch_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch"
	"mailbrick/fetch/mapi/fasttransfer"
)

// read reads everything of a mailbox: item id = digest of the blob, or the error.
func read(t *testing.T, dir string, m fetch.FileMailbox) (blobs map[string][32]byte, failed map[string]error) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s, err := fetch.Files(root, m, fetch.FilesOptions{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	folders, err := s.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	blobs, failed = map[string][32]byte{}, map[string]error{}
	for _, f := range folders {
		page, err := s.Changes(t.Context(), f.ID, "")
		if err != nil {
			failed[f.ID] = err
			continue
		}
		var refs []fetch.Ref
		for _, c := range page.Changes {
			refs = append(refs, c.Ref)
		}
		err = s.Export(t.Context(), refs, func(n int, got fetch.Ref, blob io.Reader, err error) error {
			if err != nil {
				failed[refs[n].ItemID] = err
				return nil
			}
			if got != refs[n] && refs[n].Size == got.Size {
				t.Errorf("%s was listed as %+v and read as %+v", got.ItemID, refs[n], got)
			}
			h := sha256.New()
			report, err := fasttransfer.Scan(io.TeeReader(blob, h), fasttransfer.Visitor{})
			if err != nil || report.State != fasttransfer.Complete {
				t.Errorf("%s: %s %s, %v", got.ItemID, report.State, report.Reason, err)
			}
			if _, twice := blobs[got.ItemID]; twice {
				t.Errorf("%s comes twice", got.ItemID)
			}
			blobs[got.ItemID] = [32]byte(h.Sum(nil))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return blobs, failed
}

// TestRealFiles reads real mail of all forms. What fails is what is no mail.
func TestRealFiles(t *testing.T) {
	t.Parallel()
	mail := os.Getenv("MAILBRICK_MAIL")
	if mail == "" {
		t.Skip("MAILBRICK_MAIL is not set")
	}
	for dir, want := range map[string]struct {
		m      fetch.FileMailbox
		items  int
		failed int
	}{
		"outlook":            {items: 29},
		"mime":               {items: 999, failed: 10},
		"bounces":            {items: 126},
		"lists/r":            {items: 6420},
		"attachments/poi":    {items: 35},
		"outlook/gopst/data": {m: fetch.FileMailbox{File: "support.pst"}, items: 17},
	} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			at := filepath.Join(mail, filepath.FromSlash(dir))
			blobs, failed := read(t, at, want.m)
			if len(blobs) < want.items || len(failed) > want.failed {
				t.Errorf("%d items, %d failed; want %+v", len(blobs), len(failed), want)
			}
			for id, err := range failed {
				if !errors.Is(err, fetch.ErrItem) && !errors.Is(err, fetch.ErrFolder) {
					t.Errorf("%s: %v", id, err)
				}
			}
			again, _ := read(t, at, want.m)
			for id, sum := range blobs {
				if again[id] != sum {
					t.Errorf("%s is not the same again", id)
				}
			}
		})
	}
}

// TestRealPST: a PST that is all of a mailbox gives it its folders, and what is known of them stays while it cannot be read.
func TestRealPST(t *testing.T) {
	t.Parallel()
	mail := os.Getenv("MAILBRICK_MAIL")
	if mail == "" {
		t.Skip("MAILBRICK_MAIL is not set")
	}
	data, err := os.ReadFile(filepath.Join(mail, "outlook", "gopst", "data", "support.pst"))
	if err != nil {
		t.Fatal(err)
	}
	x := newTree(t, map[string]string{"support.pst": string(data)})
	r := x.run()
	if !r.Complete || r.Snapshot.Added != 17 {
		t.Fatalf("%+v", r)
	}
	before := x.holds()
	for id, item := range before {
		if strings.HasPrefix(item, "support") {
			t.Errorf("%s lies in %s, not in the mailbox itself", id, item)
		}
	}
	if r := x.run(); r.Exported != 0 || !r.Complete {
		t.Errorf("unchanged: %+v", r)
	}
	x.write("support.pst", "no pst")
	if r := x.run(); r.Complete || len(r.Failures) != 1 || !maps.Equal(x.holds(), before) {
		t.Errorf("broken: %+v, %v", r, x.holds())
	}
	x.write("support.pst", string(data))
	if r := x.run(); !r.Complete || r.Exported != 0 || !maps.Equal(x.holds(), before) {
		t.Errorf("whole again: %+v", r)
	}
	// Beside other files its folders lie in one of its name; its items are still the same.
	x.write("more.eml", message("more"))
	if r := x.run(); !r.Complete || r.Snapshot.Added != 1 || r.Snapshot.Removed != 0 {
		t.Errorf("with another file: %+v", r)
	}
}

// BenchmarkFiles is what a tree costs beside its bytes: in which nothing happened, and in which everything is new.
func BenchmarkFiles(b *testing.B) {
	const files = 300
	dir := b.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.fts", i)), []byte("a"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	s, err := fetch.Files(root, fetch.FileMailbox{}, fetch.FilesOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	folders := func(b *testing.B) {
		if folders, err := s.Folders(b.Context()); err != nil || folders[0].Total != files {
			b.Fatal(folders, err)
		}
	}
	buffer := make([]byte, 128<<10)
	for name, run := range map[string]func(b *testing.B){
		"unchanged": folders,
		"new": func(b *testing.B) {
			folders(b)
			page, err := s.Changes(b.Context(), ".", "")
			if err != nil || len(page.Changes) != files {
				b.Fatal(len(page.Changes), err)
			}
			for c := range slices.Chunk(page.Changes, 50) {
				items := make([]fetch.Ref, len(c))
				for i := range c {
					items[i] = c[i].Ref
				}
				err := s.Export(b.Context(), items, func(_ int, _ fetch.Ref, blob io.Reader, err error) error {
					for err == nil {
						_, err = blob.Read(buffer)
					}
					if err == io.EOF {
						err = nil
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/file")
		})
	}
}

// BenchmarkFilesEncode reads mail and makes export streams of it.
func BenchmarkFilesEncode(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.eml"), []byte(message("a")), 0o600); err != nil {
		b.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	s, err := fetch.Files(root, fetch.FileMailbox{}, fetch.FilesOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Folders(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		err := s.Export(b.Context(), []fetch.Ref{{ItemID: "a.eml"}}, func(_ int, _ fetch.Ref, blob io.Reader, err error) error {
			if err == nil {
				_, err = io.Copy(io.Discard, blob)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
