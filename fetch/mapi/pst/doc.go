// Package pst reads .pst files: the mailbox that Outlook keeps in one file
// [MS-PST], in its ANSI and Unicode layouts, and .ost files with pages of 4 KiB.
//
// It owns that format and its mapping to folders and property trees. It must
// never know stores or protocols, and it never writes.
//
// It is our own reader because go-pst v6.0.2, the one library there is, gives
// neither recipients nor embedded messages, cannot open an ANSI file of the test
// data, checks no checksum, and panicked on 41 of 800 copies with 20 bytes changed.
//
// # File
//
// All integers little endian. A BID, an IB (place in the file) and a key take 4
// bytes in ANSI files and 8 in others; "id" below.
//
//	header   "!BDN" crc:u32 client:2 version:u16 ... two roots (BID IB), method of encoding
//	page     entries, count size level, trailer    512 or 4096 bytes; of the two B-trees
//	block    data, padding to 64 or 512, trailer   at most 8 or 64 KiB
//	trailer  type type / length:u16, signature:u16, crc:u32 bid:id (ANSI: bid crc)
//
//	blocks   BID -> IB, length:u16 (4K: and length before compression:u16)
//	nodes    NID:id -> data BID, subnodes BID, NID of the folder it is in:u32
//
// A NID is index<<5|type: 2 folder, 3 search folder, 4 message, 8 associated
// message, 5 attachment. Bit 1 of a BID says that the block is a list of others:
//
//	01 level count:u16 total:u32  *BID            data of a node, level 1 or 2
//	02 00    count:u16 0:u32  *( NID BID BID )    subnodes (ANSI: without the 0)
//	02 01    count:u16 0:u32  *( NID BID )        lists of subnodes
//
// All other blocks are encoded: not at all, by a substitution, or by three wheels
// that turn with each byte. None of them is a secret.
//
// # Objects
//
// The data of a node is a heap: items in blocks, found by HID = block<<16 |
// index<<5 (4K: block<<19), with a B-tree of items (key 2, value 6 bytes) for the
// properties of an object:
//
//	id:u16 -> type:u16, value:u32                up to 4 bytes
//	id:u16 -> type:u16, HID or NID of a subnode  longer; a list of fixed values packed,
//	                                             others count:u32 *offset:u32 *member
//
// A message's recipients are a table in subnode 692: columns, a B-tree from the
// id of a row to its number, rows of equal width, cells up to 8 bytes, bits that
// say which are there. Attachments are its subnodes of type 5, embedded messages
// the subnode their attachment names. Names of the ids from 0x8000 on are the
// properties of node 61.
//
// # Reading
//
// Values have the form of an export stream (package mapi): strings get their
// terminator, lists their counts. 8-bit strings become strings of the code page of
// their message, with bytes as they are; UTF-16LE where its number does not fit a
// type, and in lists. PidTagSubject loses the two characters that tell the length
// of its prefix and PidTagSubjectPrefix and PidTagNormalizedSubject are added where
// absent. An OLE object is its bytes. Values above 1 MiB, and all above 64 MiB of a
// message, are Property.Large: they are read and checked once and stay in the file,
// which must serve as long as the message.
//
// Folders and messages are found by the folder they name, not through the tables
// of folders, so that a damaged table loses nothing. PidTagMessageStatus, which
// stands in those tables only, is not read, nor the number and version of rows. A
// property whose name is missing cannot be told from any other and is left out
// with a warning.
//
// # Damage
//
// What is wrong with a message stands in its Report and stays there: the walk goes
// on. A block that is another than asked for is not used. One that has the right
// name and a wrong checksum is used and told: it may be one bit of an attachment.
// A value that breaks off is kept as far as it goes. Pages are taken by the same
// rule, but that with a wrong name they are used too: blocks say what they are.
// Pages of the node B-tree that cannot be read lose their messages with a warning
// of the file. Folders in a circle, or in none, and their messages come into the
// root; messages in no folder into one of ID 0.
//
// # Limits
//
// The messages of a file take 24 bytes each in memory, the pages kept 2 MiB, an
// object's heap 64 MiB. Blocks may be shared, but those of a message take no more than
// four times the file. B-trees have 16 levels, messages nest 32 deep, an object has 65536 properties
// and 262144 subnodes, a file 32767 names of 1 KiB.
package pst
