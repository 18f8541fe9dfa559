package mapi

// Message is a message and what hangs on it.
type Message struct {
	Properties  Bag
	Recipients  []Bag
	Attachments []Attachment
}

// Attachment is a row of the attachment table; Embedded is set when it is a message itself.
type Attachment struct {
	Properties Bag
	Embedded   *Message
}
