package exchangetest

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
)

func (s schema) defineAttachments() {
	s.define("AttachmentShape", "", "t:IncludeMimeContent=boolean?", "t:BodyType=BodyKind?", "t:FilterHtmlContent=boolean?", "t:AdditionalProperties?")
	s.define("AttachmentId", "Id!")
	s.define("RequestAttachmentIds", "", "t:AttachmentId+")
	s.define("GetAttachment", "", "m:AttachmentShape?", "m:AttachmentIds=RequestAttachmentIds")
	s.define("CreateAttachment", "", "m:ParentItemId=ItemId", "m:Attachments")
	s.define("DeleteAttachment", "", "m:AttachmentIds=RequestAttachmentIds")
}

// attach stores attachments given inline.
func (k maker) attach(m *mapi.Message, list *etree.Element) *failure {
	for a := range list.ChildElementsSeq() {
		made := mapi.Attachment{Properties: attachmentHead(a)}
		switch a.Tag {
		case "FileAttachment":
			data, _ := decodeBase64(childText(a, "Content")) // the schema saw to it
			made.Properties.Set(mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachByValue))
			made.Properties.Set(mapi.NewBinary(mapi.PidTagAttachData, data))
			if isTrue(childText(a, "IsContactPhoto")) {
				made.Properties.Set(mapi.NewBool(tagContactPhoto, true))
			}
		case "ItemAttachment":
			inside, f := k.embedded(a)
			if f != nil {
				return f
			}
			made.Embedded = inside
			made.Properties.Set(mapi.NewInt32(mapi.PidTagAttachMethod, mapi.AttachEmbedded))
		default:
			return fail("ErrorInvalidItemForOperationCreateItemAttachment") // todo: EWS ReferenceAttachment
		}
		made.Properties.Set(mapi.NewTime(mapi.PidTagLastModificationTime, k.now))
		m.Attachments = append(m.Attachments, made)
	}
	return nil
}

// embedded makes the item in an attachment.
func (k maker) embedded(a *etree.Element) (*mapi.Message, *failure) {
	list := a.ChildElements()
	if len(list) == 0 {
		return nil, fail("ErrorMissingItemForCreateItemAttachment")
	}
	item := list[len(list)-1]
	if newKinds()[item.Tag] == (newKind{}) {
		return nil, fail("ErrorInvalidItemForOperationCreateItemAttachment")
	}
	m, _, f := fromMime(item)
	if f != nil {
		return nil, f
	}
	if m.Properties.Find(mapi.PidTagMessageClass) == nil {
		m.Properties.Set(mapi.NewText(mapi.PidTagMessageClass, newKinds()[item.Tag].class))
	}
	return m, k.setGiven(m, item)
}

// attachmentHead is what attachments of all kinds have. [MS-OXCMSG] 2.2.2
func attachmentHead(a *etree.Element) mapi.Bag {
	name := childText(a, "Name")
	b := mapi.Bag{
		mapi.NewText(mapi.PidTagAttachLongFilename, name),
		mapi.NewText(mapi.PidTagDisplayName, name),
		mapi.NewInt32(mapi.PidTagRenderingPosition, -1),
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		b.Set(mapi.NewText(mapi.PidTagAttachExtension, name[dot:]))
	}
	for _, f := range attachmentTexts() {
		if v := childText(a, strings.TrimPrefix(f.name, "t:")); v != "" {
			b.Set(mapi.NewText(f.id, v))
		}
	}
	if isTrue(childText(a, "IsInline")) {
		b.Set(mapi.NewInt32(mapi.PidTagAttachFlags, mapi.AttachRendered))
		b.Set(mapi.NewBool(mapi.PidTagAttachmentHidden, true))
	}
	return b
}

// attachmentTexts are in the order of AttachmentType.
func attachmentTexts() []struct {
	name string
	id   uint16
} {
	return []struct {
		name string
		id   uint16
	}{
		{"t:ContentType", mapi.PidTagAttachMimeTag}, {"t:ContentId", mapi.PidTagAttachContentID},
		{"t:ContentLocation", mapi.PidTagAttachContentLocation},
	}
}

