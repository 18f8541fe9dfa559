package exchangetest

import (
	"math"
	"strings"

	"mailbrick/fetch/mapi"
)

// itemView is what an answer says of an item, taken while the mailbox was locked.
type itemView struct {
	id, key             string
	parentID, parentKey string
	object              objectID
	parent              objectID
	associated          bool
	rev                 *revision
}

// viewItem takes it. The mailbox is locked.
func (m *Mailbox) viewItem(it *item) itemView {
	id := m.itemID(it)
	parent := m.folderID(it.folder)
	return itemView{
		id: id.String(), key: changeKey(itemKind(it.rev.class), m.guid, it.rev.number), object: id, parent: parent,
		parentID: parent.String(), parentKey: m.folderKey(it.folder), associated: it.associated, rev: it.rev,
	}
}

// itemKind is the kind of object in the change keys of a class.
func itemKind(class string) uint32 {
	switch itemElement(class) {
	case "t:CalendarItem":
		return kindAppointment
	case "t:Contact":
		return kindContact
	case "t:DistributionList":
		return kindList
	case "t:Task":
		return kindTask
	}
	return kindMessage
}

// itemElement is the name of an item's element, which follows from its class.
func itemElement(class string) string {
	for _, c := range []struct{ class, element string }{
		{"IPM.Note", "t:Message"},
		{"REPORT", "t:Message"},
		{"IPM.Appointment", "t:CalendarItem"},
		{"IPM.Contact", "t:Contact"},
		{"IPM.DistList", "t:DistributionList"},
		{"IPM.Task", "t:Task"},
		{"IPM.Post", "t:PostItem"},
		{"IPM.Schedule.Meeting.Request", "t:MeetingRequest"},
		{"IPM.Schedule.Meeting.Canceled", "t:MeetingCancellation"},
		{"IPM.Schedule.Meeting.Resp", "t:MeetingResponse"},
	} {
		rest, found := cutClass(class, c.class)
		if found && (rest == "" || rest[0] == '.') {
			return c.element
		}
	}
	return "t:Item"
}

// cutClass is strings.CutPrefix for classes, which know no case.
func cutClass(class, prefix string) (rest string, found bool) {
	if len(class) < len(prefix) || !strings.EqualFold(class[:len(prefix)], prefix) {
		return "", false
	}
	return class[len(prefix):], true
}

// detail is how much an answer may say of an item: listings (FindItem,
// SyncFolderItems) have no bodies, attachments, recipients. EWS 8.
type detail bool

const (
	listing detail = false
	all     detail = true
)

// itemData is an item whose properties are being written.
type itemData struct {
	itemView
	shape  shape
	m      *mapi.Message // nil: not needed, or not to be had
	within []int         // the attachments that it is in, see attachmentID
}

// loadItem reads what the shape needs, before anything is written.
func loadItem(v itemView, s shape, d detail) (itemData, *failure) {
	data := itemData{itemView: v, shape: s}
	if !s.needsMessage(d) {
		return data, nil
	}
	keep := int64(64 << 10)
	if d == all {
		keep = math.MaxInt64
	}
	m, err := v.rev.source.message(keep)
	if err != nil {
		return data, fail("ErrorContentConversionFailed")
	}
	data.m = m
	return data, nil
}

// needsMessage says whether an answer needs more than what the mailbox knows.
func (s shape) needsMessage(d detail) bool {
	if len(s.extended) > 0 {
		return true
	}
	for _, p := range s.items {
		if p.field != "" && !p.cheap && (d == all || p.listed) {
			return true
		}
	}
	return false
}

// writeItem writes an item of a listing; what cannot be read of it is left out.
func writeItem(x *xmlWriter, v itemView, s shape, d detail) error {
	data, _ := loadItem(v, s, d)
	return data.write(x, d)
}

// write writes the item's element in the order of types.xsd.
func (data itemData) write(x *xmlWriter, d detail) error {
	element := itemElement(data.rev.class)
	x.start(element)
	for _, p := range data.shape.items {
		if p.field == "" {
			for _, e := range data.shape.extended {
				e.write(x, data.extended(e))
			}
			continue
		}
		if d == listing && !p.listed || !p.cheap && data.m == nil || !p.belongs(element) {
			continue
		}
		if err := p.write(x, &data); err != nil {
			return err
		}
	}
	x.end()
	return nil
}

// extended is the value of an item's extended property, nil when it has none.
func (data itemData) extended(e extendedField) *mapi.Property {
	if data.m == nil {
		return nil
	}
	if e.name != nil {
		return data.m.Properties.FindNamed(*e.name)
	}
	var p mapi.Property
	switch e.tag {
	case mapi.PidTagEntryID:
		p = mapi.NewBinary(e.tag, data.object.entry())
	case mapi.PidTagSourceKey:
		p = mapi.NewBinary(e.tag, sourceKey(data.object))
	case 0x0E09: // PidTagParentEntryId
		p = mapi.NewBinary(e.tag, data.parent.entry())
	case mapi.PidTagMessageSize:
		p = mapi.NewInt32(e.tag, int32(min(data.rev.length, math.MaxInt32)))
	case mapi.PidTagHasAttachments:
		p = mapi.NewBool(e.tag, data.m.HasAttachments())
	case 0x67AA: // PidTagAssociated
		p = mapi.NewBool(e.tag, data.associated)
	default:
		return data.m.Properties.Find(e.tag)
	}
	return &p
}
