package blob_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mailbrick/archive/blob"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, object string
		ok           bool
	}{
		{"plain", "config", true},
		{"folders", "packs/0f/0f3a.pack", true},
		{"all characters", "abcdefghijklmnopqrstuvwxyz0123456789._-x", true},
		{"longest segment", strings.Repeat("a", blob.MaxSegment), true},
		{"device as part", "console/auxiliary/com10/lpt", true},
		{"empty", "", false},
		{"root", "/", false},
		{"leading slash", "/a", false},
		{"trailing slash", "a/", false},
		{"empty segment", "a//b", false},
		{"parent", "a/../b", false},
		{"two dots inside", "a..b", false},
		{"here", "./a", false},
		{"hidden", "a/.tmp", false},
		{"dot at the end", "a./b", false},
		{"upper case", "Config", false},
		{"blank", "a b", false},
		{"backslash", `a\b`, false},
		{"zero byte", "a\x00", false},
		{"beyond ascii", "straße", false},
		{"device", "aux", false},
		{"device with extension", "packs/nul.pack", false},
		{"device with number", "com1", false},
		{"segment too long", strings.Repeat("a", blob.MaxSegment+1), false},
		{"name too long", strings.Repeat("a/", blob.MaxName/2) + "a", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := blob.CheckName(tt.object)
			if tt.ok != (err == nil) || err != nil && !errors.Is(err, blob.ErrName) {
				t.Errorf("%q: %v", tt.object, err)
			}
		})
	}
}

// FuzzCheckName: every beginning of a name is a prefix.
func FuzzCheckName(f *testing.F) {
	f.Add("packs/0f/0f3a.pack")
	f.Add("con/../.x")
	f.Fuzz(func(t *testing.T, name string) {
		if blob.CheckName(name) != nil {
			return
		}
		for i := range len(name) + 1 {
			if err := blob.CheckPrefix(name[:i]); err != nil {
				t.Errorf("prefix %q of %q: %v", name[:i], name, err)
			}
		}
		folder, last := blob.SplitName(name)
		if folder != "" && folder+"/"+last != name || folder == "" && last != name {
			t.Errorf("%q is split into %q and %q", name, folder, last)
		}
	})
}

func TestExactly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		n    int64
		want string
		err  error
	}{
		{"less", 3, "012", nil},
		{"all", 10, "0123456789", nil},
		{"more", 11, "0123456789", io.ErrUnexpectedEOF},
		{"none", 0, "", nil},
	}
	for _, tt := range tests {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"end with data": iotest.DataErrReader,
		} {
			t.Run(tt.name+", "+how, func(t *testing.T) {
				t.Parallel()
				r := blob.Exactly(io.NopCloser(wrap(bytes.NewReader([]byte("0123456789")))), tt.n)
				got, err := io.ReadAll(r)
				if string(got) != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
	}
}
