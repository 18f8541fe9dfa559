package fasttransfer

import (
	"errors"
	"io"

	"mailbrick/fetch/mapi"
)

// Kind says what the bytes of a stream are.
type Kind uint8

const (
	Framing    Kind = iota // record headers, and all records but transfer buffers
	Skeleton               // markers, small properties, headers of long values
	Headers                // PidTagTransportMessageHeaders
	Body                   // PidTagBody
	HTML                   // PidTagHtml
	RTF                    // PidTagRtfCompressed
	Attachment             // PidTagAttachDataBinary, PidTagAttachDataObject
	Value                  // another long value
	Opaque                 // what follows a place that could not be read
)

// Segment is a piece of the blob and the stream it belongs to.
type Segment struct {
	Stream int
	Kind   Kind
	Data   []byte // valid during the call only
}

// Spool takes the values that are too long to keep in memory, from offset 0 on;
// it serves one Scan and must outlive the message.
type Spool interface {
	io.WriterAt
	io.ReaderAt
}

// Visitor says what Scan is to do with what it reads. The zero Visitor checks only.
type Visitor struct {
	Segment func(Segment) error // every byte of the blob exactly once, in order
	Message *mapi.Message       // filled when not nil
	Keep    int64               // longest value kept in Message (0: 1 MiB); of longer ones only the size
	Spool   Spool               // when not nil longer values go there instead
}

// State is the verdict on a blob.
type State uint8

const (
	Complete  State = iota
	Truncated       // it ends too early; asking the server again may help
	Unparsed        // something in it is not understood
)

func (s State) String() string {
	switch s {
	case Complete:
		return "complete"
	case Truncated:
		return "truncated"
	}
	return "unparsed"
}

// Report is what Scan found.
type Report struct {
	State  State
	Reason string // empty when complete
	Offset int64  // of the element in the blob that could not be read
	Size   int64  // of the blob

	Properties  int // of all messages, recipients and attachments, without meta-properties
	Recipients  int
	Attachments int
	Embedded    int
	Named       int // how many of Properties are named

	Warnings []string // odd but understood, at most 16
}

// Scan reads a blob in one pass. The error is the reader's or the visitor's
// own; bad bytes are a Report.
func Scan(r io.Reader, v Visitor) (Report, error) {
	return Report{}, errors.New("not written yet")
}
