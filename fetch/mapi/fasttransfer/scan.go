package fasttransfer

import (
	"io"

	"mailbrick/fetch/mapi"
)

// Kind says what the bytes of a stream are.
type Kind uint8

const (
	Framing    Kind = iota // record headers, and all records but transfer buffers
	Skeleton               // markers, small properties, headers of long values
	Recipients             // the recipients of the message itself
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
//
// There is no callback for a property, a recipient or an attachment: whoever wants those wants the tree around them, and
// a tree without its long values is small. The long values pass by as segments while the tree grows.
type Visitor struct {
	Segment func(Segment) error // every byte of the blob exactly once, in order
	Message *mapi.Message       // filled when not nil; as far as the blob could be read
	Keep    int64               // longest value kept in Message (0: 1 MiB); of longer ones only the size
	Room    int64               // about how many bytes of memory Message may take (0: any number); what comes after is not in it
	Spool   Spool               // when not nil longer values go there instead, and all once half of Room is taken

	// Wanted says which properties go into Message, by id; named ones are asked for by the id that the blob gives them. nil: all.
	Wanted func(id uint16) bool
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
	Offset int64  // in the blob, of the element that could not be read
	Size   int64  // of the blob

	Properties  int // of all messages, recipients and attachments, without meta-properties
	Recipients  int
	Attachments int
	Embedded    int
	Named       int // how many of Properties are named
	LeftOut     int // how many objects and wanted properties the visitor's Room was too small for

	// Similar is by what copies of the message are known, empty where nothing tells: a byte that says which property of
	// the root it is, and the first KiB of its value. 1: PidTagInternetMessageId, which is the same in every mailbox; 2:
	// PidTagSearchKey, which is the same at least in copies made inside a mailbox; 3: PidTagConversationTopic, 4:
	// PidTagNormalizedSubject. It is a hint: others may write the same. It lies in the Scanner's memory.
	Similar []byte

	Warnings []string // odd but understood, at most 16
}

const maxWarnings = 16

func (r *Report) warn(text string) {
	if len(r.Warnings) < maxWarnings {
		r.Warnings = append(r.Warnings, text)
	}
}

// Scan reads a blob in one pass, in memory that does not grow with its values
// (but for those the visitor wants kept). The error is the reader's or the
// visitor's own; bad bytes are a Report.
func Scan(r io.Reader, v Visitor) (Report, error) { return new(Scanner).Scan(r, v) }

// Scan is the function Scan, in memory that the next call takes back: until then the message is good, with all that was taken off it
// but copies, and so is the report.
func (s *Scanner) Scan(r io.Reader, v Visitor) (Report, error) {
	s.reset(r, v)
	defer s.letGo()
	err := s.run()
	if s.in.fatal != nil {
		return s.report, s.in.fatal
	}
	if s.build.err != nil {
		return s.report, s.build.err
	}
	bad, _ := err.(*verdict)
	return s.finish(bad)
}

// letGo forgets what belongs to others.
func (s *Scanner) letGo() {
	s.in.r, s.in.segment, s.wanted, s.build.spool = nil, nil, nil, nil
	clear(s.stack[:cap(s.stack)]) // those too that were closed
}

// verdict is why a blob is not complete.
type verdict struct {
	state  State
	reason string
	offset int64
}

func (v *verdict) Error() string { return v.reason }

// finish hands out the rest of the blob and settles the report.
func (s *Scanner) finish(bad *verdict) (Report, error) {
	if bad != nil {
		s.report.State, s.report.Reason, s.report.Offset = bad.state, bad.reason, bad.offset
	}
	s.in.drain(s.next)
	s.report.Size = s.in.offset()
	if len(s.likeness.key) > 0 { // else nil, whatever the Scanner read before
		s.report.Similar = s.likeness.key
	}
	if bad != nil && s.in.notice() {
		s.report.State, s.report.Reason = Truncated, "the server's notice of truncated data at the end"
	}
	return s.report, s.in.fatal
}
