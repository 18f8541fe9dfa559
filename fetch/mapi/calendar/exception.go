package calendar

import (
	"errors"
	"slices"

	"mailbrick/fetch/mapi"
)

// Bits of Exception.Flags: which fields are there [MS-OXOCAL] 2.2.1.44.2.
const (
	OverrideSubject       uint16 = 0x0001
	OverrideMeetingType   uint16 = 0x0002
	OverrideReminderDelta uint16 = 0x0004
	OverrideReminder      uint16 = 0x0008
	OverrideLocation      uint16 = 0x0010
	OverrideBusyStatus    uint16 = 0x0020
	OverrideAttachment    uint16 = 0x0040
	OverrideSubType       uint16 = 0x0080
	OverrideColor         uint16 = 0x0100
	OverrideBody          uint16 = 0x0200 // has no field
)

// Exception is one modified instance: ExceptionInfo [MS-OXOCAL] 2.2.1.44.2 and
// the ExtendedException that belongs to it, 2.2.1.44.4. Times are local minutes
// since 1601-01-01.
type Exception struct {
	Start, End, OriginalStart uint32
	Flags                     uint16
	Subject                   []byte // 8-bit, no terminator
	MeetingType               uint32
	ReminderDelta             uint32
	ReminderSet               uint32
	Location                  []byte // 8-bit, no terminator
	BusyStatus                uint32
	Attachment                uint32
	SubType                   uint32
	Color                     uint32

	ChangeHighlight                       []byte // from WriterVersion2 0x3009 on: value:u32, then reserved bytes
	ReservedBlockEE1                      []byte
	WideStart, WideEnd, WideOriginalStart uint32 // with a subject or location
	WideSubject, WideLocation             []byte // UTF-16LE, no terminator
	ReservedBlockEE2                      []byte // with a subject or location
}

func (e *Exception) has(flag uint16) bool { return e.Flags&flag != 0 }

func (e *Exception) wide() bool { return e.has(OverrideSubject | OverrideLocation) }

// SubjectText is the subject of the instance where it has its own.
func (e *Exception) SubjectText() (string, bool) {
	return wideText(e.WideSubject), e.has(OverrideSubject)
}

// LocationText is the location of the instance where it has its own.
func (e *Exception) LocationText() (string, bool) {
	return wideText(e.WideLocation), e.has(OverrideLocation)
}

func wideText(b []byte) string {
	p := mapi.Property{Tag: mapi.MakeTag(0, mapi.TypeUnicode), Data: b}
	return p.Text(0)
}

// wideBytes is UTF-16LE without a terminator.
func wideBytes(s string) []byte {
	b := mapi.NewText(0, s).Data
	return b[:len(b)-2]
}

// fixed are the fields of four bytes and the bit that says each is there, in their order.
func (e *Exception) fixed() (beforeLocation, afterLocation []fixedField) {
	return []fixedField{{OverrideMeetingType, &e.MeetingType}, {OverrideReminderDelta, &e.ReminderDelta}, {OverrideReminder, &e.ReminderSet}},
		[]fixedField{{OverrideBusyStatus, &e.BusyStatus}, {OverrideAttachment, &e.Attachment}, {OverrideSubType, &e.SubType}, {OverrideColor, &e.Color}}
}

type fixedField struct {
	flag  uint16
	value *uint32
}

func (e *Exception) read(f *fields) {
	e.Start, e.End, e.OriginalStart, e.Flags = f.u32(), f.u32(), f.u32(), f.u16()
	before, after := e.fixed()
	if e.has(OverrideSubject) {
		e.Subject = counted(f)
	}
	e.readFixed(f, before)
	if e.has(OverrideLocation) {
		e.Location = counted(f)
	}
	e.readFixed(f, after)
}

func (e *Exception) readFixed(f *fields, list []fixedField) {
	for _, x := range list {
		if e.has(x.flag) {
			*x.value = f.u32()
		}
	}
}

// counted is a string behind its length plus one and its length.
func counted(f *fields) []byte {
	plusOne, n := f.u16(), f.u16()
	if f.err == nil && plusOne != n+1 {
		f.err = errors.New("two lengths of a string do not agree")
	}
	return slices.Clone(f.take(uint64(n)))
}

func (e *Exception) append(b []byte) []byte {
	b = put16(put32(b, e.Start, e.End, e.OriginalStart), e.Flags)
	before, after := e.fixed()
	if e.has(OverrideSubject) {
		b = putCounted(b, e.Subject)
	}
	b = e.appendFixed(b, before)
	if e.has(OverrideLocation) {
		b = putCounted(b, e.Location)
	}
	return e.appendFixed(b, after)
}

func (e *Exception) appendFixed(b []byte, list []fixedField) []byte {
	for _, x := range list {
		if e.has(x.flag) {
			b = put32(b, *x.value)
		}
	}
	return b
}

func putCounted(b, s []byte) []byte {
	return append(put16(b, uint16(len(s)+1), uint16(len(s))), s...)
}

func (e *Exception) readExtended(f *fields, writer uint32) {
	if writer >= writerVersion2 {
		e.ChangeHighlight = f.block() // [MS-OXOCAL] 2.2.1.44.3
	}
	e.ReservedBlockEE1 = f.block()
	if !e.wide() {
		return
	}
	e.WideStart, e.WideEnd, e.WideOriginalStart = f.u32(), f.u32(), f.u32()
	if e.has(OverrideSubject) {
		e.WideSubject = slices.Clone(f.take(2 * uint64(f.u16())))
	}
	if e.has(OverrideLocation) {
		e.WideLocation = slices.Clone(f.take(2 * uint64(f.u16())))
	}
	e.ReservedBlockEE2 = f.block()
}

func (e *Exception) appendExtended(b []byte, writer uint32) []byte {
	if writer >= writerVersion2 {
		b = putBlock(b, e.ChangeHighlight)
	}
	b = putBlock(b, e.ReservedBlockEE1)
	if !e.wide() {
		return b
	}
	b = put32(b, e.WideStart, e.WideEnd, e.WideOriginalStart)
	if e.has(OverrideSubject) {
		b = append(put16(b, uint16(len(e.WideSubject)/2)), e.WideSubject...)
	}
	if e.has(OverrideLocation) {
		b = append(put16(b, uint16(len(e.WideLocation)/2)), e.WideLocation...)
	}
	return putBlock(b, e.ReservedBlockEE2)
}
