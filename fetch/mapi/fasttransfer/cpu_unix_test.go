//go:build !windows

package fasttransfer_test

import (
	"syscall"
	"time"
)

// cpu is what the process has used of it.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
