package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mailbrick/archive/blob"
)

// client makes single attempts, by keys. It is the only one that knows whose
// library speaks the protocol; all its errors are failures.
type client struct {
	core    minio.Core
	bucket  string
	clock   func() time.Time
	plain   bool     // plain http, where the signature must cover the bytes
	secrets []string // what no error shows, whatever a server answers
}

func newClient(o Options, u *url.URL) (*client, error) {
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	secure := u.Scheme == "https"
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKey, string(o.SecretKey), string(o.SessionToken)),
		Secure:       secure,
		Transport:    transport(o),
		Region:       o.Region,
		BucketLookup: lookup,
		MaxRetries:   1, // Bucket.try does it, with a clock that tests can have
	})
	if err != nil {
		return nil, err
	}
	return &client{core: *core, bucket: o.Bucket, clock: o.Clock, plain: !secure, secrets: []string{string(o.SecretKey), string(o.SessionToken)}}, nil
}

// object is what the server says of one, without its bytes.
type object struct {
	key     string
	size    int64
	etag    string
	version string // of a bucket with versions
	nonce   string
	instead string // the version in whose place it was put
	start   int64  // of the bytes that come, 0 where the answer does not say
	lock    blob.Lock
}

const (
	nonceMeta   = "mailbrick-nonce"
	nonceHead   = "X-Amz-Meta-Mailbrick-Nonce"
	insteadMeta = "mailbrick-instead"
	insteadHead = "X-Amz-Meta-Mailbrick-Instead"
)

func describe(info minio.ObjectInfo) object {
	o := object{key: info.Key, size: info.Size, etag: info.ETag, version: info.VersionID, nonce: info.Headers.Get(nonceHead), instead: info.Headers.Get(insteadHead)}
	o.start, _ = rangeStart(info.Headers.Get("Content-Range"))
	o.lock = lockOf(info.Headers)
	return o
}

