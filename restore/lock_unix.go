//go:build linux || darwin

package restore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock keeps others out of a folder until it is closed. File systems that know no locks let everybody in.
func lock(folder *os.File) error {
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return errBusy
	}
	return nil
}
