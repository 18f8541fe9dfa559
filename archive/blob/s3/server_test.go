package s3_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mailbrick/archive/blob/s3"
	"mailbrick/archive/blob/s3/s3test"
)

const (
	testKey    = s3test.AccessKey
	testSecret = s3test.SecretKey
	region     = s3test.Region

	plainBucket  = "plain"
	lockedBucket = "locked" // with versions and Object Lock
)

// gateway is a real server, started for the tests of this package. Where there is no program of it they are skipped.
type gateway struct {
	*s3test.Server
	err error
}

var theGateway = sync.OnceValue(func() gateway {
	s, err := s3test.Start()
	if err == nil {
		err = errors.Join(s.MakeBucket(plainBucket, false), s.MakeBucket(lockedBucket, true))
	}
	return gateway{s, err}
})

func TestMain(m *testing.M) {
	code := m.Run()
	if g := theGateway(); g.Server != nil {
		g.Stop()
	}
	os.Exit(code)
}

// realServer is the address of the real server.
func realServer(t testing.TB) string {
	t.Helper()
	g := theGateway()
	if errors.Is(g.err, s3test.ErrNoProgram) {
		t.Skip(g.err)
	}
	if g.err != nil {
		t.Fatal(g.err)
	}
	return g.URL
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
	admin, err := minio.New(strings.TrimPrefix(realServer(t), "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(testKey, testSecret, ""), Region: region, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	return admin
}
