package dir_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

var errBroken = errors.New("broken")

// temporaries are files of writers that are at work or dead.
func temporaries(fs *dirtest.FS) (found []string) {
	for _, name := range fs.Names() {
		if strings.HasSuffix(name, ".tmp") {
			found = append(found, name)
		}
	}
	return found
}

// TestNthCallFails: a call fails and the process lives on.
func TestNthCallFails(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		fs := dirtest.New()
		calls, failed := 0, ""
		fs.Fail(func(op, name string) error {
			if calls++; calls != n {
				return nil
			}
			failed = op
			return errBroken
		})
		l, b := ledger{}, dir.OpenFS(fs)
		for _, do := range script(t) {
			_ = do(b, l) // steps after the broken one may find other things
		}
		if failed == "" {
			return
		}
		fs.Fail(nil)
		for _, v := range violations(t, fs, l) {
			t.Errorf("call %d, %s fails: %s", n, failed, v)
		}
		if left := temporaries(fs); len(left) > 0 && failed != "remove" {
			t.Errorf("call %d, %s fails: %q stay", n, failed, left)
		}
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	// In the order in which a commit makes them.
	for _, full := range []string{"mkdir", "create", "write", "sync", "close", "link", "syncdir"} {
		t.Run(full, func(t *testing.T) {
			t.Parallel()
			fs := dirtest.New()
			b := dir.OpenFS(fs)
			fs.Fail(func(op, name string) error {
				if op == full && name != "." {
					return syscall.ENOSPC
				}
				return nil
			})
			err := tryObject(t, b, "packs/one")
			if !errors.Is(err, blob.ErrFull) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "packs/one") {
				t.Errorf("got %v", err)
			}
			if left := temporaries(fs); len(left) > 0 {
				t.Errorf("%q stay", left)
			}
			fs.Fail(nil)
			if err := tryObject(t, b, "packs/two"); err != nil {
				t.Errorf("with space again: %v", err)
			}
		})
	}
}

// tryObject makes an object and aborts at the first error, as callers do.
func tryObject(t *testing.T, b *dir.Bucket, name string) error {
	t.Helper()
	w, err := b.Create(t.Context(), name)
	if err != nil {
		return err
	}
	defer func() {
		if err := w.Abort(); err != nil {
			t.Errorf("abort: %v", err)
		}
	}()
	if _, err := io.WriteString(w, "bytes"); err != nil {
		return err
	}
	return w.Commit()
}

func TestFailedWriteSticks(t *testing.T) {
	t.Parallel()
	fs := dirtest.New()
	w, err := dir.OpenFS(fs).Create(t.Context(), "object")
	if err != nil {
		t.Fatal(err)
	}
	fs.Fail(func(op, _ string) error {
		if op == "write" {
			return errBroken
		}
		return nil
	})
	_, first := io.WriteString(w, "bytes")
	fs.Fail(nil)
	_, second := io.WriteString(w, "more")
	for name, err := range map[string]error{"write": first, "write again": second, "commit": w.Commit()} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if left := fs.Names(); len(left) > 0 {
		t.Errorf("%q stay", left)
	}
}

func TestNoLinks(t *testing.T) {
	t.Parallel()
	fs := dirtest.New()
	fs.Fail(func(op, _ string) error {
		if op == "link" {
			return noLinksError
		}
		return nil
	})
	err := tryObject(t, dir.OpenFS(fs), "packs/one")
	if !errors.Is(err, dir.ErrLinks) {
		t.Errorf("got %v", err)
	}
	if left := temporaries(fs); len(left) > 0 {
		t.Errorf("%q stay", left)
	}
}

// TestLoserSyncs: who is told ErrExist may build on what is there.
func TestLoserSyncs(t *testing.T) {
	t.Parallel()
	fs := dirtest.New()
	winner, loser := dir.OpenFS(fs), dir.OpenFS(fs)
	fs.Fail(func(op, name string) error {
		if op == "syncdir" && name == "journal" {
			return errBroken
		}
		return nil
	})
	if err := tryObject(t, winner, "journal/1"); !errors.Is(err, errBroken) {
		t.Fatalf("winner: %v", err)
	}
	if err := tryObject(t, loser, "journal/1"); !errors.Is(err, errBroken) || errors.Is(err, blob.ErrExist) {
		t.Errorf("loser without a sync: %v", err)
	}
	fs.Fail(nil)
	if err := tryObject(t, loser, "journal/1"); !errors.Is(err, blob.ErrExist) {
		t.Errorf("loser: %v", err)
	}
	if got := content(t, dir.OpenFS(fs.Crash(dirtest.SyncedOnly)), "journal/1"); got == nil || *got != "bytes" {
		t.Errorf("after power loss: %s", text(got))
	}
}
