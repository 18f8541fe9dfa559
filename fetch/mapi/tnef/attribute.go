package tnef

import (
	"encoding/binary"
	"fmt"
	"slices"

	"mailbrick/fetch/mapi"
)

// Attributes [MS-OXTNEF] 2.1.3.2.
const (
	attOwner                uint32 = 0x00060000
	attSentFor              uint32 = 0x00060001
	attDelegate             uint32 = 0x00060002
	attDateStart            uint32 = 0x00030006
	attDateEnd              uint32 = 0x00030007
	attAidOwner             uint32 = 0x00040008
	attAidOwnerOld          uint32 = 0x00050008
	attRequestRes           uint32 = 0x00040009
	attFrom                 uint32 = 0x00008000
	attSubject              uint32 = 0x00018004
	attDateSent             uint32 = 0x00038005
	attDateRecd             uint32 = 0x00038006
	attMessageStatus        uint32 = 0x00068007
	attMessageClass         uint32 = 0x00078008
	attMessageID            uint32 = 0x00018009
	attParentID             uint32 = 0x0001800A
	attConversationID       uint32 = 0x0001800B
	attBody                 uint32 = 0x0002800C
	attPriority             uint32 = 0x0004800D
	attAttachData           uint32 = 0x0006800F
	attAttachTitle          uint32 = 0x00018010
	attAttachMetaFile       uint32 = 0x00068011
	attAttachCreateDate     uint32 = 0x00038012
	attAttachModifyDate     uint32 = 0x00038013
	attDateModified         uint32 = 0x00038020
	attAttachTransport      uint32 = 0x00069001
	attRendData             uint32 = 0x00069002
	attMsgProps             uint32 = 0x00069003
	attRecipTable           uint32 = 0x00069004
	attAttachment           uint32 = 0x00069005
	attTnefVersion          uint32 = 0x00089006
	attOemCodepage          uint32 = 0x00069007
	attOriginalMessageClass uint32 = 0x00070006
	attOriginalClassSwapped uint32 = 0x00070600 // some writers swap the bytes of its number
)

// attribute is one record of a stream; id 0 is none.
type attribute struct {
	id   uint32
	data []byte
	cut  int64 // bytes missing at its end
}

const (
	levelMessage    = 1
	levelAttachment = 2
	attributeHeader = 9
	checksumSize    = 2
)

// next cuts the first attribute off data. The error tells what is wrong with it;
// rest is empty where nothing more can be read.
func next(data []byte) (a attribute, rest []byte, err error) {
	if level := data[0]; level != levelMessage && level != levelAttachment || len(data) < attributeHeader {
		return a, nil, fmt.Errorf("%d bytes at the end are no attribute", len(data))
	}
	a.id = binary.LittleEndian.Uint32(data[1:])
	length := int64(binary.LittleEndian.Uint32(data[5:]))
	data = data[attributeHeader:]
	if have := int64(len(data)); length > have {
		a.data, a.cut = data, length-have
		return a, nil, fmt.Errorf("attribute %08X: cut short: %d of %d bytes", a.id, have, length)
	}
	a.data, data = data[:length:length], data[length:]
	if len(data) < checksumSize {
		return a, nil, fmt.Errorf("attribute %08X: no checksum", a.id)
	}
	want := binary.LittleEndian.Uint16(data)
	// Old writers had wrong checksums on classes [MS-OXTNEF] 2.3.3.4.
	if got := checksum(a.data); got != want && !slices.Contains([]uint32{attMessageClass, attOriginalMessageClass, attOriginalClassSwapped}, a.id) {
		err = fmt.Errorf("attribute %08X: checksum %04X, its data has %04X", a.id, want, got)
	}
	return a, data[checksumSize:], err
}

// checksum is the sum of the bytes [MS-OXTNEF] 2.1.3.
func checksum(data []byte) uint16 {
	sum := uint16(0)
	for _, b := range data {
		sum += uint16(b)
	}
	return sum
}

const defaultCodePage = 1252

// oemCodePage is what the stream says of its 8-bit strings, 0 when it does not say.
func oemCodePage(data []byte) int {
	for len(data) >= attributeHeader {
		id, length := binary.LittleEndian.Uint32(data[1:]), int64(binary.LittleEndian.Uint32(data[5:]))
		data = data[attributeHeader:]
		if id == attOemCodepage && length >= 4 && len(data) >= 4 {
			return int(binary.LittleEndian.Uint32(data))
		}
		data = data[min(length+checksumSize, int64(len(data))):]
	}
	return 0
}

// checkCodePage is cp, or the default where 8-bit strings cannot be in cp.
func (s *stream) checkCodePage(cp int) int {
	if mapi.CharsetOf(cp) == "" || cp == 1200 || cp == 1201 {
		s.warn("code page %d is not known: read as %d", cp, s.codePage)
		return s.codePage
	}
	return cp
}
