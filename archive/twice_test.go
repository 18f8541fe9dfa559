package archive

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
)

// refusing is a bucket that refuses to open some objects, and remembers what was asked.
type refusing struct {
	blobtest.Memory
	refuse error
	asked  []string
}

func (b *refusing) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b.asked = append(b.asked, name)
	if b.refuse != nil && (errors.Is(b.refuse, blob.ErrUnavailable) || !strings.HasSuffix(name, copySuffix)) {
		return nil, b.refuse
	}
	return b.Memory.Open(ctx, name, off, n)
}

// TestFetchTwice: the copy is read where the object is damaged, unreadable or missing, and not waited for where nothing is in
// reach.
func TestFetchTwice(t *testing.T) {
	t.Parallel()
	unreadable := errors.New("bad sector")
	tests := []struct {
		name  string
		first string // "" is missing
		fails error
		asked int
		want  error
	}{
		{"whole", "good", nil, 1, nil},
		{"damaged", "bad", nil, 2, nil},
		{"missing", "", nil, 2, nil},
		{"unreadable", "good", unreadable, 2, nil},
		{"out of reach", "good", blob.ErrUnavailable, 1, blob.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &refusing{refuse: tt.fails}
			for name, data := range map[string]string{"config": tt.first, "config.copy": "good"} {
				if data != "" {
					wantErr(t, "put", blob.Put(t.Context(), b, name, []byte(data)), nil)
				}
			}
			got, err := fetchTwice(t.Context(), b, "config", 100, func(data []byte) (string, error) {
				if string(data) != "good" {
					return "", ErrDamaged
				}
				return string(data), nil
			})
			if !errors.Is(err, tt.want) || tt.want == nil && got != "good" {
				t.Errorf("%q, %v; want %v", got, err, tt.want)
			}
			if len(b.asked) != tt.asked {
				t.Errorf("asked for %q, want %d", b.asked, tt.asked)
			}
		})
	}
}
