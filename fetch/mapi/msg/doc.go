// Package msg reads and writes .msg files: one message as Outlook keeps it in a
// compound file [MS-OXMSG].
//
// It owns the mapping between the property tree and the storages and streams.
// It must never know mail on the wire, stores or protocols; sectors belong to
// package cfb.
//
// # Layout
//
//	root  class {00020D0B-0000-0000-C000-000000000046}
//	  __properties_version1.0             header of 32 bytes, then properties
//	  __substg1.0_TTTTTTTT                one value; eight hex digits are the tag
//	  __substg1.0_TTTTTTTT-NNNNNNNN       member N of a list of strings or binaries
//	  __nameid_version1.0/                names of all properties from 0x8000 on
//	  __recip_version1.0_#NNNNNNNN/       header of 8 bytes
//	  __attach_version1.0_#NNNNNNNN/      header of 8 bytes
//	    __substg1.0_3701000D/             an embedded message, laid out like the
//	                                      root (header of 24 bytes, no names), or
//	                                      the storage of an OLE object
//
// The header of a message is 0:8 nextRecipient:u32 nextAttachment:u32
// recipients:u32 attachments:u32 (0:8 at the root); the others are zero. A
// property takes 16 bytes, all little endian:
//
//	tag:u32  flags:u32 = 6 (readable, writable)  then
//	  fixed types            the value, padded to 8 bytes (Boolean is 2)
//	  string                 bytes of the stream and its terminator:u32, 0:u32;
//	                         the stream has no terminator
//	  binary, GUID, others   bytes of the stream:u32, 0:u32
//	  storage                FFFFFFFF:u32, 1 message / 4 OLE:u32
//	  list of fixed          bytes of the stream, the values packed:u32, 0:u32
//	  list of strings        bytes of the stream, a length:u32 each:u32, 0:u32
//	  list of binaries       bytes of the stream, length:u32 0:u32 each:u32, 0:u32
//
// Members of a list of strings have their terminator in their stream.
//
// # Names
//
// Property id 0x8000+i has the name in record i of stream 00030102 of the name
// storage: LID or offset:u32, set<<1|kind:u16, i:u16. Kind 0 is a LID, 1 a
// string at that offset of stream 00040102 (bytes:u32, UTF-16LE, padded to 4).
// Set 1 is PS_MAPI, 2 PS_PUBLIC_STRINGS, n+3 the n-th GUID of stream 00020102.
// Buckets find an id by its name: stream 0x1000 + hash mod 31, type 0102, holds
// records LID or CRC:u32, set<<1|kind:u16, i:u16; hash is LID xor set<<1, or CRC
// xor (set<<1|1). The CRC is that of the UTF-16LE name, polynomial of IEEE 802.3,
// begun with 0 and not inverted.
//
// # Reading
//
// Values have the form of an export stream (package mapi): strings end in one
// terminator (some writers store theirs, Outlook a second one in display lists),
// lists get their counts. 8-bit strings keep type and bytes. Binary
// values above 1 MiB are Property.Large, sections of the file, which must stay
// open as long as the message. An OLE storage becomes PidTagAttachDataObject
// with a compound file of its own as value. A property whose name is missing
// cannot be told from any other and is left out with a warning, as is
// everything that is damaged.
//
// # Writing
//
// Strings of all types become UTF-16LE. 8-bit ones are read in the code page of
// their message, or of the one around it; those that are not what it says stay as
// they are, and so does an 8-bit PidTagBodyHtml, which says its own. Of two properties with one tag the first counts.
// Left out: PidTagMid of embedded messages, the objects PidTagMessageRecipients
// and PidTagMessageAttachments, ids from 0x8000 on without a name. Added where
// absent, for Outlook to open the file well: see complete.go. Times of storages
// are zero: equal trees give equal bytes.
//
// # Limits
//
// Embedded messages nest 32 deep, an object has 65536 properties, a file 32764
// names of 1 KiB. Below the deepest level a message is kept as an OLE storage.
package msg
