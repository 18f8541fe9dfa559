package blobtest

import (
	"errors"
	"io"
	"math"
	"testing"

	"mailbrick/archive/blob"
)

func testRanges(t *testing.T, b blob.Bucket) {
	put(t, b, "object", "0123456789")
	put(t, b, "empty")
	tests := []struct {
		name, object string
		off, n       int64
		want         string
	}{
		{"all", "object", 0, 10, "0123456789"},
		{"to the end", "object", 0, -1, "0123456789"},
		{"any negative length", "object", 3, math.MinInt64, "3456789"},
		{"in the middle", "object", 3, 4, "3456"},
		{"first byte", "object", 0, 1, "0"},
		{"last byte", "object", 9, 1, "9"},
		{"rest", "object", 7, -1, "789"},
		{"nothing", "object", 5, 0, ""},
		{"nothing at the end", "object", 10, 0, ""},
		{"rest at the end", "object", 10, -1, ""},
		{"all of nothing", "empty", 0, -1, ""},
		{"none of nothing", "empty", 0, 0, ""},
	}
	for _, tt := range tests {
		got, err := get(t, b, tt.object, tt.off, tt.n)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, want %q; %v", tt.name, got, tt.want, err)
		}
	}
}

func testPastTheEnd(t *testing.T, b blob.Bucket) {
	put(t, b, "object", "0123456789")
	put(t, b, "empty")
	tests := []struct {
		name, object string
		off, n       int64
		want         string
	}{
		{"one too many", "object", 0, 11, "0123456789"},
		{"last and one", "object", 9, 2, "9"},
		{"one after the end", "object", 10, 1, ""},
		{"far after the end", "object", 1 << 40, 1, ""},
		{"rest after the end", "object", 11, -1, ""},
		{"one of nothing", "empty", 0, 1, ""},
		{"no end of numbers", "object", 5, math.MaxInt64, "56789"},
		{"no end of offsets", "object", math.MaxInt64, math.MaxInt64, ""},
	}
	for _, tt := range tests {
		got, err := get(t, b, tt.object, tt.off, tt.n)
		if !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != tt.want {
			t.Errorf("%s: got %q, want %q and io.ErrUnexpectedEOF; %v", tt.name, got, tt.want, err)
		}
	}
}

func testNegativeOffset(t *testing.T, b blob.Bucket) {
	put(t, b, "object", "0123456789")
	for _, off := range []int64{-1, math.MinInt64} {
		if _, err := b.Open(t.Context(), "object", off, 1); !errors.Is(err, blob.ErrRange) {
			t.Errorf("offset %d: want ErrRange, got %v", off, err)
		}
	}
}
