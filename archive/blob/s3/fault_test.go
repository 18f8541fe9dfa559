package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/s3"
)

// TestCreateInTrouble: what is committed is there, and is told from what another
// has made, whatever gets lost on the way.
func TestCreateInTrouble(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, content string
		trouble       order
		taken         bool // by another, before
		want          error
	}{
		{name: "answer lost", content: "x", trouble: order{is("put"), 0, 1, loseAnswer}},
		{name: "answers lost", content: "x", trouble: order{is("put"), 0, 3, loseAnswer}},
		{name: "request lost", content: "x", trouble: order{is("put"), 0, 2, cut}},
		{name: "taken and answer lost", content: "x", trouble: order{is("put"), 0, 1, loseAnswer}, taken: true, want: blob.ErrExist},
		{name: "taken and look lost", content: "x", trouble: order{is("head"), 0, 2, cut}, taken: true, want: blob.ErrExist},
		{name: "burst", content: "x", trouble: order{is("put"), 0, 5, answer(503, "SlowDown")}},
		{name: "burst at the probe", content: "x", trouble: order{is("probe"), 0, 2, answer(500, "InternalError")}},
		{name: "too many requests", content: "x", trouble: order{is("put"), 0, 2, answer(429, "")}},
		{name: "conflict", content: "x", trouble: order{is("put"), 0, 2, answer(409, "ConditionalRequestConflict")}},
		{name: "denied", content: "x", trouble: order{is("put"), 0, 1, answer(403, "AccessDenied")}, want: s3.ErrDenied},
		{name: "full", content: "x", trouble: order{is("put"), 0, 1, answer(507, "XMinioStorageFull")}, want: blob.ErrFull},
		{name: "broken for good", content: "x", trouble: order{is("put"), 0, 1000, answer(500, "InternalError")}, want: s3.ErrUnavailable},
		{name: "unreachable", content: "x", trouble: order{anything, 0, 1000, cut}, want: s3.ErrUnavailable},

		{name: "parts, begin lost", content: manyParts, trouble: order{is("begin"), 0, 1, loseAnswer}},
		{name: "parts, part lost", content: manyParts, trouble: order{is("part"), 1, 2, cut}},
		{name: "parts, answer to part lost", content: manyParts, trouble: order{is("part"), 1, 2, loseAnswer}},
		{name: "parts, burst", content: manyParts, trouble: order{is("part"), 2, 3, answer(503, "SlowDown")}},
		{name: "parts, answer lost", content: manyParts, trouble: order{is("complete"), 0, 1, loseAnswer}},
		{name: "parts, failure with status 200", content: manyParts, trouble: order{is("complete"), 0, 2, answer(200, "InternalError")}},
		{name: "parts, answer cut", content: manyParts, trouble: order{is("complete"), 0, 1, cutAfter(20)}},
		{name: "parts, taken and answer lost", content: manyParts, trouble: order{is("complete"), 0, 1, loseAnswer}, taken: true, want: blob.ErrExist},
		{name: "parts, denied", content: manyParts, trouble: order{is("part"), 1, 1, answer(403, "AccessDenied")}, want: s3.ErrDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, realServer(t), tt.trouble)
			var o s3.Options
			b := behind(t, p, plainBucket, func(opts *s3.Options) { opts.Patience = 30 * time.Second; o = *opts })
			if tt.taken {
				o.Endpoint = realServer(t)
				put(t, open(t, o), "folder/object", "another's")
			}
			err := commit(t, b, "folder/object", tt.content)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			o.Endpoint = realServer(t)
			direct := open(t, o)
			switch {
			case tt.taken:
				wantContent(t, direct, "folder/object", "another's")
			case tt.want == nil:
				wantContent(t, direct, "folder/object", tt.content)
			default:
				if found := names(t, direct, ""); len(found) > 0 {
					t.Errorf("there are %q", found)
				}
			}
			wantNoUploads(t, o.Prefix, p.count("begin"))
		})
	}
}

