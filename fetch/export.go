package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive"
	"mailbrick/fetch/wire"
)

// fetch exports items in batches, some at once, and returns when all of them are in: the cursor may move behind them then.
func (r *run) fetch(ctx context.Context, folderID string, items []Ref) error {
	for i := range items {
		items[i].FolderID = folderID
	}
	g, ctx := errgroup.WithContext(ctx)
	for range r.o.Exports {
		g.Go(func() error {
			for {
				batch := r.batch(&items)
				if len(batch) == 0 {
					return nil
				}
				if err := r.settle(ctx, folderID, batch); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// batch takes off the items what goes into the next export.
func (r *run) batch(items *[]Ref) (batch []Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, bytes := 0, int64(0)
	for _, it := range *items {
		if bytes += it.Size; n > 0 && (bytes > r.o.BatchBytes || n == r.most) {
			break
		}
		n++
	}
	batch, *items = (*items)[:n], (*items)[n:]
	return batch
}

// settle exports a batch, and what of it did not come through by halves, down to single items, until all is in or known as
// failed.
func (r *run) settle(ctx context.Context, folderID string, batch []Ref) error {
	again, err := r.export(ctx, folderID, batch)
	if err != nil {
		return err
	}
	r.adapt(len(batch), len(again))
	if err := r.halves(ctx, folderID, again); err != nil {
		return err
	}
	return r.sink.Checkpoint(ctx)
}

// adapt makes batches smaller while the server does not manage whole ones, and larger again when it does.
func (r *run) adapt(asked, missing int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case missing == 0:
		r.most = min(r.most+max(1, r.most/4), r.o.BatchItems)
	case missing == asked:
		r.most = max(asked/2, 1)
	}
}

// halves asks again for items that did not come through: an answer that was too much may come in two, and one item that
// spoils an answer is found by few requests.
func (r *run) halves(ctx context.Context, folderID string, items []unsettled) error {
	if len(items) < 2 {
		return r.alone(ctx, folderID, items)
	}
	for _, half := range [][]unsettled{items[:len(items)/2], items[len(items)/2:]} {
		refs := make([]Ref, len(half))
		for i, it := range half {
			refs[i] = it.ref
		}
		if len(half) > 1 {
			var err error
			if half, err = r.export(ctx, folderID, refs); err != nil {
				return err
			}
		}
		if err := r.halves(ctx, folderID, half); err != nil {
			return err
		}
	}
	return nil
}

// aloneTries is how often an item that did not come through is asked for by itself before it is left to the next run.
const aloneTries = 3

// alone asks for items by themselves.
func (r *run) alone(ctx context.Context, folderID string, items []unsettled) error {
	for _, it := range items {
		for try := 1; ; try++ {
			left, err := r.export(ctx, folderID, []Ref{it.ref})
			if err != nil {
				return err
			}
			if len(left) == 0 {
				break
			}
			it = left[0]
			if try == aloneTries || errors.Is(it.cause, wire.ErrTooLong) { // it would be as long again
				if err := r.giveUp(folderID, it); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

func (r *run) giveUp(folderID string, it unsettled) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fail(folderID, it.ref, it.cause)
}

// unsettled is an item that may come through when asked for again.
type unsettled struct {
	ref   Ref
	cause error
}

// export reads one batch and puts what came through. It gives back what did not.
func (r *run) export(ctx context.Context, folderID string, items []Ref) (again []unsettled, err error) {
	reader := r.readers.Get().(*reader)
	defer r.readers.Put(reader)
	var came []*incoming
	var bytes atomic.Int64
	defer r.held(&bytes)()
	err = r.source.Export(ctx, items, func(n int, exported Ref, blob io.Reader, err error) error {
		if err == nil {
			var in *incoming
			if in, err = r.read(ctx, exported, blob, reader); err == nil {
				err = r.garbled(in)
			}
			if err == nil {
				came = append(came, in)
				bytes.Add(in.content.Size())
				r.heard()
				return nil
			}
		}
		left, err := r.sort(folderID, items[n], err)
		again = append(again, left...)
		return err
	})
	silent := errors.Is(err, ErrNoAnswer)
	if silent && len(items) == 1 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return nil, r.unanswered(folderID, items[0], err)
	}
	if silent || errors.Is(err, ErrAgain) {
		// The answer as a whole is not to be trusted: nothing of it is kept.
		again = again[:0]
		for _, ref := range items {
			again = append(again, unsettled{ref, err})
		}
		return again, nil
	}
	if err != nil {
		return nil, err
	}
	for _, in := range came {
		err := r.put(ctx, folderID, in)
		if errors.Is(err, archive.ErrAnew) {
			again = append(again, unsettled{in.ref(), err})
		} else if err != nil {
			return nil, err
		}
	}
	return again, nil
}

// fewGarbled is how many items of a run are asked for once more because they cannot be read.
const fewGarbled = 20

// garbled doubts a blob that cannot be read, once: the server, or somebody in between, may do better the second time. What comes
// then is kept as it is. Where many are so it is their form that nobody here knows.
func (r *run) garbled(in *incoming) error {
	if in.item.Unparsed == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unread[in.item.ItemID] || len(r.unread) == fewGarbled {
		return nil
	}
	r.unread[in.item.ItemID] = true
	return fmt.Errorf("%w: %s", ErrAgain, in.item.Unparsed)
}

// mostUnanswered is how many items in a row may have had no answer before the server is taken to be down.
const mostUnanswered = 3

// unanswered leaves an item to the next run over which the server falls silent, so that it does not keep the others out. Under mu.
func (r *run) unanswered(folderID string, ref Ref, cause error) error {
	if r.silent++; r.silent > mostUnanswered {
		return cause
	}
	return r.fail(folderID, ref, cause)
}

// heard notes that the server is there.
func (r *run) heard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = 0
}

// sort decides what an item's error means: ask again, doubt it, record it, or stop.
func (r *run) sort(folderID string, ref Ref, err error) ([]unsettled, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, ErrAgain):
		return []unsettled{{ref, err}}, nil
	case errors.Is(err, ErrNoAnswer):
		return nil, r.unanswered(folderID, ref, err)
	case errors.Is(err, ErrGone):
		return nil, r.doubt(folderID, ref, err)
	case errors.Is(err, ErrItem), errors.Is(err, archive.ErrParts):
		return nil, r.fail(folderID, ref, err)
	}
	return nil, err
}

// put adds an item that was read to its end.
func (r *run) put(ctx context.Context, folderID string, in *incoming) error {
	in.item.FolderID = folderID
	err := r.sink.Put(ctx, in.item, in.content)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, archive.ErrParts):
		return r.fail(folderID, in.ref(), err)
	case err != nil:
		return err
	}
	r.result.Exported++
	r.result.ExportedBytes += in.content.Size()
	if in.item.Unparsed != "" {
		r.result.Unparsed++
		r.o.Log.Warn("item kept unparsed", "reason", in.item.Unparsed)
	}
	r.o.Progress(Progress{Items: r.result.Exported, Expected: max(r.expected, r.result.Exported), Bytes: r.result.ExportedBytes})
	return r.forgive(in.item.ItemID)
}
