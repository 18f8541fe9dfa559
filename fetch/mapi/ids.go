package mapi

// Ids of the properties the project uses [MS-OXPROPS] 2.
const (
	PidTagImportance                   uint16 = 0x0017
	PidTagMessageClass                 uint16 = 0x001A
	PidTagOriginatorDeliveryReport     uint16 = 0x0023
	PidTagPriority                     uint16 = 0x0026
	PidTagReadReceiptRequested         uint16 = 0x0029
	PidTagSensitivity                  uint16 = 0x0036
	PidTagSubject                      uint16 = 0x0037
	PidTagClientSubmitTime             uint16 = 0x0039
	PidTagSentRepresentingSearchKey    uint16 = 0x003B
	PidTagSubjectPrefix                uint16 = 0x003D
	PidTagSentRepresentingEntryID      uint16 = 0x0041
	PidTagSentRepresentingName         uint16 = 0x0042
	PidTagReplyRecipientEntries        uint16 = 0x004F
	PidTagReplyRecipientNames          uint16 = 0x0050
	PidTagSentRepresentingAddressType  uint16 = 0x0064
	PidTagSentRepresentingEmailAddress uint16 = 0x0065
	PidTagConversationTopic            uint16 = 0x0070
	PidTagConversationIndex            uint16 = 0x0071
	PidTagTransportMessageHeaders      uint16 = 0x007D
	PidTagRecipientType                uint16 = 0x0C15
	PidTagSenderEntryID                uint16 = 0x0C19
	PidTagSenderName                   uint16 = 0x0C1A
	PidTagSenderSearchKey              uint16 = 0x0C1D
	PidTagSenderAddressType            uint16 = 0x0C1E
	PidTagSenderEmailAddress           uint16 = 0x0C1F
	PidTagDisplayBcc                   uint16 = 0x0E02
	PidTagDisplayCc                    uint16 = 0x0E03
	PidTagDisplayTo                    uint16 = 0x0E04
	PidTagMessageDeliveryTime          uint16 = 0x0E06
	PidTagMessageFlags                 uint16 = 0x0E07
	PidTagMessageSize                  uint16 = 0x0E08
	PidTagResponsibility               uint16 = 0x0E0F
	PidTagMessageRecipients            uint16 = 0x0E12
	PidTagMessageAttachments           uint16 = 0x0E13
	PidTagHasAttachments               uint16 = 0x0E1B
	PidTagNormalizedSubject            uint16 = 0x0E1D
	PidTagRtfInSync                    uint16 = 0x0E1F
	PidTagAttachSize                   uint16 = 0x0E20
	PidTagAttachNumber                 uint16 = 0x0E21
	PidTagRecordKey                    uint16 = 0x0FF9
	PidTagObjectType                   uint16 = 0x0FFE
	PidTagEntryID                      uint16 = 0x0FFF
	PidTagBody                         uint16 = 0x1000
	PidTagRtfCompressed                uint16 = 0x1009
	PidTagHTML                         uint16 = 0x1013
	PidTagNativeBody                   uint16 = 0x1016
	PidTagInternetMessageID            uint16 = 0x1035
	PidTagInternetReferences           uint16 = 0x1039
	PidTagInReplyToID                  uint16 = 0x1042
	PidTagIconIndex                    uint16 = 0x1080
	PidTagFlagStatus                   uint16 = 0x1090
	PidTagRowid                        uint16 = 0x3000
	PidTagDisplayName                  uint16 = 0x3001
	PidTagAddressType                  uint16 = 0x3002
	PidTagEmailAddress                 uint16 = 0x3003
	PidTagCreationTime                 uint16 = 0x3007
	PidTagLastModificationTime         uint16 = 0x3008
	PidTagSearchKey                    uint16 = 0x300B
	PidTagConversationID               uint16 = 0x3013
	PidTagAttachData                   uint16 = 0x3701 // DataBinary or DataObject, by type
	PidTagAttachExtension              uint16 = 0x3703
	PidTagAttachFilename               uint16 = 0x3704
	PidTagAttachMethod                 uint16 = 0x3705
	PidTagAttachLongFilename           uint16 = 0x3707
	PidTagRenderingPosition            uint16 = 0x370B
	PidTagAttachMimeTag                uint16 = 0x370E
	PidTagAttachContentID              uint16 = 0x3712
	PidTagAttachContentLocation        uint16 = 0x3713
	PidTagAttachFlags                  uint16 = 0x3714
	PidTagAttachmentContentDisposition uint16 = 0x3716
	PidTagTextAttachmentCharset        uint16 = 0x371B
	PidTagDisplayType                  uint16 = 0x3900
	PidTagSMTPAddress                  uint16 = 0x39FE
	PidTagTransmittableDisplayName     uint16 = 0x3A20
	PidTagInternetCodepage             uint16 = 0x3FDE
	PidTagMessageLocaleID              uint16 = 0x3FF1
	PidTagMessageCodepage              uint16 = 0x3FFD
	PidTagSenderSMTPAddress            uint16 = 0x5D01
	PidTagSentRepresentingSMTPAddress  uint16 = 0x5D02
	PidTagRecipientDisplayName         uint16 = 0x5FF6
	PidTagRecipientFlags               uint16 = 0x5FFD
	PidTagSourceKey                    uint16 = 0x65E0
	PidTagChangeKey                    uint16 = 0x65E2
	PidTagPredecessorChangeList        uint16 = 0x65E3
	PidTagMid                          uint16 = 0x674A
	PidTagAttachmentHidden             uint16 = 0x7FFE
)

// Bits of PidTagMessageFlags [MS-OXCMSG] 2.2.1.6.
const (
	FlagRead       int32 = 0x001
	FlagUnmodified int32 = 0x002
	FlagSubmitted  int32 = 0x004
	FlagUnsent     int32 = 0x008
	FlagHasAttach  int32 = 0x010
	FlagFromMe     int32 = 0x020
	FlagFAI        int32 = 0x040
)

// Values of PidTagRecipientType.
const (
	RecipientTo  int32 = 1
	RecipientCc  int32 = 2
	RecipientBcc int32 = 3
)

// Values of PidTagAttachMethod [MS-OXCMSG] 2.2.2.9.
const (
	AttachByValue  int32 = 1
	AttachEmbedded int32 = 5
	AttachOLE      int32 = 6
)

// Values of PidTagNativeBody [MS-OXCMSG] 2.2.1.58.2.
const (
	NativePlain int32 = 1
	NativeRTF   int32 = 2
	NativeHTML  int32 = 3
)

// AttachRendered is the bit of PidTagAttachFlags for a part shown inside the HTML.
const AttachRendered int32 = 4