// TestUploadIsGone: servers that forget an upload once it is complete, or before.
func TestUploadIsGone(t *testing.T) {
	t.Parallel()
	forgotten := order{is("complete"), 0, 1, answer(404, "NoSuchUpload")}
	tests := []struct {
		name   string
		orders []order
		taken  bool
		want   string // what is there then
	}{
		{"complete", []order{{is("complete"), 0, 1, loseAnswer}, forgotten}, false, manyParts},
		{"another's is there", []order{forgotten}, true, "another's"},
		{"nothing is there", []order{forgotten}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := behind(t, newProxy(t, realServer(t), tt.orders...), plainBucket)
			if tt.taken {
				put(t, b, "object", "another's")
			}
			err := commit(t, b, "object", manyParts)
			if (err == nil) != (tt.want == manyParts) || errors.Is(err, blob.ErrExist) != tt.taken || errors.Is(err, blob.ErrNotExist) {
				t.Errorf("got %v", err)
			}
			if tt.want != "" {
				wantContent(t, b, "object", tt.want)
			} else if _, err := b.Size(t.Context(), "object"); !errors.Is(err, blob.ErrNotExist) {
				t.Errorf("size: %v", err)
			}
		})
	}
}

// wantNoUploads looks for uploads that nobody ends. One whose first answer was
// lost has a name that nobody knows.
func wantNoUploads(t *testing.T, prefix string, begun int) {
	t.Helper()
	unknown := 0
	for upload := range adminOf(t).ListIncompleteUploads(t.Context(), plainBucket, prefix, true) {
		if upload.Err != nil {
			t.Fatal(upload.Err)
		}
		unknown++
	}
	if most := max(0, begun-1); unknown > most {
		t.Errorf("%d uploads are left of %d", unknown, begun)
	}
}

func TestReadInTrouble(t *testing.T) {
	t.Parallel()
	content := manyParts[:3<<20]
	tests := []struct {
		name    string
		off, n  int64
		trouble order
		want    error
	}{
		{"cut early", 0, -1, order{is("get"), 0, 1, cutAfter(0)}, nil},
		{"cut late", 0, -1, order{is("get"), 0, 1, cutAfter(3<<20 - 1)}, nil},
		{"cut often", 5, -1, order{is("get"), 0, 6, cutAfter(100_001)}, nil},
		{"cut in a range", 1000, 1 << 20, order{is("get"), 0, 3, cutAfter(777)}, nil},
		{"cut in a range past the end", 1000, 1 << 40, order{is("get"), 0, 3, cutAfter(777)}, io.ErrUnexpectedEOF},
		{"burst", 0, -1, order{is("get"), 0, 4, answer(503, "SlowDown")}, nil},
		{"burst after a cut", 0, -1, order{is("get"), 1, 3, answer(500, "InternalError")}, nil},
		{"always cut at once", 0, -1, order{is("get"), 0, 1000, cutAfter(0)}, s3.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			orders := []order{tt.trouble}
			if strings.Contains(tt.name, "after a cut") {
				orders = []order{{is("get"), 0, 1, cutAfter(1000)}, {is("get"), 0, 3, tt.trouble.do}}
			}
			p := newProxy(t, realServer(t), orders...)
			b := behind(t, p, plainBucket, func(o *s3.Options) { o.Patience = 20 * time.Second })
			put(t, b, "object", content)
			got, err := read(t, b, "object", tt.off, tt.n)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want != io.ErrUnexpectedEOF && errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("a cut looks like the end of the object: %v", err)
			}
			want := content[tt.off:]
			if tt.n >= 0 {
				want = want[:min(int64(len(want)), tt.n)]
			}
			if tt.want != s3.ErrUnavailable && got != want {
				t.Errorf("got %d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// TestReadOfAnother: a reader whose object is replaced by another after a cut
// does not mix them.
func TestReadOfAnother(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t), order{is("get"), 0, 1, cutAfter(1000)})
	b := behind(t, p, plainBucket)
	put(t, b, "object", strings.Repeat("a", 1<<20))
	r, err := b.Open(t.Context(), "object", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := b.Remove(t.Context(), "object"); err != nil {
		t.Fatal(err)
	}
	put(t, b, "object", strings.Repeat("b", 1<<20))
	got, err := io.ReadAll(r)
	if err == nil || strings.Contains(string(got), "b") {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestOtherCallsInTrouble(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t),
		order{is("list"), 0, 1, answer(503, "SlowDown")},
		order{is("list"), 0, 1, cutAfter(200)},
		order{is("head"), 0, 2, cut},
		order{is("delete"), 0, 1, loseAnswer},
	)
	b := behind(t, p, plainBucket)
	put(t, b, "object", "x")
	if found := names(t, b, ""); len(found) != 1 {
		t.Errorf("listed %q", found)
	}
	if size, err := b.Size(t.Context(), "object"); err != nil || size != 1 {
		t.Errorf("size %d, %v", size, err)
	}
	if err := b.Remove(t.Context(), "object"); err != nil {
		t.Error(err)
	}
	if found := names(t, b, ""); len(found) != 0 {
		t.Errorf("listed %q", found)
	}
}

// TestForeignAnswers: servers that are none.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	list := func(body func(w io.Writer)) trouble {
		return func(_ *proxy, w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = io.WriteString(w, "<ListBucketResult>")
			body(w)
			_, _ = io.WriteString(w, "</ListBucketResult>")
		}
	}
	entry := func(w io.Writer, key, size string) {
		_, _ = io.WriteString(w, "<Contents><Key>"+key+"</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>"+size+"</Size></Contents>")
	}
	tests := []struct {
		name string
		list func(prefix string) func(w io.Writer)
	}{
		{"endless", func(string) func(io.Writer) {
			return func(w io.Writer) { _, _ = io.WriteString(w, strings.Repeat(" ", 20<<20)) }
		}},
		{"not in order", func(p string) func(io.Writer) {
			return func(w io.Writer) { entry(w, p+"/b", "1"); entry(w, p+"/a", "1") }
		}},
		{"of another prefix", func(string) func(io.Writer) {
			return func(w io.Writer) { entry(w, "elsewhere", "1") }
		}},
		{"less than nothing", func(p string) func(io.Writer) {
			return func(w io.Writer) { entry(w, p+"/a", "-1") }
		}},
		{"no list", func(string) func(io.Writer) {
			return func(w io.Writer) { _, _ = io.WriteString(w, "<html>") }
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, "http://127.0.0.1:1", order{is("list"), 0, 1000, func(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) {
				list(tt.list(strings.TrimSuffix(r.URL.Query().Get("prefix"), "/")))(p, w, r, body)
			}})
			b := behind(t, p, plainBucket, func(o *s3.Options) { o.Patience = time.Second })
			var got error
			for _, err := range b.List(t.Context(), "") {
				got = err
			}
			if got == nil || tt.name == "endless" && p.count("list") != 1 {
				t.Errorf("%d lists, %v", p.count("list"), got)
			}
		})
	}
	p := newProxy(t, "http://127.0.0.1:1", order{is("get"), 0, 1000, func(_ *proxy, w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		_, _ = io.WriteString(w, "all of it, whatever was asked for")
	}})
	if got, err := read(t, behind(t, p, plainBucket), "object", 4, 2); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("range was ignored: %q, %v", got, err)
	}
}

