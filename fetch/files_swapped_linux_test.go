package fetch_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mailbrick/fetch"
)

// TestFilesSwapped: what becomes a pipe, a link or a directory after it was listed stops nothing, and nothing of what lies outside is read.
func TestFilesSwapped(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(message("secret")), 0o600); err != nil {
		t.Fatal(err)
	}
	names := []string{"1.eml", "2.fts", "3.msg", "In/cur/4:2,S", "list.mbox", "dates.ics"}
	for kind, swap := range map[string]func(string) error{
		"pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"link":      func(name string) error { return os.Symlink(secret, name) },
		"directory": func(name string) error { return os.Mkdir(name, 0o700) },
		"nothing":   func(string) error { return nil },
	} {
		for _, listed := range []bool{false, true} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				x := newTree(t, map[string]string{"1.eml": message("1"), "2.fts": exportStream(t, "2"), "3.msg": outlookFile(t, "3"), "In/cur/4:2,S": message("4"),
					"list.mbox": "From a@b\n" + message("5"), "dates.ics": calendarFile(event("a", "one")), "last.eml": message("last")})
				s := x.source()
				folders, err := s.Folders(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				swapAll := func() {
					for _, name := range names {
						x.remove(name)
						if err := swap(filepath.Join(x.dir, name)); err != nil {
							t.Error(err)
						}
					}
				}
				if !listed {
					swapAll()
				}
				within(t, func() {
					var items []fetch.Ref
					for _, f := range folders {
						page, err := s.Changes(t.Context(), f.ID, "")
						if err != nil && (listed || !errors.Is(err, fetch.ErrFolder) && !errors.Is(err, fetch.ErrGone)) {
							t.Errorf("%s: %v", f.ID, err)
						}
						for _, c := range page.Changes {
							items = append(items, c.Ref)
						}
					}
					if listed {
						swapAll()
					}
					err := s.Export(t.Context(), items, func(n int, got fetch.Ref, blob io.Reader, err error) error {
						if err == nil {
							_, err = io.Copy(io.Discard, blob)
						}
						if known := items[n].ItemID == "last.eml" || got.ItemID[:5] == "dates"; err == nil && !known || err != nil && !errors.Is(err, fetch.ErrGone) && !errors.Is(err, fetch.ErrItem) {
							t.Errorf("%s: %v", got.ItemID, err)
						}
						return nil
					})
					if err != nil || len(items) < 5 {
						t.Errorf("%d items, %v", len(items), err)
					}
				})
			})
		}
	}
}

// within is for what must not wait for ever.
func within(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits")
	}
}
