// Package vcard turns vCards into contacts as MAPI holds them and back
// [RFC 6350, RFC 2426, vCard 2.1; MS-OXOCNTC, MS-OXVCARD].
//
// It owns the mapping of vCard properties to the properties of a contact. It
// must never know mail, streams or stores.
//
// # Reading
//
// All three versions are read, told apart by nothing but what they write: 2.1
// has types without a name, quoted-printable and CHARSET; a text without CHARSET
// is UTF-8 where it is valid, else Windows-1252. A file that starts with a byte
// order mark is in the encoding it marks. Lines that are no properties belong to
// the one before. A broken property costs itself and never the card; of more than
// 16384 properties the rest is not read.
//
//	FN, N                 PidTagDisplayName and the parts of the name
//	EMAIL                 PidLidEmail1 to 3, those preferred first
//	TEL, X-MS-TEL         one property for each kind, two for home and work
//	ADR, LABEL            home, work and other address
//	ORG                   company, and department
//	BDAY, ANNIVERSARY     as a date: the same day in every time zone
//	NOTE                  PidTagBody
//	PHOTO                 an attachment, with PidTagAttachmentContactPhoto
//	CATEGORIES, CLASS     PidNameKeywords, PidTagSensitivity
//	and what table texts lists
//
// A number or an address of a kind that is taken goes to the kind "other" where
// that is free. What has no place is named by Lost: keys, geography, uid, the
// second title, the fourth e-mail address. Where a card says nothing, PidTagSubject
// and PidLidFileUnder are made of its names.
//
// # Writing
//
// Version 3.0 with CRLF, folded at 75 bytes between characters, in UTF-8. What
// has no name in RFC 2426 is written under the names Outlook reads. Everything
// follows from the properties alone. Apply of what Write wrote gives the same
// properties back, but for lone Home2 and Business2 numbers, which come first then.
package vcard
