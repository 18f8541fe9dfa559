// Package eml turns Internet mail into a property tree and back
// [RFC 5322, RFC 2045 to 2049, RFC 2231; MS-OXCMAIL].
//
// It owns the mapping of header fields and MIME parts to properties, and the
// skeleton: how a message lay as a file. It must never know export streams or
// stores.
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
// Some messages and parts stand for more than text and files:
//
//	multipart/signed          IPM.Note.SMIME.MultipartSigned: its one attachment is
//	                          the entity as it stood, its Content-Type first; the
//	                          bodies are set beside it [MS-OXOSMIME] 2.1.3.1
//	application/pkcs7-mime    IPM.Note.SMIME, with that attachment; the bodies of what
//	                          is signed and not encrypted beside it, which [MS-OXOSMIME]
//	                          2.1.3.2 would not: they would not be found
//	multipart/report          REPORT.IPM.Note with NDR, DR, Expanded.DR, Relayed.DR,
//	                          Delayed.DR, IPNRN or IPNNRN; the recipients are those
//	                          with the worst news [MS-OXCMAIL] 2.2.3.7
//	text/calendar             the appointment, meeting or task it says, where it is
//	                          the message, in a multipart/alternative, or has a
//	                          method and is not called an attachment
//	text/vcard                IPM.Contact, where it is the message or in a
//	                          multipart/alternative
//	winmail.dat               its properties and attachments [MS-OXTNEF]
//	begin 644 name ... end    a uuencoded file in the plain text is an attachment
//	X-Sticky-Note             IPM.StickyNote, its colour, size and place
//
// These parts are no attachments. The header and the bodies count more than what
// such parts say. A part that cannot be read is an attachment like any other.
//
// # Writing
//
// Stored transport headers are kept in order and unchanged, but for lines that
// are no fields and fields whose property says something else: then the property
// wins. What follows the header is written as it lay, byte for byte, if there is a
// skeleton that still fits. Else the MIME structure, and the fields that describe
// it, are made of the properties:
//
//	mixed( alternative( plain, related( html, inline... ), calendar or card ), attachment... )
//	report( body, status, attachment... )
//
// each level only where it is needed. Without stored headers the fields are built
// from the properties. A body that is only RTF is written as the HTML it was made
// of, else as its text. Boundaries and encodings follow from the content alone. A
// clear-signed message is its entity.
//
// # Skeleton
//
// The skeleton is a binary named property of a message, its name "MimeSkeleton" in
// the set {9DC41E5B-6270-4F3A-9E21-D846B30FA715}. It holds what follows the header,
// with holes where bodies and attachments stood: their bytes are not kept twice.
// Little endian; v is an unsigned LEB128 number:
//
//	version:u8 = 1
//	flags:u8          1 header lines ended in LF; 2 recipients follow
//	structure:hash    the fields about MIME in the transport headers, as text
//	count:v           that many properties that the parts said:
//	    id:u16 hash   of a named property: 0x8000 set:16 lid:u32 length:v name hash
//	recipients:hash   where the flag is set
//	count:v           that many attachments:
//	    hash          of what the part said of it, and of its bytes unless
//	                  a hole in base64 or an embedded message takes them
//	segments, up to the end:
//	    0 length:v bytes                       as they stood
//	    1 form:u8 from:v to:v                  PidTagBody in UTF-8, from byte to byte
//	    2 form:u8 from:v to:v                  PidTagHtml
//	    1 or 2 form:u8 0:v line:v              all of it, in base64
//	    3 form:u8 attachment:v line:v          PidTagAttachDataBinary
//	    4 form:u8 attachment:v 0:v             the embedded message, written as a message
//	form: 1 CRLF of the value is LF   2 base64, line characters a line   4 its lines end in LF
//
// A hash is the first 8 bytes of a SHA-256. A skeleton fits when every hash is
// that of the message as it is now; a property that is absent denies nothing, as
// servers keep one body and make the others of it. An edited body or calendar, an
// attachment added, renamed or taken away: the structure is made anew. A skeleton
// that would be longer than 16 MiB or have more than 262144 segments is not made, and one of another version is left
// alone: they lose the layout and never content. Each attachment is taken once and
// no byte of a body twice, so that no skeleton makes a file longer than its message.
//
// # What does not come back
//
// Of the header: 8-bit text comes back as UTF-8 (a property of text holds no
// bytes), white space before a colon and lines that are no fields do not (other
// readers take them for the end of the header), and mixed line ends become those of
// the first line. What stands before the header, such as the From line of an mbox,
// belongs to the mailbox.
//
// # Limits
//
// A message has 1 GiB and is held in memory once: attachments in regular base64 of 1 MiB or more are ranges of it, decoded
// where they are read. It has 20000 attachments; a multipart 10000 parts: more stay in the skeleton. Messages nest 30
// deep and multiparts 32, below that they are attachments.
//
// todo: [MS-OXCMAIL] 2.1.3.3.5 the formatting of a body that is only RTF, and was not made of HTML.
package eml