// TestContact: a server that never was well is given up sooner than one that was.
func TestContact(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t), order{is("get"), 1, 1000, answer(503, "SlowDown")})
	b := behind(t, p, plainBucket, func(o *s3.Options) { o.Patience, o.Contact = 10*time.Second, time.Millisecond })
	tries := 0
	for range 2 {
		before := p.count("get")
		if _, err := read(t, b, "object", 0, -1); err == nil {
			t.Fatal("there is nothing")
		}
		tries = p.count("get") - before
	}
	if tries < 5 {
		t.Errorf("%d tries after a call that was well", tries)
	}
	p = newProxy(t, "http://127.0.0.1:1", order{anything, 0, 1000, answer(503, "SlowDown")})
	b = behind(t, p, plainBucket, func(o *s3.Options) { o.Contact = time.Millisecond })
	if _, err := read(t, b, "object", 0, -1); !errors.Is(err, s3.ErrUnavailable) || p.count("get") != 1 {
		t.Errorf("%d tries before: %v", p.count("get"), err)
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t), order{is("put"), 0, 1, hang}, order{is("get"), 0, 1, hang})
	b := behind(t, p, plainBucket, func(o *s3.Options) { o.Stall = 300 * time.Millisecond })
	put(t, b, "object", "x")
	wantContent(t, b, "object", "x")
	if p.count("put") < 2 || p.count("get") < 2 {
		t.Error("nobody hung")
	}
}

// TestIgnoredCondition: a server that makes objects over others is found out
// before it makes one.
func TestIgnoredCondition(t *testing.T) {
	t.Parallel()
	deaf := func(_ *proxy, w http.ResponseWriter, _ *http.Request, _ []byte) { w.Header().Set("ETag", `"x"`) }
	deafInParts := func(p *proxy, w http.ResponseWriter, r *http.Request, body []byte) {
		if r.URL.Query().Has("uploadId") && r.Method == http.MethodPost {
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><Bucket>b</Bucket></CompleteMultipartUploadResult>")
			return
		}
		p.pass(w, r, body, -1)
	}
	tests := []struct {
		name, content string
		trouble       trouble
	}{
		{"in one piece", "x", deaf},
		{"refused", "x", answer(501, "NotImplemented")},
		{"in parts", manyParts, deafInParts},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, realServer(t), order{
				func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/.probe") }, 0, 1000, tt.trouble,
			})
			b := behind(t, p, plainBucket)
			if err := commit(t, b, "object", tt.content); !errors.Is(err, s3.ErrCondition) {
				t.Errorf("got %v", err)
			}
			if found := names(t, b, ""); len(found) != 0 || p.count("put")+p.count("complete") != 0 {
				t.Errorf("made %q", found)
			}
		})
	}
}

