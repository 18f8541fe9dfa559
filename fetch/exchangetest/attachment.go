package exchangetest

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

func (s schema) defineAttachments() {
	s.define("AttachmentShape", "", "t:IncludeMimeContent=boolean?", "t:BodyType=BodyKind?", "t:FilterHtmlContent=boolean?", "t:AdditionalProperties?")
	s.define("AttachmentId", "Id!")
	s.define("AttachmentIds", "", "t:AttachmentId+")
	s.define("GetAttachment", "", "m:AttachmentShape?", "m:AttachmentIds")
}

// attachmentTail is what follows an item's id in the id of an attachment: its index, big endian, and a one.
const attachmentTail = 3

// getAttachment gives the content of an attachment. One that is a message is a message with its MIME content.
func (c *call) getAttachment(unit *etree.Element) (content, *failure) {
	b, err := base64.StdEncoding.DecodeString(attr(unit, "Id"))
	if err != nil || len(b) < attachmentTail {
		return nil, fail("ErrorInvalidAttachmentId")
	}
	n := len(b) - attachmentTail
	item := etree.NewElement("ItemId")
	item.CreateAttr("Id", base64.StdEncoding.EncodeToString(b[:n]))
	v, f := c.view(item)
	if f != nil {
		return nil, f
	}
	data, f := loadItem(v, shape{mime: true}, all)
	if f != nil {
		return nil, f
	}
	index := int(b[n])<<8 | int(b[n+1])
	if data.m == nil || index >= len(data.m.Attachments) {
		return nil, fail("ErrorInvalidAttachmentId")
	}
	a := &data.m.Attachments[index]
	body, f := attachmentBody(a)
	if f != nil {
		return nil, f
	}
	return func(x *xmlWriter) error {
		x.start("m:Attachments")
		defer x.end()
		return body(x, attr(unit, "Id"), a)
	}, nil
}

// attachmentBody reads the attachment before anything is written.
func attachmentBody(a *mapi.Attachment) (func(*xmlWriter, string, *mapi.Attachment) error, *failure) {
	var out bytes.Buffer
	if a.Embedded != nil {
		if err := eml.Write(&out, a.Embedded); err != nil {
			return nil, fail("ErrorMimeContentConversionFailed")
		}
		return func(x *xmlWriter, id string, a *mapi.Attachment) error {
			x.start("t:ItemAttachment")
			x.empty("t:AttachmentId", "Id", id)
			x.leaf("t:Name", a.Name())
			x.start("t:Message")
			x.leaf("t:MimeContent", base64.StdEncoding.EncodeToString(out.Bytes()), "CharacterSet", "UTF-8")
			x.leaf("t:Subject", a.Embedded.Subject())
			x.end()
			x.end()
			return nil
		}, nil
	}
	if p := a.Data(); p != nil {
		if _, err := io.Copy(&out, io.LimitReader(p.Open(), math.MaxInt32)); err != nil {
			return nil, fail("ErrorCannotOpenFileAttachment")
		}
	}
	return func(x *xmlWriter, id string, a *mapi.Attachment) error {
		x.start("t:FileAttachment")
		x.empty("t:AttachmentId", "Id", id)
		x.leaf("t:Name", a.Name())
		if kind := a.Properties.Text(mapi.PidTagAttachMimeTag); kind != "" {
			x.leaf("t:ContentType", kind)
		}
		x.leaf("t:Content", base64.StdEncoding.EncodeToString(out.Bytes()))
		x.end()
		return nil
	}, nil
}
