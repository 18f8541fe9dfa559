package tnef

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
)

// Ids of the properties that only attributes mean [MS-OXPROPS] 2.
const (
	idConversationKey             uint16 = 0x000B
	idParentKey                   uint16 = 0x0025
	idReceivedRepresentingEntryID uint16 = 0x0043
	idReceivedRepresentingName    uint16 = 0x0044
	idReceivedRepresentingType    uint16 = 0x0077
	idReceivedRepresentingEmail   uint16 = 0x0078
	idOriginalMessageClass        uint16 = 0x004B
	idStartDate                   uint16 = 0x0060
	idEndDate                     uint16 = 0x0061
	idOwnerAppointmentID          uint16 = 0x0062
	idResponseRequested           uint16 = 0x0063
)

// messageAttribute takes an attribute that means properties of the message
// [MS-OXTNEF] 2.1.3.3. One that is cut short means nothing.
func (s *stream) messageAttribute(a attribute) {
	m := &s.message
	if a.cut > 0 && a.id != attBody {
		return
	}
	switch a.id {
	case attSubject:
		m.fill(s.string8(mapi.PidTagSubject, a.data))
	case attBody:
		m.fill(s.string8(mapi.PidTagBody, a.data))
	case attMessageClass:
		m.fill(mapi.NewText(mapi.PidTagMessageClass, class(s.text(a.data))))
	case attOriginalMessageClass, attOriginalClassSwapped:
		m.fill(mapi.NewText(idOriginalMessageClass, class(s.text(a.data))))
	case attDateSent:
		s.fillTime(m, mapi.PidTagClientSubmitTime, a)
	case attDateRecd:
		s.fillTime(m, mapi.PidTagMessageDeliveryTime, a)
	case attDateModified:
		s.fillTime(m, mapi.PidTagLastModificationTime, a)
	case attDateStart:
		s.fillTime(m, idStartDate, a)
	case attDateEnd:
		s.fillTime(m, idEndDate, a)
	case attMessageID:
		s.fillKey(mapi.PidTagSearchKey, a)
	case attParentID:
		s.fillKey(idParentKey, a)
	case attConversationID:
		s.fillKey(idConversationKey, a)
	case attFrom:
		s.fillTriple(a)
	case attSentFor:
		s.fillPair(sentRepresenting(), a.data)
	case attOwner:
		s.owner = a.data
	case attDelegate:
		m.fill(mapi.NewBinary(idReceivedRepresentingEntryID, a.data))
	default:
		s.numberAttribute(a)
	}
}

// numberAttribute takes an attribute that is a number.
func (s *stream) numberAttribute(a attribute) {
	m := &s.message
	v, ok := number(a.data)
	switch {
	case !slices.Contains([]uint32{attPriority, attMessageStatus, attAidOwner, attAidOwnerOld, attRequestRes}, a.id):
		s.warn("attribute %08X: not known, %d bytes", a.id, len(a.data))
	case !ok:
		s.warn("attribute %08X: a number of %d bytes", a.id, len(a.data))
	case a.id == attMessageStatus:
		m.fill(mapi.NewInt32(mapi.PidTagMessageFlags, flags(v)))
	case a.id == attRequestRes:
		m.fill(mapi.NewBool(idResponseRequested, v != 0))
	case a.id == attPriority && v >= 1 && v <= 3: // 1 is high [MS-OXTNEF] 2.1.3.3.11
		m.fill(mapi.NewInt32(mapi.PidTagImportance, int32(3-v)))
	case a.id == attPriority:
		s.warn("attribute %08X: priority %d", a.id, v)
	default:
		m.fill(mapi.NewInt32(idOwnerAppointmentID, int32(v)))
	}
}

// number reads one, two or four bytes.
func number(data []byte) (v uint32, ok bool) {
	switch len(data) {
	case 1:
		return uint32(data[0]), true
	case 2:
		return uint32(binary.LittleEndian.Uint16(data)), true
	case 4:
		return binary.LittleEndian.Uint32(data), true
	}
	return 0, false
}

// flags makes PidTagMessageFlags of attMessageStatus [MS-OXTNEF] 2.1.3.3.8.
func flags(status uint32) int32 {
	const modified, local, submitted, read, hasAttach = 0x01, 0x02, 0x04, 0x20, 0x80
	var v int32
	for _, bit := range []struct {
		status uint32
		flag   int32
	}{{local, mapi.FlagUnsent}, {submitted, mapi.FlagSubmitted}, {read, mapi.FlagRead}, {hasAttach, mapi.FlagHasAttach}} {
		if status&bit.status != 0 {
			v |= bit.flag
		}
	}
	if status&modified == 0 {
		v |= mapi.FlagUnmodified
	}
	return v
}

// class is the message class that an old one stands for [MS-OXTNEF] 2.3.3.4.
func class(name string) string {
	old := strings.TrimPrefix(name, "Microsoft Mail v3.0 ")
	for _, c := range [...][2]string{
		{"IPM.Microsoft Mail.Note", "IPM.Note"},
		{"IPM.Microsoft Mail.Read Receipt", "Report.IPM.Note.IPNRN"},
		{"IPM.Microsoft Mail.Non-Delivery", "Report.IPM.Note.NDR"},
		{"IPM.Microsoft Schedule.MtgRespP", "IPM.Schedule.Meeting.Resp.Pos"},
		{"IPM.Microsoft Schedule.MtgRespN", "IPM.Schedule.Meeting.Resp.Neg"},
		{"IPM.Microsoft Schedule.MtgRespA", "IPM.Schedule.Meeting.Resp.Tent"},
		{"IPM.Microsoft Schedule.MtgReq", "IPM.Schedule.Meeting.Request"},
		{"IPM.Microsoft Schedule.MtgCncl", "IPM.Schedule.Meeting.Canceled"},
	} {
		if strings.EqualFold(old, c[0]) {
			return c[1]
		}
	}
	return name
}

// fillKey takes a binary key in hexadecimal digits [MS-OXTNEF] 2.1.3.3.9.
func (s *stream) fillKey(id uint16, a attribute) {
	digits, _, _ := bytes.Cut(a.data, []byte{0})
	v := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(v, digits); err != nil || len(v) == 0 {
		s.warn("attribute %08X: no key", a.id)
		return
	}
	s.message.fill(mapi.NewBinary(id, v))
}
