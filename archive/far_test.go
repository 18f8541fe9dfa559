package archive

import (
	"context"
	"io"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/seal"
)

// trip is what a request to a far bucket takes.
const trip = time.Second

// far is a bucket to which every request takes a trip, many at once as long as one.
type far struct{ *blobtest.Memory }

func (f far) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	time.Sleep(trip)
	return f.Memory.Open(ctx, name, off, n)
}

func (f far) Size(ctx context.Context, name string) (int64, error) {
	time.Sleep(trip)
	return f.Memory.Size(ctx, name)
}

func (f far) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		time.Sleep(trip)
		f.Memory.List(ctx, prefix)(yield)
	}
}

// trips is how long a function waits for the bucket, in trips. Time stands still for everything else.
func trips(t *testing.T, do func()) int {
	t.Helper()
	start := time.Now()
	do()
	return int(time.Since(start) / trip)
}

// addHolder lets somebody with another password open the archive.
func addHolder(t *testing.T, o Options) {
	t.Helper()
	k, err := OpenKeys(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	to, err := seal.PassphraseRecipient("another secret", o.WorkFactor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Add(t.Context(), to, "ann"); err != nil {
		t.Fatal(err)
	}
}

// TestOpenFromAfar: an archive whose catalog is current is opened in three round trips: config and the names of the keys, the
// keys, the journal's end.
func TestOpenFromAfar(t *testing.T) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"plain": false, "encrypted": true, "folded": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := new(blobtest.Memory)
				o := Options{Bucket: m}
				if encrypted {
					o.Passphrase, o.WorkFactor = "secret", 10
				}
				if err := Init(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				if encrypted {
					addHolder(t, o)
				}
				w := worldOf(m, far{m}, vfs.NewCrashableMem())
				w.opts.Far = true
				w.opts.Secrets = func(_ context.Context, o *Options) error {
					o.Passphrase = "secret"
					return nil
				}
				if name == "folded" {
					w.short(0)
				}
				w.open(t)
				runs := script(3, 12)
				for _, tg := range runs {
					if _, err := w.bringUpTo(t.Context(), tg); err != nil {
						t.Fatal(err)
					}
				}
				if name == "folded" && w.prune(t, PruneOptions{}).Folded == 0 {
					t.Error("nothing was folded")
				}
				w.close(t)
				if got := trips(t, func() { w.open(t) }); got != 3 {
					t.Errorf("%d round trips to open the archive, want 3", got)
				}
				w.close(t)
			})
		})
	}
}
