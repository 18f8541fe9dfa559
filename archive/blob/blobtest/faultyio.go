package blobtest

import (
	"io"

	"mailbrick/archive/blob"
)

type faultyWriter struct {
	faulty *Faulty
	name   string
	w      blob.Writer
	err    error // a fault of Write, which sticks
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	if err := w.faulty.call(Write, w.name).refusal(Write, w.name); err != nil && w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.w.Write(p)
}

// Commit ends the writer inside in any case but death.
func (w *faultyWriter) Commit() error {
	fault := w.faulty.call(Commit, w.name)
	err := fault.refusal(Commit, w.name)
	switch {
	case fault.is(Dead):
		return err
	case w.err != nil:
		_ = w.w.Abort()
		return w.err
	case err != nil, fault.is(LostWrite):
		_ = w.w.Abort()
		return err
	}
	err = w.w.Commit()
	if err == nil && fault.is(LostAnswer) {
		return fault.answer(Commit, w.name)
	}
	return err
}

func (w *faultyWriter) Abort() error {
	if err := w.faulty.call(Abort, w.name).refusal(Abort, w.name); err != nil {
		return err
	}
	return w.w.Abort()
}

type faultyReader struct {
	io.ReadCloser
	faulty *Faulty
	name   string
	err    error // a fault that sticks
}

func (r *faultyReader) Read(p []byte) (int, error) {
	fault := r.faulty.call(Read, r.name)
	if err := fault.refusal(Read, r.name); err != nil {
		return 0, err
	}
	if fault.is(Truncated) {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return 0, r.err
	}
	if fault.is(ShortRead) && len(p) > 1 {
		p = p[:len(p)/2]
	}
	n, err := r.ReadCloser.Read(p)
	if fault.is(Corrupt) && n > 0 {
		p[n/2] ^= 0x40
	}
	return n, err
}
