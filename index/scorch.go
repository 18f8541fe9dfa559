package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	bleve "github.com/blevesearch/bleve_index_api"
	zap "github.com/blevesearch/zapx/v17"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// wordIndex is the Bleve side: documents by words, and the position up to which they are complete.
type wordIndex struct {
	scorch *scorch.Scorch
	queue  *bleve.AnalysisQueue
	check  time.Duration // how often to look whether a batch can still end
}

// smallSegment is up to how many documents segments count as alike when it is planned which to merge. Every so many documents may be
// a segment before any are merged, ten at most; with the library's own 2000, what few thousand there are is merged over and over.
const smallSegment = 500

// growingSegments lets the library's buffer of a new segment grow as it is filled. By itself it would reserve as much for each
// document as those of the batch before took: after a batch of one long document, a GiB for hundreds of short ones.
var growingSegments = sync.OnceFunc(func() { zap.NewSegmentBufferNumResultsFactor = 0 })

// openWords opens the folder or makes it.
func openWords(dir string, wait time.Duration) (*wordIndex, error) {
	growingSegments()
	queue := bleve.NewAnalysisQueue(runtime.GOMAXPROCS(0))
	s, err := scorch.NewScorch("mailbrick", map[string]any{"path": dir, "bolt_timeout": wait.String(),
		"scorchMergePlanOptions": map[string]any{"FloorSegmentSize": smallSegment}}, queue)
	if err == nil {
		err = s.Open()
	}
	if err != nil {
		queue.Close()
		if errors.Is(err, bbolterrors.ErrTimeout) {
			return nil, ErrInUse
		}
		return nil, err
	}
	return &wordIndex{scorch: s.(*scorch.Scorch), queue: queue, check: 2 * time.Second}, nil
}

func (w *wordIndex) close() error {
	err := w.scorch.Close()
	w.queue.Close()
	return err
}

func (w *wordIndex) reader() (bleve.IndexReader, error) { return w.scorch.Reader() }

// position is up to where the documents are complete.
func (w *wordIndex) position() (uint64, error) {
	r, err := w.reader()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	b, err := r.GetInternal([]byte(keyPosition))
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: the word index has no position", ErrDamaged)
	}
	return binary.BigEndian.Uint64(b), nil
}

// commit writes documents and the position in one batch and returns when both are durable.
func (w *wordIndex) commit(docs map[docID]*document, to uint64) error {
	batch := bleve.NewBatch()
	for _, d := range docs {
		batch.Update(d)
	}
	batch.SetInternal([]byte(keyPosition), binary.BigEndian.AppendUint64(nil, to))
	return w.wait(batch)
}

// wait runs a batch. Should a background loop of the word index have died, the batch would wait for it for ever; the
// count of errors tells.
func (w *wordIndex) wait(batch *bleve.Batch) error {
	before := w.errors()
	done := make(chan error, 1)
	go func() {
		defer guarded(func(err error) { done <- err })()
		done <- w.scorch.Batch(batch)
	}()
	tick := time.NewTicker(w.check)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case err := <-done:
			if err != nil {
				err = damage(err)
			}
			return err
		case <-tick.C:
			if failing {
				return fmt.Errorf("%w: the word index stopped working; perhaps its disk is full", ErrDamaged)
			}
			failing = w.errors() != before
		}
	}
}

// errors counts what went wrong in the background.
func (w *wordIndex) errors() uint64 {
	n, _ := w.scorch.StatsMap()["TotOnErrors"].(uint64)
	return n
}

// guarded turns a panic of the libraries below, or a fault of the files they have mapped, into an error:
// defer guarded(...)().
func guarded(report func(error)) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			report(fmt.Errorf("%w: %v", ErrDamaged, r))
		}
	}
}
