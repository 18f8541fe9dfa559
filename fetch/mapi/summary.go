package mapi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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
		for _, text := range f.text[:min(len(f.text), summaryList)] {
			b = appendString(b, f.tag, text)
		}
	}
	b = appendTime(b, summarySent, s.Sent)
	b = appendTime(b, summaryReceived, s.Received)
	b = appendFacts(b, s.Size, s.HasAttachments, s.Read)
	return appendString(b, summaryMessageID, s.MessageID)
}

// appendField appends a field whose data value appends.
func appendField(b []byte, tag byte, value func([]byte) []byte) []byte {
	at := len(b) + 2
	b = value(append(b, tag, 0))
	n := uint64(len(b) - at)
	if n >= 0x80 { // its length takes two bytes
		b = append(b, 0)
		copy(b[at+1:], b[at:])
	}
	binary.PutUvarint(b[at-1:], n)
	return b
}

// appendText is appendField of a string, cut to what a summary keeps. An empty one is left out unless the field may repeat.
func appendText(b []byte, tag byte, value func([]byte) []byte) []byte {
	longer := appendField(b, tag, func(b []byte) []byte {
		at := len(b)
		return clip(value(b), at)
	})
	repeated := tag >= summaryTo && tag <= summaryAttachment
	if len(longer) == len(b)+2 && !repeated {
		return b
	}
	return longer
}

func appendString(b []byte, tag byte, text string) []byte {
	return appendText(b, tag, func(b []byte) []byte { return append(b, text...) })
}

// clip makes UTF-8 of the text that lies in b from at on, and cuts it to what a summary keeps.
func clip(b []byte, at int) []byte {
	if !utf8.Valid(b[at:]) { // which is told at eight bytes a step
		b = append(b[:at], bytes.ToValidUTF8(b[at:], []byte("\uFFFD"))...)
	}
	n := at + summaryText
	if len(b) <= n {
		return b
	}
	for !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

func appendTime(b []byte, tag byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendField(b, tag, func(b []byte) []byte { return binary.AppendVarint(b, t.UnixMicro()) })
}

// appendFacts appends what is no text.
func appendFacts(b []byte, size int64, hasAttachments, read bool) []byte {
	var flags byte
	if hasAttachments {
		flags |= 1
	}
	if read {
		flags |= 2
	}
	b = appendField(b, summarySize, func(b []byte) []byte { return binary.AppendUvarint(b, uint64(size)) })
	return appendField(b, summaryFlags, func(b []byte) []byte { return append(b, flags) })
}

// DecodeSummary reads what Encode wrote; anything else is ErrSummary. The strings are parts of one.
func DecodeSummary(b []byte) (Summary, error) {
	var s Summary
	if len(b) == 0 || b[0] != summaryVersion {
		return s, fmt.Errorf("%w: not version %d", ErrSummary, summaryVersion)
	}
	text := string(b)
	for rest := b[1:]; len(rest) > 0; {
		data, after, ok := cutField(rest)
		if !ok {
			return Summary{}, fmt.Errorf("%w: cut short", ErrSummary)
		}
		end := len(b) - len(after)
		if err := s.field(rest[0], data, text[end-len(data):end], after); err != nil {
			return Summary{}, err
		}
		rest = after
	}
	return s, nil
}

// cutField takes the data of the first field off b.
func cutField(b []byte) (data, after []byte, ok bool) {
	n, used := binary.Uvarint(b[1:])
	if used <= 0 || n > uint64(len(b)-1-used) {
		return nil, nil, false
	}
	b = b[1+used:]
	return b[:n], b[n:], true
}

// field takes in a field, which is text where it is a string; others follow it.
func (s *Summary) field(tag byte, data []byte, text string, others []byte) error {
	switch tag {
	case summaryClass:
		s.Class = text
	case summarySubject:
		s.Subject = text
	case summaryFrom:
		s.From = text
	case summaryMessageID:
		s.MessageID = text
	case summaryTo:
		return addTo(&s.To, tag, text, others)
	case summaryCc:
		return addTo(&s.Cc, tag, text, others)
	case summaryBcc:
		return addTo(&s.Bcc, tag, text, others)
	case summaryAttachment:
		return addTo(&s.Attachments, tag, text, others)
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

// addTo takes in a member of a list, the first with room for the others.
func addTo(list *[]string, tag byte, text string, others []byte) error {
	if len(*list) == summaryList {
		return fmt.Errorf("%w: more than %d of one field", ErrSummary, summaryList)
	}
	if *list == nil {
		*list = make([]string, 0, 1+more(tag, others))
	}
	*list = append(*list, text)
	return nil
}

// more is how many fields of a tag come at once, as far as a summary keeps them.
func more(tag byte, fields []byte) (n int) {
	for ok := true; ok && len(fields) > 0 && fields[0] == tag && n < summaryList-1; n++ {
		_, fields, ok = cutField(fields)
	}
	return n
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
