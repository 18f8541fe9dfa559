package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mailbrick/archive/blob/s3"
)

const (
	testKey    = "tester"
	testSecret = "not-for-the-eyes-of-others"
	region     = "us-east-1"

	plainBucket  = "plain"
	lockedBucket = "locked" // with versions and Object Lock
)

// gateway is a real server, started for the tests of this package. The variable
// names its program; where there is none the tests of it are skipped.
const gatewayVariable = "MAILBRICK_VERSITYGW"

type gateway struct {
	url    string // without path
	err    error
	skip   bool
	stop   func()
	stderr bytes.Buffer
}

var theGateway = sync.OnceValue(startGateway)

func TestMain(m *testing.M) {
	code := m.Run()
	if g := theGateway(); g.stop != nil {
		g.stop()
	}
	os.Exit(code)
}

// realServer is the address of the real server.
func realServer(t testing.TB) string {
	t.Helper()
	g := theGateway()
	if g.skip {
		t.Skip("no versitygw in PATH or " + gatewayVariable + ": the object store is not tested against a real server")
	}
	if g.err != nil {
		t.Fatal(g.err)
	}
	return g.url
}

func startGateway() *gateway {
	g := &gateway{}
	program := os.Getenv(gatewayVariable)
	if program == "" {
		var err error
		if program, err = exec.LookPath("versitygw"); err != nil {
			g.skip = true
			return g
		}
	}
	if g.err = g.start(program); g.err == nil {
		g.err = g.makeBuckets()
	}
	if g.err != nil {
		g.err = fmt.Errorf("%s: %w: %s", program, g.err, g.stderr.String())
	}
	return g
}

func (g *gateway) start(program string) error {
	root, err := os.MkdirTemp("", "s3-test-")
	if err != nil {
		return err
	}
	g.stop = func() { _ = os.RemoveAll(root) }
	for _, folder := range []string{"objects", "versions"} {
		if err := os.Mkdir(filepath.Join(root, folder), 0o700); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	g.url = "http://" + address
	// Not with its sidecar folder, in which a version that was removed leaves an
	// etag behind: the name stays taken.
	cmd := exec.Command(program, "--port", address, "--access", testKey, "--secret", testSecret, "--region", region, "--quiet", "--keep-alive",
		"posix", "--versioning-dir", filepath.Join(root, "versions"), filepath.Join(root, "objects"))
	cmd.Stderr = &g.stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	g.stop = func() {
		_ = cmd.Process.Kill()
		<-exited
		_ = os.RemoveAll(root)
	}
	return ready(address, exited)
}

// ready waits until the server takes a connection.
func ready(address string, exited <-chan struct{}) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-exited:
			return fmt.Errorf("the server ended at once")
		case <-late:
			return fmt.Errorf("the server takes no connection")
		}
	}
}

func (g *gateway) makeBuckets() error {
	admin, err := g.admin()
	if err != nil {
		return err
	}
	for name, locked := range map[string]bool{plainBucket: false, lockedBucket: true} {
		if err := admin.MakeBucket(context.Background(), name, minio.MakeBucketOptions{Region: region, ObjectLocking: locked}); err != nil {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	return nil
}

func (g *gateway) admin() (*minio.Client, error) {
	return minio.New(strings.TrimPrefix(g.url, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(testKey, testSecret, ""), Region: region, BucketLookup: minio.BucketLookupPath,
	})
}

func options(url, bucket string) s3.Options {
	return s3.Options{
		Endpoint: url, Region: region, Bucket: bucket, Prefix: "Archive of " + rand.Text(),
		AccessKey: testKey, SecretKey: testSecret, PartSize: s3.MinPartSize,
	}
}

func open(t testing.TB, o s3.Options) *s3.Bucket {
	t.Helper()
	b, err := s3.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func adminOf(t testing.TB) *minio.Client {
	t.Helper()
	realServer(t)
	admin, err := theGateway().admin()
	if err != nil {
		t.Fatal(err)
	}
	return admin
}
