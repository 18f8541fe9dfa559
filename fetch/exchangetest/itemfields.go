package exchangetest

import (
	"bytes"
	"encoding/base64"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/calendar"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/vcard"
)

// itemProperty is a property that an item's element may hold.
type itemProperty struct {
	field  string // its FieldURI; "" is the place of extended properties
	from   string // the smallest base shape that has it; "": only when asked for
	listed bool   // listings have it
	cheap  bool   // known without reading the item
	write  func(*xmlWriter, *itemData) error
	set    setter // nil: clients may not
	joint  bool   // set with others, see maker
}

// setter puts the value of a property element into a message; nil takes it away.
type setter func(*mapi.Message, *etree.Element)

const (
	listed = true
	cheap  = true
)

// itemProperties are in the order of types.xsd: those of all items, then those of one class.
func itemProperties() []itemProperty {
	return slices.Concat(commonProperties(), messageProperties(), calendarProperties(), contactProperties(), taskProperties())
}

// belongs says whether items of that element have the property. EWS: others are legal to ask for, and not returned
func (p itemProperty) belongs(element string) bool {
	class, name, _ := strings.Cut(p.field, ":")
	switch class {
	case "item":
		return true
	case "message":
		return element == "t:Message" || strings.HasPrefix(element, "t:Meeting") ||
			element == "t:PostItem" && slices.Contains(strings.Fields("ConversationIndex ConversationTopic From InternetMessageId IsRead References"), name)
	case "calendar":
		return element == "t:CalendarItem" || element == "t:MeetingRequest" && name != "IsResponseRequested"
	case "contacts":
		return element == "t:Contact"
	case "task":
		return element == "t:Task"
	}
	return false
}

// readOnly is a property that clients may not set.
func readOnly(p itemProperty) itemProperty {
	p.set = nil
	return p
}

func commonProperties() []itemProperty {
	return []itemProperty{
		{"item:MimeContent", "", !listed, !cheap, writeMime, setMime, false},
		{"item:ItemId", "IdOnly", listed, cheap, writeItemID, nil, false},
		{"item:ParentFolderId", "AllProperties", listed, cheap, writeParent, nil, false},
		{"item:ItemClass", "AllProperties", listed, cheap, text("t:ItemClass", func(d *itemData) string { return d.rev.class }), setText(mapi.PidTagMessageClass), false},
		{"item:Subject", "Default", listed, !cheap, text("t:Subject", func(d *itemData) string { return d.m.Subject() }), setSubject, false},
		wordAt("item:Sensitivity", "Default", tagged(mapi.PidTagSensitivity), "Normal", "Personal", "Private", "Confidential"),
		{"item:Body", "Default", !listed, !cheap, writeBody, setBody, false},
		{"item:Attachments", "Default", !listed, !cheap, writeAttachments, nil, false},
		readOnly(timeAt("item:DateTimeReceived", "AllProperties", tagged(mapi.PidTagMessageDeliveryTime))),
		{"item:Size", "Default", listed, cheap, text("t:Size", func(d *itemData) string {
			return strconv.FormatInt(min(d.rev.length, math.MaxInt32), 10)
		}), nil, false},
		{"item:Categories", "AllProperties", listed, !cheap, func(x *xmlWriter, d *itemData) error {
			writeTexts(x, "t:Categories", d.m.Categories())
			return nil
		}, setCategories, false},
		{"item:Importance", "AllProperties", listed, !cheap, text("t:Importance", importance), setImportance, false},
		textAt("item:InReplyTo", "AllProperties", tagged(mapi.PidTagInReplyToID)),
		{"item:IsSubmitted", "AllProperties", listed, !cheap, flagged("t:IsSubmitted", mapi.FlagSubmitted), nil, false},
		{"item:IsDraft", "AllProperties", listed, !cheap, flagged("t:IsDraft", mapi.FlagUnsent), nil, false},
		{"item:IsFromMe", "AllProperties", listed, !cheap, flagged("t:IsFromMe", mapi.FlagFromMe), nil, false},
		{"item:IsUnmodified", "AllProperties", listed, !cheap, flagged("t:IsUnmodified", mapi.FlagUnmodified), nil, false},
		readOnly(timeAt("item:DateTimeSent", "Default", tagged(mapi.PidTagClientSubmitTime))),
		readOnly(timeAt("item:DateTimeCreated", "Default", tagged(mapi.PidTagCreationTime))),
		timeAt("item:ReminderDueBy", "AllProperties", common(lidReminderTime)),
		truthAt("item:ReminderIsSet", "AllProperties", common(lidReminderSet)),
		numberAt("item:ReminderMinutesBeforeStart", "AllProperties", common(lidReminderDelta)),
		{"item:DisplayCc", "AllProperties", listed, !cheap, text("t:DisplayCc", func(d *itemData) string { return display(d.m.Cc()) }), nil, false},
		{"item:DisplayTo", "AllProperties", listed, !cheap, text("t:DisplayTo", func(d *itemData) string { return display(d.m.To()) }), nil, false},
		{"item:DisplayBcc", "AllProperties", listed, !cheap, text("t:DisplayBcc", func(d *itemData) string { return display(d.m.Bcc()) }), nil, false},
		{"item:HasAttachments", "Default", listed, !cheap, truth("t:HasAttachments", func(d *itemData) bool { return d.m.HasAttachments() }), nil, false},
		{},
		{"item:EffectiveRights", "AllProperties", listed, cheap, func(x *xmlWriter, _ *itemData) error { writeRights(x, false); return nil }, nil, false},
		readOnly(timeAt("item:LastModifiedTime", "AllProperties", tagged(mapi.PidTagLastModificationTime))),
		{"item:IsAssociated", "AllProperties", listed, cheap, truth("t:IsAssociated", func(d *itemData) bool { return d.associated }), nil, false},
		{"item:ConversationId", "AllProperties", listed, !cheap, writeConversation, nil, false},
		readOnly(timeAt("item:RetentionDate", "", tagged(0x301C))),
		{"item:TextBody", "", !listed, !cheap, writeTextBody, nil, false},
	}
}

