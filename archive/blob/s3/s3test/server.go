// Package s3test runs a real object store for tests: the program versitygw, on loopback, with objects in a folder of its own. It
// owns that process and its folder; it must never know what asks the store.
package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// What a server is asked with.
const (
	AccessKey = "tester"
	SecretKey = "not-for-the-eyes-of-others"
	Region    = "us-east-1"
)

// Variable names the program; where it is empty, versitygw is looked for in PATH.
const Variable = "MAILBRICK_VERSITYGW"

// ErrNoProgram says that there is nothing to run: tests are skipped by this name.
var ErrNoProgram = errors.New("no versitygw in PATH or " + Variable + ": object stores are not tested against a real server")

// Server is a running server.
type Server struct {
	URL string // without a path

	root   string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	exited chan struct{} // closed when the process has ended
}

// Start starts a server. It answers when Start returns.
func Start() (*Server, error) {
	program := os.Getenv(Variable)
	if program == "" {
		var err error
		if program, err = exec.LookPath("versitygw"); err != nil {
			return nil, ErrNoProgram
		}
	}
	s := &Server{exited: make(chan struct{})}
	if err := s.start(program); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%s: %w: %s", program, err, s.stderr.String())
	}
	return s, nil
}

func (s *Server) start(program string) (err error) {
	if s.root, err = os.MkdirTemp("", "s3-test-"); err != nil {
		return err
	}
	for _, folder := range []string{s.Objects(), filepath.Join(s.root, "versions")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	s.URL = "http://" + address
	// Not with its sidecar folder, in which a version that was removed leaves an etag behind: the name stays taken.
	cmd := exec.Command(program, "--port", address, "--access", AccessKey, "--secret", SecretKey, "--region", Region, "--quiet", "--keep-alive",
		"posix", "--versioning-dir", filepath.Join(s.root, "versions"), s.Objects())
	cmd.Stderr = &s.stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	go func() {
		_ = cmd.Wait()
		close(s.exited)
	}()
	return s.ready(address)
}

// freeAddress is on a loopback of its own where the system has many: nobody else takes the port before the server does.
func freeAddress() (string, error) {
	host := net.IPv4(127, 0, 0, 1)
	if runtime.GOOS == "linux" {
		host = net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(250)), byte(1+rand.IntN(250)))
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host.String(), "0"))
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// ready waits until the server takes a connection.
func (s *Server) ready(address string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-s.exited:
			return errors.New("the server ended at once")
		case <-late:
			return errors.New("the server takes no connection")
		}
	}
}

// Objects is the folder in which the objects lie as files, below those of their buckets: what is changed there was damaged.
func (s *Server) Objects() string { return filepath.Join(s.root, "objects") }

// Kill ends the process. Its objects stay until Stop.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Stop ends the process and removes all objects.
func (s *Server) Stop() {
	s.Kill()
	if s.root != "" {
		_ = os.RemoveAll(s.root)
	}
}

// MakeBucket makes a bucket; one with locks has versions and Object Lock.
func (s *Server) MakeBucket(name string, locks bool) error {
	admin, err := minio.New(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: Region, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		return err
	}
	if err := admin.MakeBucket(context.Background(), name, minio.MakeBucketOptions{Region: Region, ObjectLocking: locks}); err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}
