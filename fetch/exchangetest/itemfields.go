package exchangetest

import (
	"bytes"
	"encoding/base64"
	"html"
	"math"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
)

// itemProperty is a property that an item's element may hold.
type itemProperty struct {
	field  string // its FieldURI; "" is the place of extended properties
	from   string // the smallest base shape that has it; "": only when asked for
	listed bool   // listings have it
	cheap  bool   // known without reading the item
	write  func(*xmlWriter, *itemData) error
}

const (
	listed = true
	cheap  = true
)

// itemProperties are in the order of ItemType and MessageType of types.xsd.
func itemProperties() []itemProperty {
	return []itemProperty{
		{"item:MimeContent", "", !listed, !cheap, writeMime},
		{"item:ItemId", "IdOnly", listed, cheap, writeItemID},
		{"item:ParentFolderId", "AllProperties", listed, cheap, writeParent},
		{"item:ItemClass", "AllProperties", listed, cheap, text("t:ItemClass", func(d *itemData) string { return d.rev.class })},
		{"item:Subject", "Default", listed, !cheap, text("t:Subject", func(d *itemData) string { return d.m.Subject() })},
		{"item:Sensitivity", "Default", listed, !cheap, text("t:Sensitivity", sensitivity)},
		{"item:Body", "Default", !listed, !cheap, writeBody},
		{"item:Attachments", "Default", !listed, !cheap, writeAttachments},
		{"item:DateTimeReceived", "AllProperties", listed, !cheap, when("t:DateTimeReceived", mapi.PidTagMessageDeliveryTime)},
		{"item:Size", "Default", listed, cheap, text("t:Size", func(d *itemData) string {
			return strconv.FormatInt(min(d.rev.length, math.MaxInt32), 10)
		})},
		{"item:Categories", "AllProperties", listed, !cheap, writeCategories},
		{"item:Importance", "AllProperties", listed, !cheap, text("t:Importance", importance)},
		{"item:InReplyTo", "AllProperties", listed, !cheap, property("t:InReplyTo", mapi.PidTagInReplyToID)},
		{"item:IsSubmitted", "AllProperties", listed, !cheap, flagged("t:IsSubmitted", mapi.FlagSubmitted)},
		{"item:IsDraft", "AllProperties", listed, !cheap, flagged("t:IsDraft", mapi.FlagUnsent)},
		{"item:IsFromMe", "AllProperties", listed, !cheap, flagged("t:IsFromMe", mapi.FlagFromMe)},
		{"item:IsUnmodified", "AllProperties", listed, !cheap, flagged("t:IsUnmodified", mapi.FlagUnmodified)},
		{"item:DateTimeSent", "Default", listed, !cheap, when("t:DateTimeSent", mapi.PidTagClientSubmitTime)},
		{"item:DateTimeCreated", "Default", listed, !cheap, when("t:DateTimeCreated", mapi.PidTagCreationTime)},
		{"item:DisplayCc", "AllProperties", listed, !cheap, text("t:DisplayCc", func(d *itemData) string { return display(d.m.Cc()) })},
		{"item:DisplayTo", "AllProperties", listed, !cheap, text("t:DisplayTo", func(d *itemData) string { return display(d.m.To()) })},
		{"item:HasAttachments", "Default", listed, !cheap, truth("t:HasAttachments", func(d *itemData) bool { return d.m.HasAttachments() })},
		{},
		{"item:EffectiveRights", "AllProperties", listed, cheap, func(x *xmlWriter, _ *itemData) error { writeRights(x, false); return nil }},
		{"item:LastModifiedTime", "AllProperties", listed, !cheap, when("t:LastModifiedTime", mapi.PidTagLastModificationTime)},
		{"item:IsAssociated", "AllProperties", listed, cheap, truth("t:IsAssociated", func(d *itemData) bool { return d.associated })},
		{"item:ConversationId", "AllProperties", listed, !cheap, writeConversation},
		{"item:RetentionDate", "", listed, !cheap, when("t:RetentionDate", 0x301C)},
		{"item:TextBody", "", !listed, !cheap, writeTextBody},
		{"message:Sender", "AllProperties", listed, !cheap, person("t:Sender", (*mapi.Message).Sender)},
		{"message:ToRecipients", "Default", !listed, !cheap, people("t:ToRecipients", (*mapi.Message).To)},
		{"message:CcRecipients", "Default", !listed, !cheap, people("t:CcRecipients", (*mapi.Message).Cc)},
		{"message:BccRecipients", "Default", !listed, !cheap, people("t:BccRecipients", (*mapi.Message).Bcc)},
		{"message:IsReadReceiptRequested", "AllProperties", listed, !cheap, asked("t:IsReadReceiptRequested", mapi.PidTagReadReceiptRequested)},
		{"message:IsDeliveryReceiptRequested", "AllProperties", listed, !cheap, asked("t:IsDeliveryReceiptRequested", mapi.PidTagOriginatorDeliveryReport)},
		{"message:ConversationIndex", "AllProperties", listed, !cheap, writeConversationIndex},
		{"message:ConversationTopic", "AllProperties", listed, !cheap, property("t:ConversationTopic", mapi.PidTagConversationTopic)},
		{"message:From", "Default", listed, !cheap, person("t:From", (*mapi.Message).From)},
		{"message:InternetMessageId", "AllProperties", listed, !cheap, property("t:InternetMessageId", mapi.PidTagInternetMessageID)},
		{"message:IsRead", "Default", listed, cheap, truth("t:IsRead", func(d *itemData) bool { return d.rev.read })},
		{"message:References", "AllProperties", listed, !cheap, property("t:References", mapi.PidTagInternetReferences)},
	}
}