// TestProbeOnce: the probe costs two requests in a new archive, one in a new
// process, none later.
func TestProbeOnce(t *testing.T) {
	t.Parallel()
	p := newProxy(t, realServer(t))
	var o s3.Options
	b := behind(t, p, plainBucket, func(opts *s3.Options) { o = *opts })
	put(t, b, "a", "x")
	put(t, b, "b", "x")
	if n := p.count("probe"); n != 2 {
		t.Errorf("%d probes", n)
	}
	put(t, open(t, o), "c", "x")
	if n := p.count("probe"); n != 3 {
		t.Errorf("%d probes with the next process", n)
	}
	if n := p.count("put"); n != 3 {
		t.Errorf("%d requests for three objects", n)
	}
}

func TestNoBucket(t *testing.T) {
	t.Parallel()
	b := open(t, options(realServer(t), "nowhere"))
	_, errSize := b.Size(t.Context(), "object")
	_, errOpen := b.Open(t.Context(), "object", 0, -1)
	var errList error
	for _, err := range b.List(t.Context(), "") {
		errList = err
	}
	for op, err := range map[string]error{
		"size": errSize, "open": errOpen, "list": errList, "remove": b.Remove(t.Context(), "object"), "commit": commit(t, b, "object", "x"),
	} {
		if !errors.Is(err, s3.ErrNoBucket) || errors.Is(err, blob.ErrNotExist) {
			t.Errorf("%s: %v", op, err)
		}
	}
	o := options(realServer(t), "nowhere")
	o.Region = ""
	if _, err := s3.Open(t.Context(), o); !errors.Is(err, s3.ErrNoBucket) {
		t.Errorf("open without region: %v", err)
	}
}

func TestRegionIsAsked(t *testing.T) {
	t.Parallel()
	o := options(realServer(t), plainBucket)
	o.Region = ""
	b := open(t, o)
	put(t, b, "object", "x")
	wantContent(t, b, "object", "x")
}

// TestErrorsHideSecrets: even when a server gives them back.
func TestErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "http://127.0.0.1:1", order{anything, 0, 1000, func(_ *proxy, w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>No</Code><Message>your key is "+testSecret+"</Message></Error>")
	}})
	b := behind(t, p, plainBucket)
	_, err := read(t, b, "object", 0, -1)
	if !errors.Is(err, s3.ErrDenied) || strings.Contains(err.Error(), testSecret) {
		t.Errorf("got %v", err)
	}
}

// TestHidden: what lies in the folder and is none of ours.
func TestHidden(t *testing.T) {
	t.Parallel()
	o := options(realServer(t), plainBucket)
	b := open(t, o)
	put(t, b, "packs/a", "x")
	for _, key := range []string{"/.hidden", "/Upper", "-beside/packs/b", "/packs/.x/y"} {
		_, err := adminOf(t).PutObject(t.Context(), plainBucket, o.Prefix+key, strings.NewReader("x"), 1, minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found := names(t, b, ""); len(found) != 1 || found[0] != "packs/a" {
		t.Errorf("listed %q", found)
	}
}

// TestPrefixes: archives side by side do not see one another.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	one, two := options(realServer(t), plainBucket), options(realServer(t), plainBucket)
	two.Prefix = one.Prefix + "2/deep/er"
	a, b := open(t, one), open(t, two)
	put(t, a, "packs/a", "of one")
	put(t, b, "packs/a", "of two")
	put(t, b, "packs/b", "of two")
	wantContent(t, a, "packs/a", "of one")
	if found := names(t, a, ""); len(found) != 1 {
		t.Errorf("one has %q", found)
	}
	if found := names(t, b, "packs/"); len(found) != 2 {
		t.Errorf("two has %q", found)
	}
	if err := a.Remove(t.Context(), "packs/b"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("remove: %v", err)
	}
	long := strings.Repeat("n/", (1024-len(one.Prefix))/2)
	if _, err := a.Create(t.Context(), long+"n"); !errors.Is(err, blob.ErrName) {
		t.Errorf("long name: %v", err)
	}
}
