//go:build !windows

package dir_test

import (
	"errors"
	"syscall"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/dir/dirtest"
)

const noLinksError = syscall.EPERM

func TestQuotaIsFull(t *testing.T) {
	t.Parallel()
	fs := dirtest.New()
	fs.Fail(func(op, _ string) error {
		if op == "write" {
			return syscall.EDQUOT
		}
		return nil
	})
	if err := tryObject(t, dir.OpenFS(fs), "object"); !errors.Is(err, blob.ErrFull) {
		t.Errorf("got %v", err)
	}
}