func text(name string, of func(*itemData) string) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		x.leaf(name, of(d))
		return nil
	}
}

func truth(name string, of func(*itemData) bool) func(*xmlWriter, *itemData) error {
	return text(name, func(d *itemData) string { return boolText(of(d)) })
}

func flagged(name string, flag int32) func(*xmlWriter, *itemData) error {
	return truth(name, func(d *itemData) bool {
		flags, _ := d.m.Properties.Int32(mapi.PidTagMessageFlags)
		return flags&flag != 0
	})
}

func asked(name string, id uint16) func(*xmlWriter, *itemData) error {
	return truth(name, func(d *itemData) bool {
		v, _ := d.m.Properties.Bool(id)
		return v
	})
}

// property writes a string property where the item has it.
func property(name string, id uint16) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		if s := d.m.Properties.Text(id); s != "" {
			x.leaf(name, s)
		}
		return nil
	}
}

func when(name string, id uint16) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		if t, ok := d.m.Properties.Time(id); ok {
			x.leaf(name, stampText(t.Truncate(time.Second)))
		}
		return nil
	}
}

func writeItemID(x *xmlWriter, d *itemData) error {
	x.empty("t:ItemId", "Id", d.id, "ChangeKey", d.key)
	return nil
}

func writeParent(x *xmlWriter, d *itemData) error {
	x.empty("t:ParentFolderId", "Id", d.parentID, "ChangeKey", d.parentKey)
	return nil
}

func writeMime(x *xmlWriter, d *itemData) error {
	var b bytes.Buffer
	if err := eml.Write(&b, d.m); err != nil {
		return err
	}
	x.leaf("t:MimeContent", base64.StdEncoding.EncodeToString(b.Bytes()), "CharacterSet", "UTF-8")
	return nil
}

func sensitivity(d *itemData) string {
	v, _ := d.m.Properties.Int32(mapi.PidTagSensitivity)
	return word(v, "Normal", "Personal", "Private", "Confidential")
}

func importance(d *itemData) string {
	v, ok := d.m.Properties.Int32(mapi.PidTagImportance)
	if !ok {
		v = 1
	}
	return word(v, "Low", "Normal", "High")
}

// word is the word for a number, the first for one out of range.
func word(n int32, words ...string) string {
	if n < 0 || int(n) >= len(words) {
		return words[0]
	}
	return words[n]
}

