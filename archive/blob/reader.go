package blob

import (
	"fmt"
	"io"
)

// CheckRange returns nil or an ErrRange.
func CheckRange(name string, off int64) error {
	if off < 0 {
		return fmt.Errorf("%s from %d: %w", name, off, ErrRange)
	}
	return nil
}

// Exactly gives n bytes of r and then io.EOF, or io.ErrUnexpectedEOF where r
// ends before. Implementations of Open use it.
func Exactly(r io.ReadCloser, n int64) io.ReadCloser {
	return &exactly{ReadCloser: r, left: n}
}

type exactly struct {
	io.ReadCloser
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.ReadCloser.Read(p)
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
