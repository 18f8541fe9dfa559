package restore

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncsAll: all files are made durable at once, before the manifest names them. One by one that costs more than writing them.
const syncsAll = true

// syncAll makes all of a folder's file system durable. What went wrong since the folder was opened is told.
func syncAll(folder *os.File) error { return unix.Syncfs(int(folder.Fd())) }