// writeBody writes the best body or makes the kind that was asked for.
func writeBody(x *xmlWriter, d *itemData) error {
	page := d.m.HTML()
	switch {
	case d.shape.body == "Text" || d.shape.body == "Best" && page == "":
		x.leaf("t:Body", d.m.BodyText(), "BodyType", "Text")
	case page != "":
		x.leaf("t:Body", page, "BodyType", "HTML")
	default:
		x.leaf("t:Body", "<html><body><pre>"+html.EscapeString(d.m.BodyText())+"</pre></body></html>", "BodyType", "HTML")
	}
	return nil
}

func writeTextBody(x *xmlWriter, d *itemData) error {
	x.leaf("t:TextBody", d.m.BodyText(), "BodyType", "Text")
	return nil
}

func writeCategories(x *xmlWriter, d *itemData) error {
	list := d.m.Categories()
	if len(list) == 0 {
		return nil // clients trip over empty lists
	}
	x.start("t:Categories")
	for _, c := range list {
		x.leaf("t:String", c)
	}
	x.end()
	return nil
}

// writeAttachments lists them; their content is for GetAttachment.
func writeAttachments(x *xmlWriter, d *itemData) error {
	if len(d.m.Attachments) == 0 {
		return nil
	}
	x.start("t:Attachments")
	for i := range d.m.Attachments {
		writeAttachment(x, d, i)
	}
	x.end()
	return nil
}

func writeAttachment(x *xmlWriter, d *itemData, i int) {
	a := &d.m.Attachments[i]
	element, size := "t:FileAttachment", int64(0)
	if a.Embedded != nil {
		element = "t:ItemAttachment"
	}
	if p := a.Data(); p != nil {
		size = p.Len()
	}
	id := append(d.object.bytes(), byte(i>>8), byte(i), 1)
	x.start(element)
	x.empty("t:AttachmentId", "Id", base64.StdEncoding.EncodeToString(id))
	x.leaf("t:Name", a.Name())
	for _, f := range []struct {
		name string
		id   uint16
	}{{"t:ContentType", mapi.PidTagAttachMimeTag}, {"t:ContentId", mapi.PidTagAttachContentID}} {
		if s := a.Properties.Text(f.id); s != "" {
			x.leaf(f.name, s)
		}
	}
	x.leaf("t:Size", strconv.FormatInt(min(size, math.MaxInt32), 10))
	x.flag("t:IsInline", a.Hidden())
	x.end()
}

// writeConversation makes the id of the topic: messages of one topic are one conversation.
func writeConversation(x *xmlWriter, d *itemData) error {
	topic := d.m.Properties.Text(mapi.PidTagConversationTopic)
	if topic == "" {
		return nil
	}
	key := searchKey("conversation", d.object.mailbox.String(), topic)
	x.empty("t:ConversationId", "Id", base64.StdEncoding.EncodeToString(key[:]))
	return nil
}

func writeConversationIndex(x *xmlWriter, d *itemData) error {
	if b := d.m.Properties.Binary(mapi.PidTagConversationIndex); len(b) > 0 {
		x.leaf("t:ConversationIndex", base64.StdEncoding.EncodeToString(b))
	}
	return nil
}

func display(list []mapi.Address) string {
	var names []string
	for _, a := range list {
		if a.Name == "" {
			a.Name = a.Email
		}
		names = append(names, a.Name)
	}
	return strings.Join(names, "; ")
}

func person(name string, of func(*mapi.Message) mapi.Address) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		if a := of(d.m); a != (mapi.Address{}) {
			x.start(name)
			writeAddress(x, a)
			x.end()
		}
		return nil
	}
}

func people(name string, of func(*mapi.Message) []mapi.Address) func(*xmlWriter, *itemData) error {
	return func(x *xmlWriter, d *itemData) error {
		list := of(d.m)
		if len(list) == 0 {
			return nil
		}
		x.start(name)
		for _, a := range list {
			writeAddress(x, a)
		}
		x.end()
		return nil
	}
}

func writeAddress(x *xmlWriter, a mapi.Address) {
	x.start("t:Mailbox")
	if a.Name != "" {
		x.leaf("t:Name", a.Name)
	}
	if a.Email != "" {
		x.leaf("t:EmailAddress", a.Email)
		x.leaf("t:RoutingType", routing(a.Email))
	}
	x.end()
}

func routing(address string) string {
	if strings.Contains(address, "@") {
		return "SMTP"
	}
	return "EX"
}
