package main

import (
	stdbytes "bytes"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestSocketOfLongPath: a socket's path may be longer than the system takes.
func TestSocketOfLongPath(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only where /proc is")
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := listenAt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dialSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestNotify: the service manager is told in a datagram.
func TestNotify(t *testing.T) { // not parallel: it sets the environment
	if runtime.GOOS == "windows" {
		t.Skip("no service manager of this kind")
	}
	if err := notify("READY=1"); os.Getenv("NOTIFY_SOCKET") == "" && err != nil {
		t.Error(err)
	}
	dir, err := os.MkdirTemp("", "n") // a short path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	if err := notify("STOPPING=1"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := l.Read(buf); err != nil || string(buf[:n]) != "STOPPING=1" {
		t.Errorf("%q %v", buf[:n], err)
	}
}

// TestAbsolute: paths mean the same to a process that runs elsewhere, and nothing else is touched.
func TestAbsolute(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	app := newApp(nil, nil, nil)
	got := absolute(app, flagsFirst(app, []string{"mailbrick", "export", "-o", "out", "--format=eml", "--archive", "s3://b/p", "--folder", "x", "id", "-"}))
	want := []string{"mailbrick", "export", "-o", filepath.Join(here, "out"), "--format=eml", "--archive", "s3://b/p", "--folder", "x", "--", "id", "-"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// framesOf reads from bytes.
func framesOf(data []byte) *frames {
	f := newFrames(nil)
	f.r.Reset(stdbytes.NewReader(data))
	return f
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("o\x00\x00\x00\x02hix\x00\x00\x00\x01\x00"))
	f.Add([]byte("i\xff\xff\xff\xff"))
	f.Add([]byte("a\x00\x10\x00\x00{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := framesOf(data)
		for total := 0; ; {
			_, payload, err := read.next()
			if err != nil {
				return
			}
			if total += 5 + len(payload); total > len(data) || len(payload) > maxArgs {
				t.Fatalf("%d bytes out of %d", total, len(data))
			}
		}
	})
}
