// Package eml turns Internet mail into a property tree and back
// [RFC 5322, RFC 2045 to 2049, RFC 2231; MS-OXCMAIL].
//
// It owns the mapping of header fields and MIME parts to properties. It must
// never know export streams or stores.
//
// # Reading
//
// Broken mail is the rule: a malformed field, part, charset or encoding costs
// that part its meaning and never the message; bytes that do not decode are
// kept as they are. What has no mail header at all is ErrNotMail.
//
//	header block            PidTagTransportMessageHeaders, lines ending in CRLF
//	From, Sender            the SentRepresenting and Sender families
//	To, Cc, Bcc             recipient rows of address type SMTP
//	Subject                 PidTagSubject, its prefix, normalised form and topic
//	Date                    PidTagClientSubmitTime
//	topmost Received        PidTagMessageDeliveryTime (else Date)
//	first text/plain        PidTagBody; text/html: PidTagHtml and its code page
//	other parts             attachments; message/rfc822 is an embedded message
//	the input               PidTagSearchKey: the first 16 bytes of its SHA-256
//
// Both bodies of multipart/alternative are kept. Line ends of bodies become
// CRLF. Everything follows from the input alone: equal mail, equal trees.
//
// # Writing
//
// Stored transport headers are kept in order and unchanged, but for those that
// say how the MIME structure lies (regenerated), lines that are no fields, and
// fields whose property says something else: then the property wins. Without
// stored headers the fields are built from the properties. A body that is only
// RTF is written as the HTML it was made of, else as its text. Boundaries and
// encodings follow from the content alone.
//
// todo: [MS-OXCMAIL] 2.2.3.4 a signed message keeps its parts, not its signature's validity.
// todo: [MS-OXCMAIL] 2.1.3.3.5 the formatting of a body that is only RTF, and was not made of HTML.
package eml
