package pst

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxWarnings   = 32
	maxNesting    = 32
	maxProperties = 1 << 16 // of an object
	maxObjects    = 1 << 18 // recipients, and subnodes of a node
	maxName       = 1 << 10 // bytes of a name in UTF-16

	inMemory  = 1 << 20  // the longest value that is copied out of the file
	allMemory = 64 << 20 // of all values of a message; then all are Large
	maxList   = 64 << 20 // bytes of a list
	maxShared = 4        // times the file that the blocks of an object may take
)

// Report is what a reader of an object should know beside it.
type Report struct {
	Warnings []string // at most 32; what is odd, and what was left out
}

func (r *Report) warn(format string, args ...any) {
	if len(r.Warnings) < maxWarnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	}
}

// reader reads one object and what hangs on it.
type reader struct {
	f      *File
	report *Report
	where  []place // the object being read, for warnings
	left   int64   // bytes of blocks that may still be read
	held   int64   // bytes of values in memory
	err    error   // what is not the fault of the bytes
}

type place struct {
	kind string
	n    int
}

// reader begins an object. Blocks may be shared by parts that are equal, but what
// claims many times the file names its blocks over and over.
func (f *File) reader() *reader { return &reader{f: f, report: &Report{}, left: maxShared * f.size} }

func (in *reader) warn(format string, args ...any) {
	if len(in.report.Warnings) == maxWarnings {
		return
	}
	var where strings.Builder
	for _, p := range in.where {
		fmt.Fprintf(&where, "%s %d: ", p.kind, p.n)
	}
	in.report.warn("%s%s", where.String(), fmt.Sprintf(format, args...))
}

func (in *reader) enter(kind string, n int) { in.where = append(in.where, place{kind, n}) }
func (in *reader) leave()                   { in.where = in.where[:len(in.where)-1] }

// failed takes note of an error: damage is a warning, all else ends the reading.
func (in *reader) failed(err error, format string, args ...any) {
	if !errors.Is(err, ErrDamaged) && in.err == nil {
		in.err = err
	}
	in.warn("%s: %v", fmt.Sprintf(format, args...), err)
}

func (in *reader) charge(n int) error {
	if in.left -= int64(n); in.left < 0 {
		return damaged("the object claims more bytes than the file has")
	}
	return nil
}
