package calendar

import (
	"encoding/binary"
	"math"
	"time"

	"mailbrick/fetch/mapi"
)

// Ids of the properties that only calendars use [MS-OXPROPS] 2.
const (
	idStartDate            uint16 = 0x0060
	idEndDate              uint16 = 0x0061
	idOwnerAppointmentID   uint16 = 0x0062
	idResponseRequested    uint16 = 0x0063
	idAttachEncoding       uint16 = 0x3702
	idRecipientTrackStatus uint16 = 0x5FFF
	idExceptionReplaceTime uint16 = 0x7FF9
	idAttachmentLinkID     uint16 = 0x7FFA
	idExceptionStartTime   uint16 = 0x7FFB
	idExceptionEndTime     uint16 = 0x7FFC
	idAttachmentFlags      uint16 = 0x7FFD
)

// A modified instance in its attachment [MS-OXOCAL] 2.2.10.
const (
	exceptionClass              = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
	attachmentIsException int32 = 2
	renderedNowhere       int32 = -1
)

// Bits of PidTagRecipientFlags [MS-OXOCAL] 2.2.4.10.1, and PidTagObjectType of a person.
const (
	recipientSendable  int32 = 1
	recipientOrganizer int32 = 2
	mailUser           int32 = 6
)

// Bits of PidLidAppointmentStateFlags [MS-OXOCAL] 2.2.1.10, values of
// PidLidResponseStatus 2.2.1.11, PidLidBusyStatus 2.2.1.2 and PidLidMeetingType 2.2.6.5.
const (
	stateMeeting  int32 = 1
	stateReceived int32 = 2
	stateCanceled int32 = 4

	responseOrganized int32 = 1
	responseTentative int32 = 2
	responseAccepted  int32 = 3
	responseDeclined  int32 = 4
	responseNone      int32 = 5

	busyFree      int32 = 0
	busyTentative int32 = 1
	busyBusy      int32 = 2

	meetingTypeRequest int32 = 1
)

// Values of PidLidTaskStatus [MS-OXOTASK] 2.2.2.2.2.
const (
	taskNotStarted int32 = 0
	taskInProgress int32 = 1
	taskComplete   int32 = 2
	taskDeferred   int32 = 4
)

// setMeeting is PSETID_Meeting [MS-OXPROPS] 1.3.2.
func setMeeting() mapi.GUID {
	return mapi.GUID{0x90, 0xDA, 0xD8, 0x6E, 0x0B, 0x45, 0x1B, 0x10, 0x98, 0xDA, 0x00, 0xAA, 0x00, 0x3F, 0x13, 0x05}
}

// lid is a named property by its number; the set follows from it.
type lid uint32

const (
	lidAttendeeCriticalChange lid = 0x0001
	lidWhere                  lid = 0x0002
	lidGlobalObjectID         lid = 0x0003
	lidIsRecurring            lid = 0x0005
	lidIsException            lid = 0x000A
	lidOwnerCriticalChange    lid = 0x001A
	lidCleanGlobalObjectID    lid = 0x0023
	lidAppointmentClass       lid = 0x0024
	lidMeetingType            lid = 0x0026

	lidTaskStatus        lid = 0x8101
	lidPercentComplete   lid = 0x8102
	lidTaskStartDate     lid = 0x8104
	lidTaskDueDate       lid = 0x8105
	lidTaskDateCompleted lid = 0x810F
	lidTaskRecurrence    lid = 0x8116
	lidTaskComplete      lid = 0x811C
	lidTaskFRecurring    lid = 0x8126

	lidSequence       lid = 0x8201
	lidBusyStatus     lid = 0x8205
	lidLocation       lid = 0x8208
	lidStartWhole     lid = 0x820D
	lidEndWhole       lid = 0x820E
	lidDuration       lid = 0x8213
	lidSubType        lid = 0x8215
	lidRecur          lid = 0x8216
	lidStateFlags     lid = 0x8217
	lidResponseStatus lid = 0x8218
	lidReplyTime      lid = 0x8220
	lidRecurring      lid = 0x8223
	lidIntendedBusy   lid = 0x8224
	lidReplaceTime    lid = 0x8228
	lidFInvited       lid = 0x8229
	lidRecurrenceType lid = 0x8231
	lidZoneStruct     lid = 0x8233
	lidZoneText       lid = 0x8234
	lidClipStart      lid = 0x8235
	lidClipEnd        lid = 0x8236
	lidAllAttendees   lid = 0x8238
	lidToAttendees    lid = 0x823B
	lidCcAttendees    lid = 0x823C
	lidProposedStart  lid = 0x8250
	lidProposedEnd    lid = 0x8251
	lidCounter        lid = 0x8257
	lidNotPropose     lid = 0x825A
	lidZoneStart      lid = 0x825E
	lidZoneEnd        lid = 0x825F
	lidZoneRecur      lid = 0x8260

	lidReminderDelta  lid = 0x8501
	lidReminderTime   lid = 0x8502
	lidReminderSet    lid = 0x8503
	lidPrivate        lid = 0x8506
	lidCommonStart    lid = 0x8516
	lidCommonEnd      lid = 0x8517
	lidContacts       lid = 0x853A
	lidReminderSignal lid = 0x8560
)

