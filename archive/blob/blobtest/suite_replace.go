package blobtest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"mailbrick/archive/blob"
)

// replacer is the bucket where it has the ability; a test of it ends here where
// it has not.
func replacer(t *testing.T, b blob.Bucket) blob.Replacer {
	t.Helper()
	r, ok := b.(blob.Replacer)
	if !ok {
		t.Skip("the bucket is no blob.Replacer")
	}
	return r
}

// replace is a writer that has the bytes.
func replace(t *testing.T, r blob.Replacer, name, data string) blob.Writer {
	t.Helper()
	w, err := r.Replace(t.Context(), name)
	if err != nil {
		t.Fatalf("replace %s: %v", name, err)
	}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatalf("write %s: %v", name, err)
	}
	return w
}

func testReplace(t *testing.T, b blob.Bucket) {
	r := replacer(t, b)
	damaged, mended := strings.Repeat("d", 70_000), strings.Repeat("m", 70_001)
	put(t, b, "folder/object", damaged)
	put(t, b, "folder/other", "other")

	dropped := replace(t, r, "folder/object", mended)
	wantBytes(t, b, "folder/object", damaged)
	if err := dropped.Abort(); err != nil {
		t.Errorf("abort: %v", err)
	}
	wantBytes(t, b, "folder/object", damaged)

	w := replace(t, r, "folder/object", mended)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, blob.ErrDone) {
		t.Errorf("commit twice: %v", err)
	}
	wantBytes(t, b, "folder/object", mended)
	wantBytes(t, b, "folder/other", "other")
	wantNames(t, b, "", "folder/object", "folder/other")
}

func testReplaceGone(t *testing.T, b blob.Bucket) {
	r := replacer(t, b)
	if _, err := r.Replace(t.Context(), "folder/object"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("nothing there: want ErrNotExist, got %v", err)
	}
	if _, err := r.Replace(t.Context(), "../object"); !errors.Is(err, blob.ErrName) {
		t.Errorf("bad name: want ErrName, got %v", err)
	}
	put(t, b, "folder/object", "bytes")
	ctx, cancel := context.WithCancel(t.Context())
	late, err := r.Replace(ctx, "folder/object")
	if err != nil {
		t.Fatal(err)
	}
	w := replace(t, r, "folder/object", "mended")
	if err := b.Remove(t.Context(), "folder/object"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("removed meanwhile: want ErrNotExist, got %v", err)
	}
	cancel()
	if err := late.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("context over: want context.Canceled, got %v", err)
	}
	wantAbsent(t, b, "folder/object")
	wantNames(t, b, "")
}
