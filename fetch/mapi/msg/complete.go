package msg

import (
	"strings"

	"mailbrick/fetch/mapi"
)

// idStoreSupportMask has the bit STORE_UNICODE_OK, without which a reader takes
// the strings of a file for 8-bit ones [MS-OXMSG] 2.1.1.1.
const idStoreSupportMask uint16 = 0x340D

const (
	idUnicodeByte = 2
	idUnicodeBit  = 0x04
	supportMask   = 0x00040E79
)

const (
	objectMail   = 6 // MAPI_MAILUSER
	objectAttach = 7 // MAPI_ATTACH
	notInline    = -1
)

// additions is what an object gets beside its properties.
type additions struct {
	properties mapi.Bag
	message    bool
	embedded   bool
	object     uint32 // of the entry of the attachment's storage; 0: none
}

// addTo keeps of defaults those of which bag has no property with the id.
func addTo(bag mapi.Bag, defaults ...mapi.Property) mapi.Bag {
	var list mapi.Bag
	for _, p := range defaults {
		if bag.Find(p.Tag.ID()) == nil {
			list = append(list, p)
		}
	}
	return list
}

// forMessage is what Outlook needs to show a message: without flags it is a
// draft, without display lists the columns To and Cc are empty.
func forMessage(m *mapi.Message, depth int) additions {
	flags := mapi.FlagRead
	if len(m.Attachments) > 0 {
		flags |= mapi.FlagHasAttach
	}
	defaults := []mapi.Property{
		mapi.NewText(mapi.PidTagMessageClass, "IPM.Note"),
		mapi.NewInt32(mapi.PidTagMessageFlags, flags),
		mapi.NewBool(mapi.PidTagHasAttachments, len(m.Attachments) > 0),
		mapi.NewInt32(idStoreSupportMask, supportMask),
	}
	for _, d := range []struct {
		id   uint16
		list func() []mapi.Address
	}{{mapi.PidTagDisplayTo, m.To}, {mapi.PidTagDisplayCc, m.Cc}, {mapi.PidTagDisplayBcc, m.Bcc}} {
		if m.Properties.Find(d.id) != nil {
			continue
		}
		if list := d.list(); len(list) > 0 {
			defaults = append(defaults, mapi.NewText(d.id, display(list)))
		}
	}
	return additions{properties: addTo(m.Properties, defaults...), message: true, embedded: depth > 0}
}

func display(list []mapi.Address) string {
	names := make([]string, len(list))
	for i, a := range list {
		if names[i] = a.Name; a.Name == "" {
			names[i] = a.Email
		}
	}
	return strings.Join(names, "; ")
}

func forRecipient(r mapi.Bag, i int) additions {
	return additions{properties: addTo(r,
		mapi.NewInt32(mapi.PidTagRecipientType, mapi.RecipientTo),
		mapi.NewInt32(mapi.PidTagObjectType, objectMail),
		mapi.NewInt32(mapi.PidTagDisplayType, 0),
		mapi.NewInt32(mapi.PidTagRowid, int32(i)))}
}

func forAttachment(a *mapi.Attachment, i int) additions {
	method := mapi.AttachByValue
	if data := a.Data(); a.Embedded != nil {
		method = mapi.AttachEmbedded
	} else if data != nil && data.Tag.Type() == mapi.TypeObject && compound(data) != nil {
		method = mapi.AttachOLE
	}
	return additions{properties: addTo(a.Properties,
		mapi.NewInt32(mapi.PidTagAttachNumber, int32(i)),
		mapi.NewInt32(mapi.PidTagAttachMethod, method),
		mapi.NewInt32(mapi.PidTagObjectType, objectAttach),
		mapi.NewInt32(mapi.PidTagRenderingPosition, notInline))}
}