func lockOf(h http.Header) (l blob.Lock) {
	until, err := time.Parse(time.RFC3339, h.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if err == nil {
		l.Until = until
	}
	if h.Get("X-Amz-Object-Lock-Mode") == string(minio.Compliance) {
		l.Mode = blob.Compliance
	}
	l.Hold = h.Get("X-Amz-Object-Lock-Legal-Hold") == "ON"
	return l
}

// failed makes a failure of an error of the library.
func (c *client) failed(err error) error {
	if err == nil {
		return nil
	}
	f := unanswered(err)
	if answer := minio.ToErrorResponse(err); answer.StatusCode != 0 || answer.Code != "" {
		f = refused(answer.StatusCode, answer.Code, answer.Message)
	}
	for _, secret := range c.secrets {
		if secret != "" && (strings.Contains(f.text, secret) || strings.Contains(f.code, secret)) {
			f.text, f.code = "", ""
		}
	}
	return f
}

// locate asks where the bucket is; the library remembers it.
func (c *client) locate(ctx context.Context) error {
	_, err := c.core.GetBucketLocation(ctx, c.bucket)
	return c.failed(err)
}

// exists tells whether there is such a bucket.
func (c *client) exists(ctx context.Context) (bool, error) {
	there, err := c.core.BucketExists(ctx, c.bucket)
	return there, c.failed(err)
}

func (c *client) head(ctx context.Context, key string) (object, error) {
	return c.headVersion(ctx, key, "")
}

// headVersion asks for a version of an object, the one that is there where it is empty.
func (c *client) headVersion(ctx context.Context, key, version string) (object, error) {
	info, err := c.core.StatObject(ctx, c.bucket, key, minio.StatObjectOptions{VersionID: version})
	if err == nil && info.Size < 0 {
		return object{}, refused(http.StatusOK, "", "the answer has no length")
	}
	return describe(info), c.failed(err)
}

// get reads a span, all where it is empty, of the object that has the etag, any
// where that is empty.
func (c *client) get(ctx context.Context, key, span, etag string) (io.ReadCloser, object, error) {
	var o minio.GetObjectOptions
	if span != "" {
		o.Set("Range", span)
	}
	if etag != "" {
		o.Set("If-Match", `"`+etag+`"`)
	}
	body, info, _, err := c.core.GetObject(ctx, c.bucket, key, o)
	if err != nil {
		return nil, object{}, c.failed(err)
	}
	return body, describe(info), nil
}

// making is how an object is made: where there is none, or in the place of another.
type making struct {
	nonce string
	over  *object // nil where there must be none
	blind bool    // the server does not know the condition for it
}

// condition is what must be so when the object becomes visible.
func (m making) condition() (o minio.PutObjectOptions) {
	switch {
	case m.over == nil:
		o.SetMatchETagExcept("*")
	case !m.blind:
		o.SetMatchETag(m.over.etag)
	}
	return o
}

// describe adds what goes with the object. One in the place of another is locked as that one was, from its beginning.
func (m making) describe(o *minio.PutObjectOptions, now time.Time) {
	o.UserMetadata = map[string]string{nonceMeta: m.nonce}
	if m.over == nil {
		return
	}
	if m.over.version != "" {
		o.UserMetadata[insteadMeta] = m.over.version
	}
	if l := m.over.lock; now.Before(l.Until) {
		o.Mode, o.RetainUntilDate = modeOf(l), l.Until
	}
	if m.over.lock.Hold {
		o.LegalHold = minio.LegalHoldEnabled
	}
}

func (c *client) put(ctx context.Context, key string, data []byte, m making) error {
	o := m.condition()
	m.describe(&o, c.clock())
	o.DisableContentSha256 = true // given below
	sums := c.sums(data)
	_, err := c.core.PutObject(ctx, c.bucket, key, bytes.NewReader(data), int64(len(data)), sums.Md5Base64, sums.Sha256Hex, o)
	return c.failed(err)
}

// sums protect bytes on their way. The MD5 is what every server checks and what
// Amazon wants where objects are locked from their creation; over plain http
// the signature covers the bytes, too.
func (c *client) sums(data []byte) minio.PutObjectPartOptions {
	sum := md5.Sum(data)
	o := minio.PutObjectPartOptions{Md5Base64: base64.StdEncoding.EncodeToString(sum[:]), DisableContentSha256: true}
	if c.plain {
		sum := sha256.Sum256(data)
		o.Sha256Hex = hex.EncodeToString(sum[:])
	}
	return o
}

// begin opens an upload in parts.
func (c *client) begin(ctx context.Context, key string, m making) (upload string, err error) {
	var o minio.PutObjectOptions
	m.describe(&o, c.clock())
	upload, err = c.core.NewMultipartUpload(ctx, c.bucket, key, o)
	if err == nil && upload == "" {
		return "", refused(http.StatusOK, "", "upload without a name")
	}
	return upload, c.failed(err)
}

// part sends the n-th part, from 1, and returns its etag.
func (c *client) part(ctx context.Context, key, upload string, n int, data []byte) (etag string, err error) {
	p, err := c.core.PutObjectPart(ctx, c.bucket, key, upload, n, bytes.NewReader(data), int64(len(data)), c.sums(data))
	return p.ETag, c.failed(err)
}

// complete makes the object of the parts.
func (c *client) complete(ctx context.Context, key, upload string, etags []string, m making) error {
	parts := make([]minio.CompletePart, len(etags))
	for i, etag := range etags {
		parts[i] = minio.CompletePart{PartNumber: i + 1, ETag: etag}
	}
	_, err := c.core.CompleteMultipartUpload(ctx, c.bucket, key, upload, parts, m.condition())
	return c.failed(err)
}

func (c *client) abort(ctx context.Context, key, upload string) error {
	return c.failed(c.core.AbortMultipartUpload(ctx, c.bucket, key, upload))
}

func (c *client) remove(ctx context.Context, key, version string) error {
	return c.failed(c.core.RemoveObject(ctx, c.bucket, key, minio.RemoveObjectOptions{VersionID: version}))
}

func modeOf(l blob.Lock) minio.RetentionMode {
	if l.Mode == blob.Compliance {
		return minio.Compliance
	}
	return minio.Governance
}

func (c *client) retain(ctx context.Context, key string, lock blob.Lock) error {
	mode := modeOf(lock)
	return c.failed(c.core.PutObjectRetention(ctx, c.bucket, key, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &lock.Until}))
}

// list gives the objects after a key, at most so many.
func (c *client) list(ctx context.Context, prefix, after string, most int) ([]object, error) {
	var found []object
	owner := false
	o := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: most, StartAfter: after, FetchOwner: &owner}
	for info := range c.core.ListObjectsIter(ctx, c.bucket, o) {
		if info.Err != nil {
			return nil, c.failed(info.Err)
		}
		if found = append(found, describe(info)); len(found) == most {
			break
		}
	}
	return found, ctx.Err() // the library ends a list quietly
}
