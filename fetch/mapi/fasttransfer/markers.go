package fasttransfer

import "mailbrick/fetch/mapi"

// Markers [MS-OXCFXICS] 2.2.4.1.4.
const (
	markerStartMessage = 0x400C0003
	markerStartFAIMsg  = 0x40100003
	markerEndMessage   = 0x400D0003
	markerStartEmbed   = 0x40010003
	markerEndEmbed     = 0x40020003
	markerStartRecip   = 0x40030003
	markerEndToRecip   = 0x40040003
	markerNewAttach    = 0x40000003
	markerEndAttach    = 0x400E0003
	markerFXErrorInfo  = 0x40180003
)

// Meta-properties [MS-OXCFXICS] 2.2.4.1.5.
const (
	metaFXDelProp  = 0x40160003
	metaEcWarning  = 0x400F0003
	metaNewFolder  = 0x40110102
	metaDnPrefixID = 0x4008 // its string type varies
)

const (
	delRecipients  = uint32(mapi.PidTagMessageRecipients)<<16 | uint32(mapi.TypeObject)
	delAttachments = uint32(mapi.PidTagMessageAttachments)<<16 | uint32(mapi.TypeObject)
)

// foreignMarker says whether tag belongs to folder or synchronisation streams.
func foreignMarker(tag uint32) bool {
	switch tag {
	case 0x40090003, 0x400A0003, 0x400B0003, // StartTopFld, StartSubFld, EndFolder
		0x40120003, 0x407D0003, 0x40130003, 0x40140003, 0x402F0003, // IncrSyncChg, ChgPartial, Del, End, Read
		0x403A0003, 0x403B0003, 0x4074000B, 0x4075000B, 0x40150003, // StateBegin, StateEnd, ProgressMode, PerMsg, Message
		0x407B0102, 0x407C0003, 0x407A0003: // GroupInfo, GroupId, MessagePartial
		return true
	}
	return false
}

// meta says whether a property is an instruction to the receiver.
func meta(tag uint32) bool {
	return tag == metaFXDelProp || tag == metaEcWarning || tag == metaNewFolder ||
		tag>>16 == metaDnPrefixID && mapi.Type(tag).IsString()
}

// structural says whether a tag steers a stream: as a property of a message it would be read as something else.
func structural(tag uint32) bool {
	switch tag {
	case markerStartMessage, markerStartFAIMsg, markerEndMessage, markerStartEmbed, markerEndEmbed,
		markerStartRecip, markerEndToRecip, markerNewAttach, markerEndAttach, markerFXErrorInfo:
		return true
	}
	return foreignMarker(tag) || meta(tag)
}

// Records; see the package doc.
const (
	opConfig             = 1
	opTransferBuffer     = 2
	opIsInterfaceOk      = 3
	opTellPartnerVersion = 4

	methodCopyTo = 1
	recordHeader = 8
	bufferSize   = 31680
)

// iidMessage is IID_IMessage, {00020307-0000-0000-C000-000000000046}.
const iidMessage = "\x07\x03\x02\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46"

const (
	maxNesting    = 32
	maxName       = 1024
	maxProperties = 1 << 16 // of one object
	longValue     = 1024    // from here on a value is a stream of its own
)
