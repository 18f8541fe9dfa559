package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/s3"
)

// mend puts content in the place of an object.
func mend(t testing.TB, b *s3.Bucket, name, content string) error {
	t.Helper()
	w, err := b.Replace(t.Context(), name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, content)
	if failed := w.Commit(); err == nil {
		err = failed
	}
	return err
}

// TestReplace: in one piece and in parts, with and without versions; nothing of the old one stays.
func TestReplace(t *testing.T) {
	t.Parallel()
	for _, bucket := range []string{plainBucket, lockedBucket} {
		for name, content := range map[string]string{"short": "mended", "parts": manyParts, "empty": "", "whole parts": manyParts[:2*s3.MinPartSize]} {
			t.Run(bucket+" "+name, func(t *testing.T) {
				t.Parallel()
				o := options(realServer(t), bucket)
				b := open(t, o)
				put(t, b, "packs/a", "damaged")
				for range 2 {
					if err := mend(t, b, "packs/a", content); err != nil {
						t.Fatal(err)
					}
					wantContent(t, b, "packs/a", content)
				}
				wantVersions(t, o, 1)
				if err := b.Remove(t.Context(), "packs/a"); err != nil {
					t.Fatal(err)
				}
				wantVersions(t, o, 0)
			})
		}
	}
}

func TestReplaceInTrouble(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content string
		trouble order
		want    error // nil: mended
	}{
		{"answer lost", "mended", order{is("put"), 1, 1, loseAnswer}, nil},
		{"answer lost, in parts", manyParts, order{is("complete"), 0, 1, loseAnswer}, nil},
		{"cut", "mended", order{is("put"), 1, 2, cut}, nil},
		{"condition not known", "mended", order{is("put"), 1, 1, answer(http.StatusNotImplemented, "NotImplemented")}, nil},
		{"condition not known, in parts", manyParts, order{is("complete"), 0, 1, answer(http.StatusNotImplemented, "NotImplemented")}, nil},
		{"no right", "mended", order{is("put"), 1, 1000, answer(http.StatusForbidden, "AccessDenied")}, s3.ErrDenied},
		{"no right to remove the old one", "mended", order{is("delete"), 0, 1000, answer(http.StatusForbidden, "AccessDenied")}, nil},
		{"broken", "mended", order{is("put"), 1, 1000, cut}, s3.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := behind(t, newProxy(t, realServer(t), tt.trouble), lockedBucket)
			put(t, b, "packs/a", "damaged")
			err := mend(t, b, "packs/a", tt.content)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				tt.content = "damaged"
			}
			wantContent(t, b, "packs/a", tt.content)
		})
	}
}

// TestReplaceOfAnother: what took the object's place meanwhile stays.
func TestReplaceOfAnother(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"mended", manyParts} {
		b := open(t, options(realServer(t), lockedBucket))
		put(t, b, "packs/a", "damaged")
		w, err := b.Replace(t.Context(), "packs/a")
		if err != nil {
			t.Fatal(err)
		}
		if err := mend(t, b, "packs/a", "by another"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err == nil || !strings.Contains(err.Error(), "another object") {
			t.Errorf("got %v", err)
		}
		wantContent(t, b, "packs/a", "by another")
	}
}

// TestReplaceLocked: the mended object is locked as the damaged one was, which nothing removes; when the lock has ended both go.
func TestReplaceLocked(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"mended", manyParts} {
		patience := 2 * time.Second
		for !replacedInTime(t, content, patience) {
			if patience *= 2; patience > time.Minute {
				t.Fatal("an object of some MB takes a minute")
			}
		}
	}
}

// replacedInTime tells whether a lock was long enough to see what it does.
func replacedInTime(t *testing.T, content string, patience time.Duration) bool {
	t.Helper()
	o := options(realServer(t), lockedBucket)
	b := open(t, o)
	put(t, b, "packs/a", "damaged")
	soon := time.Now().Add(patience).UTC().Truncate(time.Second)
	if err := b.Lock(t.Context(), "packs/a", blob.Lock{Until: soon}); err != nil {
		if time.Now().Before(soon) {
			t.Fatal(err)
		}
		return false
	}
	if err := mend(t, b, "packs/a", content); err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, "packs/a", content)
	lock, err := b.Locked(t.Context(), "packs/a")
	found := versions(t, o)
	if !time.Now().Before(soon) {
		return false
	}
	if err != nil || !lock.Until.Equal(soon) {
		t.Errorf("lock %+v, want until %v; %v", lock, soon, err)
	}
	if found != 2 {
		t.Errorf("%d versions and markers, want 2", found)
	}
	err = b.Remove(t.Context(), "packs/a")
	for deadline := time.Now().Add(time.Minute); errors.Is(err, blob.ErrLocked) && time.Now().Before(deadline); {
		err = b.Remove(t.Context(), "packs/a")
	}
	if err != nil {
		t.Fatal(err)
	}
	wantVersions(t, o, 0)
	return true
}
