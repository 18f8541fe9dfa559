package mapi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// summaryVersion is the first format; see the package doc.
const summaryVersion = 1

const (
	summaryList = 64   // members of a repeated field kept
	summaryText = 1024 // bytes of a string kept

	usualSummary = 512 // bytes that it is encoded in
)

// ErrSummary says that bytes are not a summary this program can read.
var ErrSummary = errors.New("summary not understood")

// Summary is what a listing shows of a message.
type Summary struct {
	Class, Subject, From string
	To, Cc, Bcc          []string
	Sent, Received       time.Time
	Size                 int64
	HasAttachments       bool
	Attachments          []string
	Read                 bool
	MessageID            string
}

// Summarize leaves Size to the caller, who knows the size of the blob.
func Summarize(m *Message) Summary {
	return Summary{
		Class:          clip(m.Class()),
		Subject:        clip(m.Subject()),
		From:           clip(m.From().String()),
		To:             clipAddresses(m.To()),
		Cc:             clipAddresses(m.Cc()),
		Bcc:            clipAddresses(m.Bcc()),
		Sent:           m.Sent().Truncate(time.Microsecond),
		Received:       m.Received().Truncate(time.Microsecond),
		HasAttachments: m.HasAttachments(),
		Attachments:    clipAll(m.AttachmentNames()),
		Read:           m.Read(),
		MessageID:      clip(m.MessageID()),
	}
}

// InSummary tells of a property, by id, whether a summary is made of it, in a message, a recipient or an attachment. A reader
// that is after a summary alone may leave all others out.
func InSummary(id uint16) bool {
	switch id {
	case PidTagMessageClass, PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagInternetMessageID,
		PidTagClientSubmitTime, PidTagMessageDeliveryTime, PidTagMessageFlags,
		PidTagMessageCodepage, PidTagInternetCodepage, PidTagMessageLocaleID,
		PidTagSentRepresentingName, PidTagSentRepresentingAddressType, PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSMTPAddress,
		PidTagSenderName, PidTagSenderAddressType, PidTagSenderEmailAddress, PidTagSenderSMTPAddress,
		PidTagDisplayName, PidTagAddressType, PidTagEmailAddress, PidTagSMTPAddress, PidTagRecipientType,
		PidTagAttachLongFilename, PidTagAttachFilename, PidTagAttachmentHidden, PidTagAttachFlags, PidTagAttachContentID:
		return true
	}
	return false
}

func clip(s string) string {
	if !utf8.ValidString(s) { // which is told at eight bytes a step
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= summaryText {
		return s
	}
	n := summaryText
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func clipAddresses(list []Address) []string {
	var texts []string
	for _, a := range list[:min(len(list), summaryList)] {
		texts = append(texts, clip(a.String()))
	}
	return texts
}

func clipAll(list []string) []string {
	var texts []string
	for _, s := range list[:min(len(list), summaryList)] {
		texts = append(texts, clip(s))
	}
	return texts
}

// Tags of the encoding; numbers never move.
const (
	summaryClass = 1 + iota
	summarySubject
	summaryFrom
	summaryTo
	summaryCc
	summaryBcc
	summaryAttachment
	summarySent
	summaryReceived
	summarySize
	summaryFlags
	summaryMessageID
)

// Encode is deterministic.
func (s Summary) Encode() []byte {
	b := append(make([]byte, 0, usualSummary), summaryVersion)
	for _, f := range []struct {
		tag  byte
		text []string
	}{
		{summaryClass, []string{s.Class}}, {summarySubject, []string{s.Subject}}, {summaryFrom, []string{s.From}},
		{summaryTo, s.To}, {summaryCc, s.Cc}, {summaryBcc, s.Bcc}, {summaryAttachment, s.Attachments},
	} {
		repeated := f.tag >= summaryTo
		for _, text := range f.text[:min(len(f.text), summaryList)] {
			if text != "" || repeated {
				b = appendField(b, f.tag, clip(text))
			}
		}
	}
	b = appendTime(b, summarySent, s.Sent)
	b = appendTime(b, summaryReceived, s.Received)
	b = appendField(b, summarySize, binary.AppendUvarint(nil, uint64(s.Size)))
	b = appendField(b, summaryFlags, []byte{s.flags()})
	if s.MessageID != "" {
		b = appendField(b, summaryMessageID, clip(s.MessageID))
	}
	return b
}

func (s Summary) flags() (f byte) {
	if s.HasAttachments {
		f |= 1
	}
	if s.Read {
		f |= 2
	}
	return f
}

func appendField[T string | []byte](b []byte, tag byte, data T) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(data)))
	return append(b, data...)
}

func appendTime(b []byte, tag byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendField(b, tag, binary.AppendVarint(nil, t.UnixMicro()))
}

// DecodeSummary reads what Encode wrote; anything else is ErrSummary.
func DecodeSummary(b []byte) (Summary, error) {
	var s Summary
	if len(b) == 0 || b[0] != summaryVersion {
		return s, fmt.Errorf("%w: not version %d", ErrSummary, summaryVersion)
	}
	for b = b[1:]; len(b) > 0; {
		n, used := binary.Uvarint(b[1:])
		if used <= 0 || n > uint64(len(b)-1-used) {
			return Summary{}, fmt.Errorf("%w: cut short", ErrSummary)
		}
		data := b[1+used : 1+used+int(n)]
		if err := s.field(b[0], data); err != nil {
			return Summary{}, err
		}
		b = b[1+used+int(n):]
	}
	return s, nil
}

func (s *Summary) field(tag byte, data []byte) error {
	switch tag {
	case summaryClass:
		s.Class = string(data)
	case summarySubject:
		s.Subject = string(data)
	case summaryFrom:
		s.From = string(data)
	case summaryMessageID:
		s.MessageID = string(data)
	case summaryTo:
		return addTo(&s.To, data)
	case summaryCc:
		return addTo(&s.Cc, data)
	case summaryBcc:
		return addTo(&s.Bcc, data)
	case summaryAttachment:
		return addTo(&s.Attachments, data)
	case summarySent, summaryReceived:
		return s.time(tag, data)
	case summarySize:
		n, used := binary.Uvarint(data)
		if used != len(data) || used <= 0 {
			return fmt.Errorf("%w: bad size", ErrSummary)
		}
		s.Size = int64(n)
	case summaryFlags:
		if len(data) != 1 {
			return fmt.Errorf("%w: bad flags", ErrSummary)
		}
		s.HasAttachments, s.Read = data[0]&1 != 0, data[0]&2 != 0
	}
	return nil
}

func addTo(list *[]string, data []byte) error {
	if len(*list) == summaryList {
		return fmt.Errorf("%w: more than %d of one field", ErrSummary, summaryList)
	}
	*list = append(*list, string(data))
	return nil
}

func (s *Summary) time(tag byte, data []byte) error {
	micro, used := binary.Varint(data)
	if used != len(data) || used <= 0 {
		return fmt.Errorf("%w: bad time", ErrSummary)
	}
	t := time.UnixMicro(micro).UTC()
	if tag == summarySent {
		s.Sent = t
	} else {
		s.Received = t
	}
	return nil
}
