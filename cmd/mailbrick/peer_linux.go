package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// peer is the user at the other end, who is ours or root. The socket's mode says the same; this does not rest on a file's mode.
func peer(conn net.Conn) (uid int, err error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("%T is no socket of this machine", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, fmt.Errorf("who is at the other end: %w", credErr)
	}
	if uid = int(cred.Uid); uid != os.Getuid() && uid != 0 {
		return 0, fmt.Errorf("user %d may not use this socket", uid)
	}
	return uid, nil
}
