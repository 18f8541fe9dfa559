package tnef

import (
	"bytes"
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

const (
	idAttachEncoding      uint16 = 0x3702
	idAttachRendering     uint16 = 0x3709
	idAttachTransportName uint16 = 0x370C

	// oidMacBinary is the object identifier 1.2.840.113556.3.11.1 [MS-OXCMSG] 2.2.2.20.
	oidMacBinary = "\x2A\x86\x48\x86\xF7\x14\x03\x0B\x01"
)

// IIDs that begin the value of an object.
const (
	iidMessage = "\x07\x03\x02\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46"
	iidStorage = "\x0B\x00\x00\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46"
	iidStream  = "\x0C\x00\x00\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46"
	iidSize    = 16
)

// attachment is an attachment being read.
type attachment struct {
	object
	ole bool // attRendData says so
}

// rendData begins an attachment [MS-OXTNEF] 2.1.3.3.15.
func (s *stream) rendData(a attribute) {
	next := s.beginAttachment()
	const size, kindOLE, flagMacBinary = 14, 2, 1
	if len(a.data) < size {
		s.warn("attribute %08X: %d bytes", a.id, len(a.data))
		return
	}
	le := binary.LittleEndian
	next.ole = le.Uint16(a.data) == kindOLE
	next.fill(mapi.NewInt32(mapi.PidTagRenderingPosition, int32(le.Uint32(a.data[2:]))))
	if le.Uint32(a.data[10:])&flagMacBinary != 0 {
		next.fill(mapi.NewBinary(idAttachEncoding, []byte(oidMacBinary)))
	}
}

// beginAttachment makes an attachment the present one. One too many is read
// like the others and then forgotten.
func (s *stream) beginAttachment() *attachment {
	s.present = &attachment{}
	if s.room() {
		s.attachments = append(s.attachments, s.present)
	}
	return s.present
}

// attachmentAttribute takes an attribute of the present attachment.
func (s *stream) attachmentAttribute(a attribute) {
	if s.present == nil {
		s.warn("attribute %08X: of an attachment that did not begin", a.id)
		s.beginAttachment()
	}
	s.enter("attachment", len(s.attachments)-1)
	defer s.leave()
	o := &s.present.object
	switch {
	case a.id == attAttachment:
		s.list(o, a.data)
	case a.id == attAttachData:
		o.fill(mapi.NewBinary(mapi.PidTagAttachData, a.data))
	case a.cut > 0:
	case a.id == attAttachTitle:
		o.fill(s.string8(mapi.PidTagAttachFilename, a.data))
	case a.id == attAttachTransport:
		o.fill(s.string8(idAttachTransportName, a.data))
	case a.id == attAttachMetaFile:
		o.fill(mapi.NewBinary(idAttachRendering, a.data))
	case a.id == attAttachCreateDate:
		s.fillTime(o, mapi.PidTagCreationTime, a)
	case a.id == attAttachModifyDate:
		s.fillTime(o, mapi.PidTagLastModificationTime, a)
	}
}

// finishAttachment makes an attachment of what was read.
func (s *stream) finishAttachment(a *attachment, zone zone) mapi.Attachment {
	method, given := a.bag.Int32(mapi.PidTagAttachMethod)
	out := mapi.Attachment{Properties: s.finishObject(&a.object, zone)}
	data := out.Data()
	if data != nil {
		out.Embedded = s.object(data, method)
	}
	switch {
	case out.Embedded != nil:
		out.Properties.Remove(mapi.PidTagAttachData)
		method = mapi.AttachEmbedded
	case data != nil && data.Tag.Type() == mapi.TypeObject || a.ole:
		method = mapi.AttachOLE
	default:
		method = mapi.AttachByValue
	}
	if !given {
		out.Properties = append(out.Properties, mapi.NewInt32(mapi.PidTagAttachMethod, method))
	}
	return out
}

// object takes the IID from the bytes of an attachment and reads the message in
// them, nil when it is none.
func (s *stream) object(p *mapi.Property, method int32) *mapi.Message {
	data, message := p.Data, method == mapi.AttachEmbedded
	switch {
	case bytes.HasPrefix(data, []byte(iidMessage)):
		data, message = data[iidSize:], true
	case p.Tag.Type() != mapi.TypeObject:
	case bytes.HasPrefix(data, []byte(iidStorage)), bytes.HasPrefix(data, []byte(iidStream)):
		p.Data = data[iidSize:]
		p.Size = int64(len(p.Data))
		return nil
	default:
		s.warn("property %v: an object of an unknown interface", p.Tag)
	}
	switch {
	case !message:
		return nil
	case !isStream(data):
		s.warn("property %v: an embedded message of another format", p.Tag)
		return nil
	case s.depth == maxNesting:
		s.warn("messages nest deeper than %d: kept as an object", maxNesting)
		return nil
	}
	s.enter("level", s.depth+1)
	defer s.leave()
	return s.stream(data[headerSize:], s.codePage, s.depth+1)
}