// attachmentID is the id of an attachment: that of its item, its index and those of
// the attachments that it is in, outermost first, big endian, and how many they are.
func attachmentID(item objectID, at []int) string {
	b := item.bytes()
	for _, i := range at {
		b = append(b, byte(i>>8), byte(i))
	}
	return base64.StdEncoding.EncodeToString(append(b, byte(len(at))))
}

func parseAttachmentID(text string) (item *etree.Element, at []int, f *failure) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) == 0 || b[len(b)-1] == 0 || len(b) < 2*int(b[len(b)-1])+1 {
		return nil, nil, fail("ErrorInvalidAttachmentId")
	}
	n := len(b) - 1 - 2*int(b[len(b)-1])
	for i := n; i < len(b)-1; i += 2 {
		at = append(at, int(b[i])<<8|int(b[i+1]))
	}
	item = etree.NewElement("ItemId")
	item.CreateAttr("Id", base64.StdEncoding.EncodeToString(b[:n]))
	return item, at, nil
}

// attachmentIn is the attachment with that path.
func attachmentIn(m *mapi.Message, at []int) *mapi.Attachment {
	var a *mapi.Attachment
	for _, i := range at {
		if m == nil || i >= len(m.Attachments) {
			return nil
		}
		a = &m.Attachments[i]
		m = a.Embedded
	}
	return a
}

// writeAttachments lists them; their content is for GetAttachment. Modified
// instances of a series are attachments of the store alone.
func writeAttachments(x *xmlWriter, d *itemData) error {
	x.around("t:Attachments", func(open func()) {
		for i := range d.m.Attachments {
			if !calendar.IsException(&d.m.Attachments[i]) {
				open()
				startAttachment(x, d, i)
				x.end()
			}
		}
	})
	return nil
}

// startAttachment writes what attachments of all kinds have.
func startAttachment(x *xmlWriter, d *itemData, i int) {
	a := &d.m.Attachments[i]
	element, size := "t:FileAttachment", int64(0)
	if a.Embedded != nil {
		element = "t:ItemAttachment"
	}
	if p := a.Data(); p != nil {
		size = p.Len()
	}
	x.start(element)
	x.empty("t:AttachmentId", "Id", attachmentID(d.object, append(slices.Clip(d.within), i)))
	x.leaf("t:Name", a.Name())
	for _, f := range attachmentTexts() {
		if s := a.Properties.Text(f.id); s != "" {
			x.leaf(f.name, s)
		}
	}
	x.leaf("t:Size", strconv.FormatInt(min(size, math.MaxInt32), 10))
	if t, ok := a.Properties.Time(mapi.PidTagLastModificationTime); ok {
		x.leaf("t:LastModifiedTime", stampText(t))
	}
	x.flag("t:IsInline", a.Hidden())
	if photo, ok := a.Properties.Bool(tagContactPhoto); ok && a.Embedded == nil {
		x.flag("t:IsContactPhoto", photo)
	}
}

// getAttachment gives the content of an attachment; one that is an item is that item, with MIME content where it is asked for.
func (c *call) getAttachment(unit *etree.Element) (content, *failure) {
	item, at, f := parseAttachmentID(attr(unit, "Id"))
	if f != nil {
		return nil, f
	}
	v, f := c.view(item)
	if f != nil {
		return nil, f
	}
	s, f := attachmentShape(child(c.body, "AttachmentShape"))
	if f != nil {
		return nil, f
	}
	data, f := loadItem(v, s, all)
	if f != nil {
		return nil, f
	}
	a := attachmentIn(data.m, at)
	if a == nil {
		return nil, fail("ErrorInvalidAttachmentId")
	}
	data.within = at[:len(at)-1]
	if outer := attachmentIn(data.m, data.within); outer != nil {
		data.m = outer.Embedded
	}
	var out bytes.Buffer
	if p := a.Data(); p != nil {
		if _, err := io.Copy(&out, io.LimitReader(p.Open(), math.MaxInt32)); err != nil {
			return nil, fail("ErrorCannotOpenFileAttachment")
		}
	}
	return func(x *xmlWriter) error {
		x.start("m:Attachments")
		startAttachment(x, &data, at[len(at)-1])
		if a.Embedded != nil {
			if err := data.inside(a, at).write(x, all); err != nil {
				return err
			}
		} else {
			x.leaf("t:Content", base64.StdEncoding.EncodeToString(out.Bytes()))
		}
		x.end()
		x.end()
		return nil
	}, nil
}

