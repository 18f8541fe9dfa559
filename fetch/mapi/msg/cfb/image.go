package cfb

import (
	"fmt"
	"io"
	"sort"
)

const (
	largestV3  = 1 << 31                 // bytes of a version 3 file and of its streams [MS-CFB] 2.1
	lockOffset = 0x7FFFFF00              // [MS-CFB] 2.7
	lockSector = lockOffset>>shiftV4 - 1 // in version 4
	shiftV3    = 9
	shiftV4    = 12
)

// Image is a compound file that is written: all of its bytes, put together from
// the streams of its entries when they are read. It serves any number of readers
// if the contents do.
type Image struct {
	parts []part // in order of offset; what is between them is zero
	size  int64
}

// part is bytes of the file that come from one reader.
type part struct {
	offset, n int64
	r         io.ReaderAt
}

// NewImage lays out the tree below root. The entries must not change while the image is in use.
func NewImage(root *Entry) (*Image, error) {
	return newImage(root, largestV3)
}

// newImage takes version 3 up to that many bytes.
func newImage(root *Entry, largest int64) (*Image, error) {
	records, err := flatten(root)
	if err != nil {
		return nil, err
	}
	l := newLayout(records, shiftV3)
	if l.sectors()<<shiftV3+1<<shiftV3 > largest {
		l = newLayout(records, shiftV4)
	}
	return l.image()
}

// Size is the number of bytes of the file.
func (m *Image) Size() int64 { return m.size }

// ReadAt implements io.ReaderAt.
func (m *Image) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("offset %d", off)
	}
	if off >= m.size {
		return 0, io.EOF
	}
	want := int(min(int64(len(p)), m.size-off))
	i := sort.Search(len(m.parts), func(i int) bool { return m.parts[i].offset+m.parts[i].n > off })
	for n < want {
		at := off + int64(n)
		if i == len(m.parts) || at < m.parts[i].offset {
			n += m.gap(p[n:want], i, at)
			continue
		}
		skip := at - m.parts[i].offset
		k, err := m.parts[i].read(p[n:want], skip)
		n += k
		if err != nil {
			return n, err
		}
		i++
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// gap fills p with zeros up to part i.
func (m *Image) gap(p []byte, i int, at int64) int {
	if i < len(m.parts) {
		p = p[:min(int64(len(p)), m.parts[i].offset-at)]
	}
	clear(p)
	return len(p)
}

func (t *part) read(p []byte, skip int64) (int, error) {
	p = p[:min(int64(len(p)), t.n-skip)]
	n, err := t.r.ReadAt(p, skip)
	switch {
	case n == len(p):
		return n, nil
	case err == nil || err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, fmt.Errorf("content of a stream: %w", err)
}

// WriteTo writes the whole file in one pass.
func (m *Image) WriteTo(w io.Writer) (int64, error) {
	const pieces = 256 << 10
	buf := make([]byte, min(pieces, m.size))
	var at int64
	for at < m.size {
		n, err := m.ReadAt(buf[:min(int64(len(buf)), m.size-at)], at)
		if err != nil && err != io.EOF {
			return at, err
		}
		k, err := w.Write(buf[:n])
		at += int64(k)
		if err != nil {
			return at, err
		}
	}
	return at, nil
}
