package restore

import (
	"encoding/binary"

	"mailbrick/fetch/mapi"
)

// scope is a set of the kinds of object a property may stand in.
type scope uint8

const (
	inMessage scope = 1 << iota
	inRecipient
	inAttachment
)

// stamp is a property that the server sets itself: what was sent and what it holds need not agree.
type stamp struct {
	id  uint16
	in  scope
	why string
}

// stamps is the one list of what is not compared.
func stamps() []stamp {
	const own = "names the object in its mailbox"
	return []stamp{
		{0x3008, inMessage | inAttachment, "PidTagLastModificationTime: saving is a modification"},
		{0x3FFA, inMessage, "PidTagLastModifierName: who restores"},
		{0x3FFB, inMessage, "PidTagLastModifierEntryId: who restores"},
		{0x6709, inMessage, "PidTagLocalCommitTime: when the store saved it"},
		{0x65E0, inMessage, "PidTagSourceKey: " + own},
		{0x65E1, inMessage, "PidTagParentSourceKey: the folder's"},
		{0x65E2, inMessage, "PidTagChangeKey: of the change that the upload is"},
		{0x65E3, inMessage, "PidTagPredecessorChangeList: ends with that change"},
		{0x67A4, inMessage, "PidTagChangeNumber: of that change"},
		{0x6748, inMessage, "PidTagFolderId: the folder's"},
		{0x674A, inMessage, "PidTagMid: " + own},
		{0x674D, inMessage, "PidTagInstID: " + own},
		{0x0FFF, inMessage, "PidTagEntryId: " + own},
		{0x0E09, inMessage, "PidTagParentEntryId: the folder's"},
		{0x0FF6, inMessage, "PidTagInstanceKey: " + own},
		{0x0FF9, inMessage | inAttachment, "PidTagRecordKey: " + own},
		{0x0FFA, inMessage, "PidTagStoreRecordKey: the mailbox's"},
		{0x0FFB, inMessage, "PidTagStoreEntryId: the mailbox's"},
		{0x0FF4, inMessage | inAttachment, "PidTagAccess: of who asks"},
		{0x0FF7, inMessage | inAttachment, "PidTagAccessLevel: of who asks"},
		{0x0E08, inMessage, "PidTagMessageSize: the store's count"},
		{0x0E20, inAttachment, "PidTagAttachSize: the store's count"},
		{0x0E21, inAttachment, "PidTagAttachNumber: given anew"},
		{0x3000, inRecipient, "PidTagRowid: given anew"},
	}
}

// Bits of PidTagMessageFlags that are not compared as such [MS-OXCMSG] 2.2.1.6: mfUnmodified and mfHasAttach the server
// computes; mfRead is compared apart, and mfNotifyRead, mfNotifyUnread and mfEverRead go with it.
const flagsStamped = mapi.FlagRead | mapi.FlagUnmodified | mapi.FlagHasAttach | 0x100 | 0x200 | 0x400

// unstamped is a value without the part that the server sets.
func unstamped(p *mapi.Property) []byte {
	if p.Tag != mapi.MakeTag(mapi.PidTagMessageFlags, mapi.TypeInt32) || len(p.Data) != 4 {
		return p.Data
	}
	flags := int32(binary.LittleEndian.Uint32(p.Data)) &^ flagsStamped
	return binary.LittleEndian.AppendUint32(nil, uint32(flags))
}
