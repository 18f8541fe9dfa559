package dir

import (
	"errors"
	"syscall"
)

// Numbers of winerror.h that syscall does not name.
const (
	errorInvalidFunction  = syscall.Errno(1)
	errorHandleDiskFull   = syscall.Errno(39)
	errorNotSupported     = syscall.Errno(50)
	errorDiskFull         = syscall.Errno(112)
	errorDiskQuotaReached = syscall.Errno(1295)
)

// syncDir does nothing: Windows has no call that syncs a folder.
func syncDir(string) error { return nil }

func isFull(err error) bool {
	return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleDiskFull) ||
		errors.Is(err, errorDiskQuotaReached) || errors.Is(err, syscall.ENOSPC)
}

func isNoLinks(err error) bool {
	return errors.Is(err, errorInvalidFunction) || errors.Is(err, errorNotSupported)
}
