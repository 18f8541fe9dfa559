package mapi

import (
	"bytes"
	"errors"
	"io"
	"math"
)

// ErrLeftOut is what reading a value gives that its reader did not keep.
var ErrLeftOut = errors.New("value was left out by its reader")

// Property is one value and its tag.
type Property struct {
	Tag   Tag
	Name  *Name             // nil below FirstNamed
	Data  []byte            // the value as on the wire, see the package doc
	Size  int64             // bytes the value has in the stream; > len(Data) when it was left out
	Large *io.SectionReader // a spooled value; Data is nil then
}

// Len is the number of bytes of the value, wherever they are.
func (p *Property) Len() int64 {
	if p.Large != nil {
		return p.Large.Size()
	}
	return max(p.Size, int64(len(p.Data)))
}

// Kept says whether the bytes are there to be read.
func (p *Property) Kept() bool {
	return p.Large != nil || int64(len(p.Data)) >= p.Size
}

// Open reads the value from its start, wherever it is. A value that was left
// out reads as ErrLeftOut.
func (p *Property) Open() io.Reader {
	switch {
	case p.Large != nil:
		return io.NewSectionReader(p.Large, 0, p.Large.Size())
	case !p.Kept():
		return leftOut{}
	}
	return bytes.NewReader(p.Data)
}

// Bytes is the value as one slice, nil when it was left out or cannot be read.
func (p *Property) Bytes() []byte { return p.head(math.MaxInt64) }

// head is the first n bytes of the value, nil when it was left out or cannot be read.
func (p *Property) head(n int64) []byte {
	if p.Large == nil {
		if !p.Kept() {
			return nil
		}
		return p.Data[:min(int64(len(p.Data)), n)]
	}
	data := make([]byte, min(p.Large.Size(), n))
	if _, err := p.Large.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil
	}
	return data
}

type leftOut struct{}

func (leftOut) Read([]byte) (int, error) { return 0, ErrLeftOut }
