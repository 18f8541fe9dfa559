package s3_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"mailbrick/archive/blob"
)

// manyParts is content of three parts.
var manyParts = strings.Repeat("0123456789abcdef", 11<<20/16)

func commit(t testing.TB, b blob.Bucket, name, content string) error {
	t.Helper()
	w, err := b.Create(t.Context(), name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, content)
	if failed := w.Commit(); err == nil {
		err = failed
	}
	return err
}

func put(t testing.TB, b blob.Bucket, name, content string) {
	t.Helper()
	if err := commit(t, b, name, content); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, b blob.Bucket, name string, off, n int64) (string, error) {
	t.Helper()
	r, err := b.Open(t.Context(), name, off, n)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(r)
	return string(data), errors.Join(err, r.Close())
}

func wantContent(t testing.TB, b blob.Bucket, name, want string) {
	t.Helper()
	got, err := read(t, b, name, 0, -1)
	if err != nil || got != want {
		t.Errorf("%s: %d bytes, want %d; %v", name, len(got), len(want), err)
	}
}

func names(t testing.TB, b blob.Bucket, prefix string) (found []string) {
	t.Helper()
	for info, err := range b.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info.Name)
	}
	return found
}
