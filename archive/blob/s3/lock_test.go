package s3_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/s3"
)

func TestLock(t *testing.T) {
	t.Parallel()
	b := open(t, options(realServer(t), lockedBucket))
	var locker blob.Locker = b
	put(t, b, "packs/a", "x")
	if lock, err := locker.Locked(t.Context(), "packs/a"); err != nil || lock != (blob.Lock{}) {
		t.Errorf("locked before: %+v, %v", lock, err)
	}
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	steps := []struct {
		name       string
		lock, want blob.Lock
	}{
		{"lock", blob.Lock{Until: soon}, blob.Lock{Until: soon}},
		{"the same", blob.Lock{Until: soon}, blob.Lock{Until: soon}},
		{"not shorter", blob.Lock{Until: soon.Add(-time.Minute)}, blob.Lock{Until: soon}},
		{"part of a second", blob.Lock{Until: soon.Add(time.Millisecond)}, blob.Lock{Until: soon.Add(time.Second)}},
		{"longer", blob.Lock{Until: soon.Add(time.Minute)}, blob.Lock{Until: soon.Add(time.Minute)}},
	}
	for _, step := range steps {
		if err := locker.Lock(t.Context(), "packs/a", step.lock); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got, err := locker.Locked(t.Context(), "packs/a")
		if err != nil || !got.Until.Equal(step.want.Until) || got.Mode != step.want.Mode || got.Hold {
			t.Errorf("%s: got %+v, want %+v; %v", step.name, got, step.want, err)
		}
		if err := b.Remove(t.Context(), "packs/a"); !errors.Is(err, blob.ErrLocked) || errors.Is(err, s3.ErrDenied) {
			t.Errorf("%s: remove: %v", step.name, err)
		}
		wantContent(t, b, "packs/a", "x")
	}
	put(t, b, "packs/c", "x")
	for _, lock := range []blob.Lock{{Until: soon, Mode: blob.Compliance}, {Until: soon.Add(time.Minute)}} {
		if err := locker.Lock(t.Context(), "packs/c", lock); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := locker.Locked(t.Context(), "packs/c"); err != nil || got.Mode != blob.Compliance || !got.Until.Equal(soon.Add(time.Minute)) {
		t.Errorf("longer, not weaker: got %+v; %v", got, err)
	}
	if err := locker.Lock(t.Context(), "packs/b", blob.Lock{Until: soon}); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("lock of nothing: %v", err)
	}
	if _, err := locker.Locked(t.Context(), "packs/b"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("lock of nothing: %v", err)
	}
}

func TestLegalHold(t *testing.T) {
	t.Parallel()
	o := options(realServer(t), lockedBucket)
	b := open(t, o)
	put(t, b, "packs/a", "x")
	for _, on := range []bool{true, false} {
		status := minio.LegalHoldDisabled
		if on {
			status = minio.LegalHoldEnabled
		}
		if err := adminOf(t).PutObjectLegalHold(t.Context(), lockedBucket, o.Prefix+"/packs/a", minio.PutObjectLegalHoldOptions{Status: &status}); err != nil {
			t.Fatal(err)
		}
		if lock, err := b.Locked(t.Context(), "packs/a"); err != nil || lock.Hold != on {
			t.Errorf("hold %v: %+v, %v", on, lock, err)
		}
		if err := b.Remove(t.Context(), "packs/a"); errors.Is(err, blob.ErrLocked) != on {
			t.Errorf("hold %v: remove: %v", on, err)
		}
	}
}

func TestLockWithoutObjectLock(t *testing.T) {
	t.Parallel()
	b := open(t, options(realServer(t), plainBucket))
	put(t, b, "packs/a", "x")
	if err := b.Lock(t.Context(), "packs/a", blob.Lock{Until: time.Now().Add(time.Hour)}); err == nil {
		t.Error("locked in a bucket that cannot")
	}
	if err := b.Remove(t.Context(), "packs/a"); err != nil {
		t.Error(err)
	}
}

// TestDeniedIsNotLocked: who lacks the right to remove is told so.
func TestDeniedIsNotLocked(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t), order{is("delete"), 0, 1, answer(http.StatusForbidden, "AccessDenied")})
	b := behind(t, p, lockedBucket)
	put(t, b, "packs/a", "x")
	if err := b.Remove(t.Context(), "packs/a"); !errors.Is(err, s3.ErrDenied) || errors.Is(err, blob.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// TestRemoveLeavesNothing: no version and no marker of what was removed, so that
// its bytes are free and its name is, too.
func TestRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	o := options(realServer(t), lockedBucket)
	b := open(t, o)
	for range 3 {
		put(t, b, "packs/a", "x")
		if err := b.Remove(t.Context(), "packs/a"); err != nil {
			t.Fatal(err)
		}
	}
	wantVersions(t, o, 0)
	put(t, b, "packs/a", "x")
	wantVersions(t, o, 1)
}

func wantVersions(t *testing.T, o s3.Options, want int) {
	t.Helper()
	if found := versions(t, o); found != want {
		t.Errorf("%d versions and markers, want %d", found, want)
	}
}

// versions counts what there is of packs, with markers.
func versions(t *testing.T, o s3.Options) (found int) {
	t.Helper()
	for v := range adminOf(t).ListObjectsIter(t.Context(), o.Bucket, minio.ListObjectsOptions{Prefix: o.Prefix + "/packs/", Recursive: true, WithVersions: true}) {
		if v.Err != nil {
			t.Fatal(v.Err)
		}
		found++
	}
	return found
}

// TestMarkerOfAnother: what somebody has hidden with a marker is not there, and
// an object made over the marker does not bring it back when it goes. A server
// that takes the marker for an object is not asked for ever.
func TestMarkerOfAnother(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t))
	var o s3.Options
	b := behind(t, p, lockedBucket, func(opts *s3.Options) { o = *opts })
	put(t, b, "packs/a", "hidden")
	if err := adminOf(t).RemoveObject(t.Context(), lockedBucket, o.Prefix+"/packs/a", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	wantGone := func() {
		t.Helper()
		if _, err := b.Size(t.Context(), "packs/a"); !errors.Is(err, blob.ErrNotExist) {
			t.Errorf("size: %v", err)
		}
		if found := names(t, b, ""); len(found) > 0 {
			t.Errorf("listed %q", found)
		}
	}
	wantGone()
	err := commit(t, b, "packs/a", "again")
	if n := p.count("put"); n > 6 || errors.Is(err, blob.ErrExist) {
		t.Errorf("%d requests, %v", n, err)
	}
	if err != nil {
		t.Skip("this server takes the marker of a removal for an object")
	}
	wantContent(t, b, "packs/a", "again")
	if err := b.Remove(t.Context(), "packs/a"); err != nil {
		t.Fatal(err)
	}
	wantGone()
}
