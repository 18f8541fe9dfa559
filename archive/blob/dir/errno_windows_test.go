package dir_test

import (
	"errors"
	"syscall"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

const noLinksError = syscall.Errno(1) // ERROR_INVALID_FUNCTION, what FAT says

func TestQuotaIsFull(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{39, 112, 1295} { // handle disk full, disk full, quota
		fs := dirtest.New()
		fs.Fail(func(op, _ string) error {
			if op == "write" {
				return errno
			}
			return nil
		})
		if err := tryObject(t, dir.OpenFS(fs), "object"); !errors.Is(err, blob.ErrFull) {
			t.Errorf("%d: got %v", errno, err)
		}
	}
}
