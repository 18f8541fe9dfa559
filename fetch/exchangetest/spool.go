package exchangetest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// spoolAt is the size from which bytes lie in a temporary file.
const spoolAt = 1 << 20

// blob is a run of bytes that does not change.
type blob interface {
	open() (io.ReadCloser, error)
	size() int64
}

type memoryBlob []byte

func (b memoryBlob) open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
func (b memoryBlob) size() int64                  { return int64(len(b)) }

type fileBlob struct {
	path   string
	length int64
}

func (b fileBlob) open() (io.ReadCloser, error) { return os.Open(b.path) }
func (b fileBlob) size() int64                  { return b.length }

// spools is the folder of temporary files; it comes into being with the first.
type spools struct {
	parent string
	mu     sync.Mutex
	dir    string
	closed bool
}

func (s *spools) create() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("server is closed")
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp(s.parent, "exchangetest-")
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	return os.CreateTemp(s.dir, "blob-")
}

func (s *spools) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// spool collects bytes in memory and, when they are many, in a file.
type spool struct {
	files *spools
	mem   bytes.Buffer
	file  *os.File
	n     int64
}

func (s *spool) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	if s.file == nil && s.n <= spoolAt {
		return s.mem.Write(p)
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, fmt.Errorf("spool item: %w", err)
		}
	}
	return s.file.Write(p)
}

func (s *spool) spill() (err error) {
	if s.file, err = s.files.create(); err != nil {
		return err
	}
	_, err = s.file.Write(s.mem.Bytes())
	s.mem = bytes.Buffer{}
	return err
}

// finish gives what was written.
func (s *spool) finish() (blob, error) {
	if s.file == nil {
		return memoryBlob(s.mem.Bytes()), nil
	}
	if err := s.file.Close(); err != nil {
		return nil, fmt.Errorf("spool item: %w", err)
	}
	return fileBlob{s.file.Name(), s.n}, nil
}

// discard drops a spool that is not wanted any more.
func (s *spool) discard() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}

// discard removes the file of a blob nobody has.
func discard(b blob) {
	if f, ok := b.(fileBlob); ok {
		os.Remove(f.path)
	}
}

var errBase64 = errors.New("not base64")

// base64Sink decodes the text of an element: blanks and line breaks count for nothing,
// written as they are or as character references.
type base64Sink struct {
	w       io.Writer
	pending []byte
	plain   []byte
	ref     []byte // a character reference being read, nil outside of one
	ended   bool   // padding was seen
}

const sinkSize = 32 << 10

func (d *base64Sink) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if d.ref != nil {
			if err := d.reference(p[0]); err != nil {
				return 0, err
			}
			p = p[1:]
			continue
		}
		run := bytes.IndexAny(p, " \n\r\t&")
		if run == 0 {
			if p[0] == '&' {
				d.ref = []byte{}
			}
			p = p[1:]
			continue
		}
		if run < 0 {
			run = len(p)
		}
		if err := d.take(p[:run]); err != nil {
			return 0, err
		}
		p = p[run:]
	}
	return n, nil
}

func (d *base64Sink) take(run []byte) error {
	for len(run) > 0 {
		n := min(len(run), sinkSize-len(d.pending))
		d.pending = append(d.pending, run[:n]...)
		run = run[n:]
		if len(d.pending) == sinkSize {
			if err := d.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// reference takes &#13; and its kind, which some writers of XML make of line breaks.
func (d *base64Sink) reference(c byte) error {
	if c != ';' {
		d.ref = append(d.ref, c)
		if len(d.ref) > 6 {
			return errBase64
		}
		return nil
	}
	switch string(bytes.ToLower(d.ref)) {
	case "#13", "#10", "#9", "#32", "#xd", "#xa", "#x9", "#x20":
		d.ref = nil
		return nil
	}
	return errBase64
}

func (d *base64Sink) flush() error {
	if len(d.pending) == 0 {
		return nil
	}
	if d.ended || len(d.pending)%4 != 0 {
		return errBase64
	}
	if d.plain == nil {
		d.plain = make([]byte, sinkSize/4*3)
	}
	n, err := base64.StdEncoding.Decode(d.plain, d.pending)
	if err != nil {
		return errBase64
	}
	d.ended = n < len(d.pending)/4*3
	d.pending = d.pending[:0]
	_, err = d.w.Write(d.plain[:n])
	return err
}

func (d *base64Sink) Close() error {
	if d.ref != nil {
		return errBase64
	}
	return d.flush()
}