// attachmentShape is all of an item, with its MIME content where nothing is said. EWS: the base shape of an AttachmentShape is AllProperties
func attachmentShape(given *etree.Element) (shape, *failure) {
	e := etree.NewElement("AttachmentShape")
	if given != nil {
		e = given.Copy()
	} else {
		e.CreateElement("IncludeMimeContent").SetText("true")
	}
	e.CreateElement("BaseShape").SetText("AllProperties")
	return readShape(e)
}

// inside is the item in an attachment. It has no id of its own: that of the attachment stands for it.
func (data itemData) inside(a *mapi.Attachment, at []int) itemData {
	data.m, data.within, data.id, data.parentID = a.Embedded, at, "", ""
	data.rev = newRevision(nil, a.Embedded.Class(), lengthOf(a.Embedded), a.Embedded.Read())
	if itemElement(data.rev.class) == "t:DistributionList" || data.rev.class == "" {
		data.rev.class = "IPM" // a thing for which ItemAttachmentType has no element
	}
	return data
}

// createAttachment attaches one to an item that is there.
func (c *call) createAttachment(unit *etree.Element) (content, *failure) {
	parent := child(c.body, "ParentItemId").Copy()
	parent.Tag = "ItemId"
	list := etree.NewElement("Attachments")
	list.AddChild(unit.Copy())
	k := c.maker()
	at := 0
	v, f := c.revise(parent, func(m *mapi.Message) *failure {
		at = len(m.Attachments)
		if f := k.attach(m, list); f != nil {
			return f
		}
		return k.noteAttachments(m)
	})
	if f != nil {
		return nil, f
	}
	return func(x *xmlWriter) error {
		x.start("m:Attachments")
		x.start("t:" + unit.Tag)
		x.empty("t:AttachmentId", "Id", attachmentID(v.object, []int{at}), "RootItemId", v.id, "RootItemChangeKey", v.key)
		x.end()
		x.end()
		return nil
	}, nil
}

func (c *call) deleteAttachment(unit *etree.Element) (content, *failure) {
	item, at, f := parseAttachmentID(attr(unit, "Id"))
	if f != nil {
		return nil, f
	}
	k := c.maker()
	v, f := c.revise(item, func(m *mapi.Message) *failure {
		within := m
		if outer := attachmentIn(m, at[:len(at)-1]); outer != nil {
			within = outer.Embedded
		}
		i := at[len(at)-1]
		if within == nil || i >= len(within.Attachments) {
			return fail("ErrorInvalidAttachmentId")
		}
		within.Attachments = slices.Delete(slices.Clone(within.Attachments), i, i+1)
		return k.noteAttachments(m)
	})
	if f != nil {
		return nil, f
	}
	return func(x *xmlWriter) error {
		x.empty("m:RootItemId", "RootItemId", v.id, "RootItemChangeKey", v.key)
		return nil
	}, nil
}

// noteAttachments is for an item whose attachments are others than before.
func (k maker) noteAttachments(m *mapi.Message) *failure {
	m.Properties.Set(mapi.NewTime(mapi.PidTagLastModificationTime, k.now))
	if itemElement(m.Class()) == "t:Contact" {
		makeContact(m)
	}
	return nil
}
