package s3_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"mailbrick/archive/blob/s3"
)

func TestOpenChecks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(o *s3.Options)
		ok     bool
		is     error
	}{
		{"all is well", func(*s3.Options) {}, true, nil},
		{"amazon", func(o *s3.Options) { o.Endpoint = "" }, true, nil},
		{"no scheme", func(o *s3.Options) { o.Endpoint = "store.example:9000" }, true, nil},
		{"https", func(o *s3.Options) { o.Endpoint = "https://store.example/" }, true, nil},
		{"plain here", func(o *s3.Options) { o.Endpoint = "http://127.8.9.1:9000" }, true, nil},
		{"plain here, 6", func(o *s3.Options) { o.Endpoint = "http://[::1]:9000" }, true, nil},
		{"plain here by name", func(o *s3.Options) { o.Endpoint = "http://localhost:9000" }, true, nil},
		{"plain elsewhere", func(o *s3.Options) { o.Endpoint = "http://store.example" }, false, nil},
		{"plain elsewhere, a trick", func(o *s3.Options) { o.Endpoint = "http://localhost.example" }, false, nil},
		{"plain elsewhere, allowed", func(o *s3.Options) { o.Endpoint, o.PlainHTTP = "http://store.example", true }, true, nil},
		{"other scheme", func(o *s3.Options) { o.Endpoint = "ftp://store.example" }, false, nil},
		{"path", func(o *s3.Options) { o.Endpoint = "https://store.example/bucket" }, false, nil},
		{"password in endpoint", func(o *s3.Options) { o.Endpoint = "https://me:" + testSecret + "@store.example" }, false, nil},
		{"no endpoint at all", func(o *s3.Options) { o.Endpoint = "https://" }, false, nil},
		{"broken endpoint", func(o *s3.Options) { o.Endpoint = "https://[" + testSecret }, false, nil},
		{"no bucket", func(o *s3.Options) { o.Bucket = "" }, false, nil},
		{"bucket and prefix", func(o *s3.Options) { o.Bucket = "bucket/prefix" }, false, nil},
		{"no prefix", func(o *s3.Options) { o.Prefix = "" }, true, nil},
		{"deep prefix", func(o *s3.Options) { o.Prefix = "Mail of 2026/ä" }, true, nil},
		{"slash before", func(o *s3.Options) { o.Prefix = "/a" }, false, nil},
		{"slash after", func(o *s3.Options) { o.Prefix = "a/" }, false, nil},
		{"parent", func(o *s3.Options) { o.Prefix = "a/../b" }, false, nil},
		{"control character", func(o *s3.Options) { o.Prefix = "a\nb" }, false, nil},
		{"no key", func(o *s3.Options) { o.AccessKey = "" }, false, s3.ErrDenied},
		{"no secret", func(o *s3.Options) { o.SecretKey = "" }, false, s3.ErrDenied},
		{"small parts", func(o *s3.Options) { o.PartSize = s3.MinPartSize - 1 }, false, nil},
		{"large parts", func(o *s3.Options) { o.PartSize = s3.MaxPartSize + 1 }, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options("https://store.example", "bucket")
			o.HTTP = &http.Client{Transport: nobody{}}
			tt.change(&o)
			_, err := s3.Open(t.Context(), o)
			if (err == nil) != tt.ok || !errors.Is(err, tt.is) && tt.is != nil {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), testSecret) {
				t.Errorf("a secret in %q", err)
			}
		})
	}
}

// nobody fails whoever asks.
type nobody struct{}

func (nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s %s was sent", r.Method, r.URL)
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	o := options("https://store.example", "bucket")
	o.SessionToken = testSecret
	var out strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, format+"\n", o)
		fmt.Fprintf(&out, format+"\n", &o)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("opened", "secret", o.SecretKey)
	slog.New(slog.NewTextHandler(&out, nil)).Info("opened", "options", o)
	text, err := json.Marshal(o.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, shown := range []string{testSecret, fmt.Sprintf("%x", testSecret)} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("the secret is in %s", out.String())
		}
	}
}
