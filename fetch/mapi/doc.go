// Package mapi is a message as Exchange holds it: a tree of property bags
// [MS-OXCDATA, MS-OXPROPS].
//
// It owns the tags, the types and their layout on the wire, named properties,
// strings in any code page, the questions everybody asks of a message (who, to
// whom, when, what text) and Summary, the few facts shown in a listing. It must
// never know streams, stores or protocols: the encodings are packages of their
// own below it.
//
// # Values
//
// A Property holds its value [MS-OXCDATA] 2.11 as it stands in an export stream
// [MS-OXCFXICS] 2.2.4.1, little endian, without the length word:
//
//	fixed types      2, 4, 8 or 16 bytes (Boolean is 2 [MS-OXCFXICS] 2.2.4.1.3)
//	strings, binary  the bytes; strings end in a NUL of their width
//	multi-valued     count:u32 then count members; members of strings and
//	                 binary are length:u32 bytes
//
// Type 0x8000|cp is a string in Windows code page cp [MS-OXCFXICS] 2.2.4.1.1;
// 0x84B0 (1200, UTF-16LE) is what Exchange writes and what the builders make.
// 0x9000|cp is a list of such strings where there is no code page 0x1000|cp.
// Strings of type 0x001E are in the code page that Bag.CodePage finds.
//
// # Bodies
//
// NativeBody says which body the others were made of [MS-OXBBODY]. Text comes from
// PidTagBody, else from the native body; HTML from PidTagHtml, else from RTF
// that was made of HTML. PidTagHtml is bytes in PidTagInternetCodepage, which is
// often wrong: a byte order mark wins, then UTF-8 that can hardly be anything
// else, then the code page given, then the one the page declares. At most
// MaxBody bytes of a body are read, and time is linear in them.
//
// # Names
//
// Canonical names tags, property sets and named properties as [MS-OXPROPS]
// does; named properties are those of [MS-OXCDATA] 2.6.1. The facts are
// tables/*.tsv; go generate makes tables_gen.go of them. Display shows a value to
// people.
//
// # Summary
//
// Encoded as version byte 0x01, then fields, each tag:u8 length:uvarint bytes,
// in rising order of tag; a reader skips tags it does not know and refuses a
// version it does not know. Strings are UTF-8. Tags:
//
//	1 class   2 subject   3 from   4 to*   5 cc*   6 bcc*   7 attachment name*
//	8 sent   9 received (varint microseconds since 1970, UTC; absent: zero time)
//	10 size (uvarint)   11 flags (bit 0 has attachments, bit 1 read)
//	12 message id   (* may repeat)
//
// At most 64 of each repeated field and 1 KiB per string are kept.
package mapi
