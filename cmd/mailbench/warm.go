package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const mostTouched = 8 << 30

// even makes the ground even for those who are compared, whoever comes first: the files lie in memory, and so does what the
// machine has of it. In a virtual machine the first touch of a page is the host's work, and counts as that of the program that
// happens to do it: writing a file cost 45 us there, or 140.
func even(ctx context.Context, corpus string) error {
	if n := min(available()/2, mostTouched); n > 0 {
		if err := touchElsewhere(ctx, n); err != nil {
			return fmt.Errorf("touch memory: %w", err)
		}
	}
	return filepath.WalkDir(corpus, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		return errors.Join(err, f.Close())
	})
}

// touchElsewhere touches memory in a process of its own: what this one had would count as its children's peak.
func touchElsewhere(ctx context.Context, n int64) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, self, "-touch", strconv.FormatInt(n, 10))
	c.Stderr = os.Stderr
	return c.Run()
}

// touch has n bytes of memory for once.
func touch(n int64) {
	held := make([][]byte, 0, n>>20)
	for ; n >= 1<<20; n -= 1 << 20 {
		piece := make([]byte, 1<<20)
		for i := 0; i < len(piece); i += 4 << 10 {
			piece[i] = 1
		}
		held = append(held, piece)
	}
	runtime.KeepAlive(held)
}

// available is what the system has left of memory; 0 where it does not say.
func available() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "MemAvailable:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64) // of the kernel's own making
			return kib << 10
		}
	}
	return 0
}
