package restore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncsAll: all files are made durable at once, before the manifest names them. One by one that costs more than writing them.
const syncsAll = true

func syncAll(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
