package dir_test

import (
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/blob/dir"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Bucket { return open(t, t.TempDir()+"/deep/archive") })
}

func open(t testing.TB, path string) *dir.Bucket {
	t.Helper()
	b, err := dir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
