package s3

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"mailbrick/archive/blob"
)

// page is how many objects are asked for at a time, the most that servers give.
const page = 1000

// List implements blob.Bucket. A page is read when its turn comes.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := blob.CheckPrefix(prefix); err != nil {
			yield(blob.Info{}, err)
			return
		}
		for after, more := "", true; more; {
			objects, err := b.page(ctx, prefix, after)
			if err != nil {
				yield(blob.Info{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
			for _, o := range objects {
				name := strings.TrimPrefix(o.key, b.prefix)
				// Every other name is none of ours.
				if blob.CheckName(name) == nil && !yield(blob.Info{Name: name, Size: o.size}, nil) {
					return
				}
				after = o.key
			}
			more = len(objects) == page
		}
	}
}

// page lists what comes after a key, and holds the server to the order on which
// that relies.
func (b *Bucket) page(ctx context.Context, prefix, after string) (objects []object, err error) {
	err = b.try(ctx, func() error {
		objects, err = b.client.list(ctx, b.prefix+prefix, after, page)
		return err
	})
	for _, o := range objects {
		if o.key <= after || !strings.HasPrefix(o.key, b.prefix+prefix) || o.size < 0 {
			return nil, refused(http.StatusOK, "", "the list is not in order")
		}
		after = o.key
	}
	return objects, err
}
