package kql

import "strings"

// Property is the name of what a restriction looks at, in lower case.
type Property string

// The properties of this version.
const (
	Anywhere        Property = "" // no property: subject, body, names and addresses, attachment names
	Subject         Property = "subject"
	Body            Property = "body"
	AttachmentNames Property = "attachmentnames"
	From            Property = "from"
	To              Property = "to"
	Cc              Property = "cc"
	Bcc             Property = "bcc"
	Recipients      Property = "recipients"   // to, cc, bcc
	Participants    Property = "participants" // from, to, cc, bcc
	Sent            Property = "sent"
	Received        Property = "received"
	Date            Property = "date" // sent or received
	SizeBytes       Property = "size"
	HasAttachment   Property = "hasattachment"
	IsRead          Property = "isread"
	ItemClass       Property = "itemclass"
	Kind            Property = "kind"
	FolderPath      Property = "folder"
	Mailbox         Property = "mailbox"
)

// shape says what values a property takes.
type shape uint8

const (
	shapeText    shape = iota + 1 // words
	shapeAddress                  // words, or an address or a part of one as a whole
	shapeKeyword                  // the whole value, or its beginning
	shapePath                     // a path, with what lies below it
	shapeEnum                     // one of a list
	shapeDate
	shapeSize
	shapeFlag
	shapeLater // known, not supported yet
)

type definition struct {
	property Property
	shape    shape
}

// definitions maps every name that may stand before an operator. Read only.
var definitions = map[string]definition{
	"subject": {Subject, shapeText}, "subjecttitle": {Subject, shapeText},
	"body": {Body, shapeText}, "attachmentnames": {AttachmentNames, shapeText},
	"from": {From, shapeAddress}, "sender": {From, shapeAddress}, "senderauthor": {From, shapeAddress},
	"to": {To, shapeAddress}, "cc": {Cc, shapeAddress}, "bcc": {Bcc, shapeAddress},
	"recipients": {Recipients, shapeAddress}, "participants": {Participants, shapeAddress},
	"sent": {Sent, shapeDate}, "received": {Received, shapeDate}, "date": {Date, shapeDate},
	"size": {SizeBytes, shapeSize}, "hasattachment": {HasAttachment, shapeFlag}, "isread": {IsRead, shapeFlag},
	"itemclass": {ItemClass, shapeKeyword}, "kind": {Kind, shapeEnum}, "folder": {FolderPath, shapePath},
	"mailbox":  {Mailbox, shapeKeyword},
	"category": {"category", shapeLater}, "importance": {"importance", shapeLater}, "folderid": {"folderid", shapeLater},
	"identifier": {"identifier", shapeLater}, "messageid": {"messageid", shapeLater},
	"retentionlabel": {"retentionlabel", shapeLater}, "compliancetag": {"compliancetag", shapeLater},
	"attachmenttext": {"attachmenttext", shapeLater}, "custodian": {"custodian", shapeLater},
	"snapshot": {"snapshot", shapeLater}, "asof": {"asof", shapeLater}, "deleted": {"deleted", shapeLater},
	"tag": {"tag", shapeLater}, "hold": {"hold", shapeLater}, "thread": {"thread", shapeLater},
	"indexstatus": {"indexstatus", shapeLater}, "header": {"header", shapeLater},
}

// kinds are the values of kind:. Read only.
var kinds = map[string]bool{
	"contacts": true, "docs": true, "email": true, "externaldata": true, "fax": true, "faxes": true, "im": true,
	"journals": true, "meetings": true, "microsoftteams": true, "notes": true, "posts": true, "rssfeeds": true,
	"tasks": true, "voicemail": true,
}

// define finds the property a name stands for.
func define(name string) (definition, bool) {
	name = strings.ToLower(name)
	if head, _, ok := strings.Cut(name, "."); ok && head == "header" {
		name = head
	}
	d, ok := definitions[name]
	return d, ok
}

// nearest gives the known name with the fewest changes from s, or "" when none is near.
func nearest[V any](s string, known map[string]V) string {
	best, least := "", 3
	for name := range known {
		if d := distance(strings.ToLower(s), name); d < least || d == least && best != "" && name < best {
			best, least = name, d
		}
	}
	if least >= len(s) {
		return ""
	}
	return best
}

// distance is the Levenshtein distance of two short strings; beyond 40 bytes it gives up with a large one.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 100
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
