package fasttransfer

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"mailbrick/fetch/mapi"
)

// where is what an element may stand in.
type where uint8

const (
	inMessage    where = iota
	inWrapped          // message between StartMessage and EndMessage
	inEmbedded         // message between StartEmbed and EndEmbed
	inRecipient        // between StartRecip and EndToRecip
	inAttachment       // between NewAttach and EndAttach
)

// frame is an open object. The pointers are nil when nothing is built.
type frame struct {
	kind       where
	properties int
	message    *mapi.Message
	attachment int  // index of the attachment in the message
	embeds     bool // an attachment in which a message was
	bag        *mapi.Bag
}

// Scanner scans one blob after another in the same memory; the zero one is ready. It is not for more than one goroutine at a time.
type Scanner struct {
	ReadAhead int // bytes of a blob that are read at once, if more than 32 KiB

	in       input
	rec      records
	report   Report
	stack    []frame
	build    builder
	wanted   func(id uint16) bool
	likeness likeness
	small    Kind  // where all goes but framing and long values
	next     int   // number of the next long stream
	element  int64 // offset of the present element
	atom     []byte
	name     mapi.Name // of the present property, without
	text     []byte    // its text
}

// reset begins a blob.
func (s *Scanner) reset(r io.Reader, v Visitor) {
	v.Keep = cmp.Or(v.Keep, 1<<20)
	v.Room = cmp.Or(v.Room, math.MaxInt64)
	s.in.reset(r, v.Segment, s.ReadAhead)
	s.build.reset(v)
	s.likeness.reset()
	root := frame{kind: inMessage}
	if v.Message != nil {
		root.message, root.bag = v.Message, &v.Message.Properties
	}
	s.stack = append(s.stack[:0], root)
	s.rec, s.report, s.wanted, s.small, s.next = records{}, Report{}, v.Wanted, Skeleton, firstLong
}

func (s *Scanner) top() *frame { return &s.stack[len(s.stack)-1] }

func (s *Scanner) run() error {
	for {
		if s.in.fatal != nil || s.build.err != nil {
			return nil
		}
		s.element = s.in.offset()
		b, err := s.take(4)
		if err != nil {
			return err
		}
		if b == nil {
			return s.end()
		}
		if err := s.one(binary.LittleEndian.Uint32(b)); err != nil {
			return err
		}
	}
}

// end judges a stream whose last element is whole.
func (s *Scanner) end() error {
	switch {
	case s.in.fatal != nil:
		return nil
	case s.rec.left > 0:
		return s.cut("record", s.in.offset())
	case s.rec.buffers == 0:
		return &verdict{Truncated, "no transfer buffer", s.in.offset()}
	case len(s.stack) > 1:
		return &verdict{Truncated, "a recipient, attachment or message is not closed at the end", s.in.offset()}
	}
	if !s.rec.accepted {
		s.report.warn("no record IsInterfaceOk")
	}
	return nil
}

// one reads an element of which word are the first four bytes.
func (s *Scanner) one(word uint32) error {
	switch word {
	case markerStartMessage, markerStartFAIMsg:
		return s.push(inWrapped, inMessage, inMessage)
	case markerStartEmbed:
		return s.push(inEmbedded, inAttachment, inAttachment)
	case markerStartRecip:
		return s.push(inRecipient, inMessage, inEmbedded)
	case markerNewAttach:
		return s.push(inAttachment, inMessage, inEmbedded)
	case markerEndMessage:
		return s.pop(inWrapped)
	case markerEndEmbed:
		return s.pop(inEmbedded)
	case markerEndToRecip:
		return s.pop(inRecipient)
	case markerEndAttach:
		return s.pop(inAttachment)
	case markerFXErrorInfo:
		s.report.warn("the server could not read a part of the item (FXErrorInfo)")
		return nil
	}
	if foreignMarker(word) {
		return s.bad(fmt.Sprintf("marker %08X of a folder or synchronisation stream", word), s.element)
	}
	// On the wire the type comes first.
	return s.property(mapi.Tag(word))
}

