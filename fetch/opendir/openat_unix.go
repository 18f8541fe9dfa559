//go:build linux || darwin

package opendir

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const hasOpenat = true

// NoWait is a flag for opening what may be a pipe: as a rule that waits until somebody writes into it.
const NoWait = syscall.O_NONBLOCK

// openDir opens a directory of a root: what is none is not opened, or a pipe would have it wait.
func openDir(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

func openat(dir *os.File, name string, flags int) (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, fileMode)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "openat", Path: name, Err: err}
	}
	if flags&NoWait != 0 {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0) // that was for opening; the poller need not be asked
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

func unlinkat(dir *os.File, name string) error {
	err := again(func() error { return unix.Unlinkat(int(dir.Fd()), name, 0) })
	if err != nil {
		return &os.PathError{Op: "unlinkat", Path: name, Err: err}
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