func (l lid) name() mapi.Name {
	set := setMeeting()
	switch l >> 8 {
	case 0x81:
		set = mapi.SetTask()
	case 0x82:
		set = mapi.SetAppointment()
	case 0x85:
		set = mapi.SetCommon()
	}
	return mapi.Name{Set: set, LID: uint32(l)}
}

// bag reads and sets named properties of a message.
type bag struct{ *mapi.Bag }

// alone is the property as a bag of its own, which the readers of unnamed properties take.
func (b bag) alone(l lid) (mapi.Bag, uint16) {
	if p := b.FindNamed(l.name()); p != nil {
		return mapi.Bag{*p}, p.Tag.ID()
	}
	return nil, 0
}

func (b bag) number(l lid) (int32, bool) {
	one, id := b.alone(l)
	return one.Int32(id)
}

func (b bag) flag(l lid) bool {
	one, id := b.alone(l)
	v, _ := one.Bool(id)
	return v
}

// moment is a time; the year 4501 is how Outlook says none.
func (b bag) moment(l lid) (time.Time, bool) {
	one, id := b.alone(l)
	t, ok := one.Time(id)
	return t, ok && t.Year() <= lastYear
}

func (b bag) binary(l lid) []byte {
	one, id := b.alone(l)
	return one.Binary(id)
}

func (b bag) string(l lid) string {
	if list := b.TextsNamed(l.name()); len(list) > 0 {
		return list[0]
	}
	return ""
}

func (b bag) setNumber(l lid, v int32)      { b.Set(mapi.NewNamedInt32(l.name(), v)) }
func (b bag) setFlag(l lid, v bool)         { b.Set(mapi.NewNamedBool(l.name(), v)) }
func (b bag) setTime(l lid, t time.Time)    { b.Set(mapi.NewNamedTime(l.name(), t)) }
func (b bag) setText(l lid, s string)       { b.Set(mapi.NewNamedText(l.name(), s)) }
func (b bag) setBinary(l lid, value []byte) { b.setNamed(l, mapi.NewBinary(mapi.FirstNamed, value)) }

func (b bag) setFloat(l lid, v float64) {
	data := binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
	b.setNamed(l, mapi.Property{Tag: mapi.MakeTag(mapi.FirstNamed, mapi.TypeFloat64), Data: data, Size: 8})
}

func (b bag) float(l lid) (float64, bool) {
	p := b.FindNamed(l.name())
	if p == nil || p.Tag.Type() != mapi.TypeFloat64 || len(p.Data) != 8 {
		return 0, false
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(p.Data)), true
}

func (b bag) setNamed(l lid, p mapi.Property) {
	n := l.name()
	p.Name = &n
	b.Set(p)
}

// fill sets a property that is not there yet.
func (b bag) fill(p mapi.Property) {
	if b.Find(p.Tag.ID()) == nil {
		b.Set(p)
	}
}