func messageProperties() []itemProperty {
	return []itemProperty{
		{"message:Sender", "AllProperties", listed, !cheap, person("t:Sender", (*mapi.Message).Sender), sender().set, false},
		{"message:ToRecipients", "Default", !listed, !cheap, people("t:ToRecipients", (*mapi.Message).To), setRecipients(mapi.RecipientTo), false},
		{"message:CcRecipients", "Default", !listed, !cheap, people("t:CcRecipients", (*mapi.Message).Cc), setRecipients(mapi.RecipientCc), false},
		{"message:BccRecipients", "Default", !listed, !cheap, people("t:BccRecipients", (*mapi.Message).Bcc), setRecipients(mapi.RecipientBcc), false},
		truthAt("message:IsReadReceiptRequested", "AllProperties", tagged(mapi.PidTagReadReceiptRequested)),
		truthAt("message:IsDeliveryReceiptRequested", "AllProperties", tagged(mapi.PidTagOriginatorDeliveryReport)),
		readOnly(binaryAt("message:ConversationIndex", "AllProperties", tagged(mapi.PidTagConversationIndex))),
		readOnly(textAt("message:ConversationTopic", "AllProperties", tagged(mapi.PidTagConversationTopic))),
		{"message:From", "Default", listed, !cheap, person("t:From", (*mapi.Message).From), represented().set, false},
		textAt("message:InternetMessageId", "AllProperties", tagged(mapi.PidTagInternetMessageID)),
		{"message:IsRead", "Default", listed, cheap, truth("t:IsRead", func(d *itemData) bool { return d.rev.read }), func(m *mapi.Message, e *etree.Element) { setRead(m, e != nil && isTrue(e.Text())) }, false},
		truthAt("message:IsResponseRequested", "AllProperties", tagged(tagResponseWanted)),
		textAt("message:References", "AllProperties", tagged(mapi.PidTagInternetReferences)),
		{"message:ReplyTo", "AllProperties", !listed, !cheap, people("t:ReplyTo", replyTo), setReplyTo, false},
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

func writeItemID(x *xmlWriter, d *itemData) error {
	if d.id != "" {
		x.empty("t:ItemId", "Id", d.id, "ChangeKey", d.key)
	}
	return nil
}

func writeParent(x *xmlWriter, d *itemData) error {
	if d.parentID != "" {
		x.empty("t:ParentFolderId", "Id", d.parentID, "ChangeKey", d.parentKey)
	}
	return nil
}

// writeMime writes mail; of appointments iCalendar, of contacts vCard.
func writeMime(x *xmlWriter, d *itemData) error {
	var b bytes.Buffer
	write := eml.Write
	switch itemElement(d.rev.class) {
	case "t:CalendarItem":
		write = calendar.Write
	case "t:Contact":
		write = vcard.Write
	}
	if err := write(&b, d.m); err != nil {
		return err
	}
	x.leaf("t:MimeContent", base64.StdEncoding.EncodeToString(b.Bytes()), "CharacterSet", "UTF-8")
	return nil
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
