package tnef

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"mailbrick/fetch/mapi"
)

// ErrNotTNEF says that the input is another kind of file.
var ErrNotTNEF = errors.New("not a TNEF stream")

const (
	signature     = 0x223E9F78
	headerSize    = 6
	maxSize       = 1 << 30
	maxNesting    = 32
	maxProperties = 1 << 16 // of an object
	maxAll        = 1 << 20 // properties of a stream
	maxObjects    = 1 << 18 // recipients and attachments of a stream
	maxName       = 1 << 10 // bytes of a name in UTF-16 with its terminator
	maxWarnings   = 32
)

// Report is what a reader of a stream should know beside the message.
type Report struct {
	Warnings []string // at most 32; what is odd, and what was left out
}

func (r *Report) warn(format string, args ...any) {
	if len(r.Warnings) < maxWarnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	}
}

// Read reads a stream as far as it can be read. The error is ErrNotTNEF or r's own.
func Read(r io.Reader) (*mapi.Message, error) {
	m, _, err := ReadReport(r)
	return m, err
}

// ReadReport is Read and tells what could not be read.
func ReadReport(r io.Reader) (*mapi.Message, Report, error) {
	var report Report
	data, err := load(r, maxSize, &report)
	if err != nil {
		return nil, report, err
	}
	in := reader{report: &report}
	return in.stream(data, defaultCodePage, 0), report, nil
}

// load reads all of r when it begins like a stream.
func load(r io.Reader, limit int64, report *Report) ([]byte, error) {
	head := make([]byte, headerSize)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if !isStream(head[:n]) {
		return nil, ErrNotTNEF
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		report.warn("longer than %d bytes: the rest is not read", limit)
		data = data[:limit]
	}
	return data, nil
}

// isStream says whether data begins with the header of a stream.
func isStream(data []byte) bool {
	return len(data) >= headerSize && binary.LittleEndian.Uint32(data) == signature
}

type reader struct {
	report     *Report
	where      []place // the object being read, for warnings
	properties int     // so far
	objects    int     // so far
}

type place struct {
	kind string
	n    int
}

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

// room says whether one more recipient or attachment may be kept.
func (in *reader) room() bool {
	in.objects++
	if in.objects == maxObjects+1 {
		in.warn("more than %d recipients and attachments", maxObjects)
	}
	return in.objects <= maxObjects
}

func (in *reader) enter(kind string, n int) { in.where = append(in.where, place{kind, n}) }
func (in *reader) leave()                   { in.where = in.where[:len(in.where)-1] }

// stream reads the attributes of a message. data is without the header.
func (in *reader) stream(data []byte, codePage, depth int) *mapi.Message {
	s := stream{reader: in, codePage: codePage, depth: depth}
	if cp := oemCodePage(data); cp != 0 {
		s.codePage = s.checkCodePage(cp)
	}
	for len(data) > 0 {
		a, rest, err := next(data)
		if err != nil {
			in.warn("%v", err)
		}
		if a.id != 0 {
			s.attribute(a)
		}
		data = rest
	}
	return s.finish()
}

// stream is a message being read.
type stream struct {
	*reader
	codePage    int // of 8-bit strings
	depth       int
	message     object
	recipients  []mapi.Bag
	attachments []*attachment
	present     *attachment // whose attributes come
	owner       []byte      // of attOwner: whom it means depends on the class
}

// attribute takes an attribute where it belongs.
func (s *stream) attribute(a attribute) {
	switch a.id {
	case attMsgProps:
		s.list(&s.message, a.data)
	case attRecipTable:
		s.recipientTable(a.data)
	case attOemCodepage:
	case attTnefVersion:
		if len(a.data) != 4 || binary.LittleEndian.Uint32(a.data) != 0x00010000 {
			s.warn("version %x", a.data)
		}
	case attRendData:
		s.rendData(a)
	case attAttachment, attAttachData, attAttachTitle, attAttachMetaFile, attAttachTransport, attAttachCreateDate, attAttachModifyDate:
		s.attachmentAttribute(a)
	default:
		s.messageAttribute(a)
	}
}

// finish makes the message of what was read.
func (s *stream) finish() *mapi.Message {
	s.decideOwner()
	zone := s.zone()
	m := &mapi.Message{Recipients: s.recipients}
	for i, a := range s.attachments {
		s.enter("attachment", i)
		m.Attachments = append(m.Attachments, s.finishAttachment(a, zone))
		s.leave()
	}
	m.Properties = s.finishObject(&s.message, zone)
	return m
}
