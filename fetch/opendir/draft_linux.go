package opendir

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// unnamed makes a file in a directory that has no name there, and goes with the last who has it open.
func unnamed(dir *os.File) (*os.File, error) {
	return openat(dir, ".", os.O_RDWR|unix.O_TMPFILE)
}

// link gives such a file a name that nothing has. By its descriptor alone that is a privilege before Linux 6.10.
func link(f, dir *os.File, name string) error {
	err := again(func() error { return unix.Linkat(int(f.Fd()), "", int(dir.Fd()), name, unix.AT_EMPTY_PATH) })
	if errors.Is(err, unix.ENOENT) {
		err = linkByProc(f, dir, name)
	}
	return err
}

// linkByProc does it without a privilege, where there is a /proc.
func linkByProc(f, dir *os.File, name string) error {
	path := "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	return again(func() error { return unix.Linkat(unix.AT_FDCWD, path, int(dir.Fd()), name, unix.AT_SYMLINK_FOLLOW) })
}
