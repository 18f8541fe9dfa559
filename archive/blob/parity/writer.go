package parity

import (
	"fmt"

	"mailbrick/archive/blob"
)

// writer passes the payload on, and what is to stand behind it in the end.
type writer struct {
	out     blob.Writer
	windows *windows
	size    int64
	window  []byte   // of the payload, not yet full
	list    []byte   // hashes of the windows before
	parity  [][]byte // of the windows before
	err     error    // of the code
}

// Write passes errors on without keeping them: those of the writer inside stick.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.size += int64(n)
	for p = p[:n]; len(p) > 0; {
		part := p[:min(len(p), windowSize-len(w.window))]
		w.take(part)
		p = p[len(part):]
	}
	return n, err
}

func (w *writer) take(part []byte) {
	if w.window == nil {
		w.window = w.windows.take()
	}
	if need := len(w.window) + len(part); need > cap(w.window) {
		size := max(2*cap(w.window), need)
		if size >= windowSize/8 { // it will be long; memory that is not written to costs nothing
			size = windowOf(windowSize).padded()
		}
		w.grow(size)
	}
	w.window = append(w.window, part...)
	if len(w.window) == windowSize {
		w.seal()
	}
}

// grow is exact, where append would add a quarter for more to come.
func (w *writer) grow(size int) {
	w.window = append(make([]byte, 0, size), w.window...)
}

// seal computes hashes and parity of the window and begins another.
func (w *writer) seal() {
	shape := windowOf(len(w.window))
	if shape.padded() > cap(w.window) {
		w.grow(shape.padded())
	}
	data := w.window[:shape.padded()]
	clear(data[shape.size:])
	parity := make([]byte, shape.paritySize())
	shards := shape.split(data, parity)
	if err := shape.encode(shards); err != nil && w.err == nil {
		w.err = fmt.Errorf("compute parity: %w", err)
	}
	for i, s := range shards {
		w.list = appendHash(w.list, s[:shape.length(i)])
	}
	w.parity = append(w.parity, parity)
	w.window = data[:0]
}

// Commit writes what stands behind the payload. Errors of these writes stick in
// the writer inside, which answers them to its Commit.
func (w *writer) Commit() error {
	if len(w.window) > 0 {
		w.seal()
	}
	if w.err != nil {
		_ = w.out.Abort()
		return w.err
	}
	footer := appendTrailer(w.list, w.size)
	_, err := w.out.Write(append(footer, make([]byte, blockSize)...))
	for _, p := range w.parity {
		if err == nil {
			_, err = w.out.Write(p)
		}
	}
	if err == nil {
		_, _ = w.out.Write(footer)
	}
	w.release()
	return w.out.Commit()
}

func (w *writer) release() {
	w.windows.give(w.window)
	w.window, w.list, w.parity = nil, nil, nil
}

// Abort implements blob.Writer.
func (w *writer) Abort() error {
	w.release()
	return w.out.Abort()
}