// push opens an object, which may stand in first to last.
func (s *Scanner) push(kind, first, last where) error {
	top := s.top()
	if top.kind < first || top.kind > last {
		return s.bad("a marker stands where none may", s.element)
	}
	nest := s.nesting()
	if kind == inEmbedded && nest == maxNesting {
		return s.bad(fmt.Sprintf("messages nest deeper than %d", maxNesting), s.element)
	}
	if kind == inEmbedded && top.embeds {
		return s.bad("a second message in one attachment", s.element) // [MS-OXCFXICS] 2.2.4.2 attachmentContent
	}
	top.embeds = top.embeds || kind == inEmbedded
	f := frame{kind: kind}
	if s.build.on && s.roomy(top) {
		f = s.build.open(top, kind)
	}
	s.count(kind)
	s.stack = append(s.stack, f)
	if kind == inRecipient && nest == 0 {
		s.small = Recipients
	}
	return nil
}

// nesting is how many embedded messages are open.
func (s *Scanner) nesting() (n int) {
	for i := range s.stack {
		if s.stack[i].kind == inEmbedded {
			n++
		}
	}
	return n
}

func (s *Scanner) count(kind where) {
	switch kind {
	case inRecipient:
		s.report.Recipients++
	case inAttachment:
		s.report.Attachments++
	case inEmbedded:
		s.report.Embedded++
	}
}

func (s *Scanner) pop(kind where) error {
	if s.top().kind != kind {
		return s.bad("an end marker does not match", s.element)
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.small = Skeleton
	return nil
}

// property reads propValue after type and id.
func (s *Scanner) property(tag mapi.Tag) error {
	layout, width := tag.Type().Layout()
	if layout == mapi.LayoutUnknown {
		return s.bad(fmt.Sprintf("property %v of an unknown type", tag), s.element)
	}
	top := s.top()
	if top.properties == maxProperties {
		return s.bad(fmt.Sprintf("more than %d properties of one object", maxProperties), s.element)
	}
	named := tag.ID() >= mapi.FirstNamed && tag.ID() != 0xFFFF
	if named {
		if err := s.readName(); err != nil {
			return err
		}
	}
	isMeta := meta(uint32(tag))
	keep := s.build.on && !isMeta && (s.wanted == nil || s.wanted(tag.ID())) && s.roomy(top)
	s.build.begin(keep)
	root := top.kind == inMessage || top.kind == inWrapped
	s.likeness.begin(root && layout == mapi.LayoutVariable, tag.ID())
	if err := s.value(tag, layout, width); err != nil {
		return err
	}
	s.likeness.end()
	if isMeta {
		if tag == metaEcWarning {
			s.report.warn("the server could not read a part of the item (EcWarning)")
		}
		return nil
	}
	top.properties++
	s.report.Properties++
	if named {
		s.report.Named++
	}
	if keep {
		s.build.end(top, tag, s.nameOf(named))
	}
	return nil
}

// roomy says whether there is room for more in an object.
func (s *Scanner) roomy(f *frame) bool {
	if f.bag != nil && s.build.used < s.build.room {
		return true
	}
	s.report.LeftOut++
	return false
}

func (s *Scanner) nameOf(named bool) *mapi.Name {
	if !named {
		return nil
	}
	name := s.name
	text := mapi.Property{Tag: mapi.Tag(mapi.TypeUnicode), Data: s.text}
	name.Text = text.Text(0)
	return &name
}

// readName reads namedPropInfo [MS-OXCFXICS] 2.2.4.1.
func (s *Scanner) readName() error {
	b, err := s.need(17)
	if err != nil {
		return err
	}
	s.name, s.text = mapi.Name{Set: mapi.GUID(b[:16])}, s.text[:0]
	switch kind := b[16]; kind {
	case 0:
		b, err := s.need(4)
		if err != nil {
			return err
		}
		s.name.LID = binary.LittleEndian.Uint32(b)
		return nil
	case 1:
		return s.readNameText()
	default:
		return s.bad(fmt.Sprintf("name of unknown kind %d", kind), s.element)
	}
}

func (s *Scanner) readNameText() error {
	for {
		b, err := s.need(2)
		if err != nil {
			return err
		}
		if b[0]|b[1] == 0 {
			return nil
		}
		if s.text = append(s.text, b...); len(s.text) >= maxName {
			return s.bad(fmt.Sprintf("name longer than %d bytes", maxName), s.element)
		}
	}
}
