//go:build linux || darwin

package opendir

import (
	"os"

	"golang.org/x/sys/unix"
)

const hasOpenat = true

func openat(dir *os.File, name string, flags int) (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, fileMode)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "openat", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func renameat(dir *os.File, from, to string) error {
	err := again(func() error { return unix.Renameat(int(dir.Fd()), from, int(dir.Fd()), to) })
	if err != nil {
		return &os.LinkError{Op: "renameat", Old: from, New: to, Err: err}
	}
	return nil
}

// again makes a call until no signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
