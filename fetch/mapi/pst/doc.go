// Package pst reads .pst files: the mailbox that Outlook keeps in one file
// [MS-PST], in its ANSI and Unicode layouts, and .ost files with pages of 4 KiB.
//
// It owns that format and its mapping to folders and property trees. It must
// never know stores or protocols, and it never writes.
//
// It is our own reader because go-pst v6.0.2, the one library there is, gives
// neither recipients nor embedded messages, cannot walk the ANSI file of the test
// data, checks no checksum, and panicked on 41 of 800 damaged copies of four files.
//
// # File
//
// All integers little endian. A BID, an IB (place in the file) and a key take 4
// bytes in ANSI files and 8 in others: "id" below.
//
//	header   0 "!BDN"  4 crc:u32 of 8..478  8 "SM" (.ost: "SO")  10 version:u16
//	         ANSI: 184 nodes:root 192 blocks:root 461 method of encoding:u8
//	         else: 216 nodes:root 232 blocks:root 513 method:u8 524 crc:u32 of 8..523
//	root     BID of a page, IB
//	version  14 15 ANSI, 36 pages of 4 KiB, others from 21 on Unicode
//
//	page     entries; at 488 (ANSI 496, 4K 4056) count max size level, u8 each (4K: the
//	         first two u16); trailer at 496 (500, 4072). 512 or 4096 bytes
//	block    data, padding, trailer: a multiple of 64, 4K 512, bytes
//	trailer  type type (page) or length:u16 (block), signature:u16, crc:u32 bid:id
//	         (ANSI: bid:u32 crc:u32; 4K: 8 bytes more)
//
// Entries of pages with a level are key:id BID IB of the page below, others
//
//	blocks   BID IB length:u16 (4K: length when unpacked, by zlib:u16) references:u16
//	nodes    NID:id BID of data BID of subnodes NID:u32 of the folder it is in
//
// A NID is index<<5|type: 2 folder, 3 search folder, 4 message, 8 associated
// message, 5 attachment. Bit 1 of a BID says that the block is a list of others:
//
//	01 level count:u16 total:u32  *BID            data of a node, level 1 or 2
//	02 00    count:u16 0:u32  *( NID BID BID )    subnodes (ANSI: without the 0)
//	02 01    count:u16 0:u32  *( NID BID )        lists of subnodes
//
// All other blocks are encoded: not at all, by a substitution, or by three wheels
// that turn with each byte. None of them is a secret, nor does a password encode.
//
// # Objects
//
// The data of a node is a heap of items. HID = block<<16 | index<<5 (4K: <<19), the
// index from 1:
//
//	block 0  map:u16 EC kind:u8 root:HID 0:u32  items     others  map:u16  items
//	at map   count:u16 0:u16  count+1 times offset:u16
//	B-tree   B5 key:u8 value:u8 level:u8 root:HID, whose item has key HID of the
//	         level below, or key value
//
// Properties are kind BC, their root a B-tree of id:u16 -> type:u16 value:u32. The
// value is up to 4 bytes, else the HID or the NID of a subnode. There, strings have no
// terminator, fixed values of a list are packed, others count:u32 *offset:u32 *member;
// of an object there is NID:u32 size:u32.
//
// A table is kind 7C, its root
//
//	7C columns:u8 ends:3 times u16, row:u16 bytes, HID of B-tree, rows:HID or NID 0:u32
//	column   tag:u32 offset:u16 size:u8 bit:u8
//
// where the B-tree has row id:u32 -> number:u32 (ANSI u16); the third end is where the
// bits begin that say, from the highest of the first byte on, which cells are there.
// Cells have up to 8 bytes. No row crosses blocks.
//
// A message has its recipients as a table in subnode 692, its attachments as subnodes
// of type 5, an embedded message as the subnode that 3701000D of its attachment names.
// Names of the ids from 0x8000 on are binaries of node 61: 0003 *( LID or offset:u32
// set<<1|text:u16 id-8000:u16 ), 0002 *set:GUID from number 3 on (1 is PS_MAPI, 2
// PS_PUBLIC_STRINGS), 0004 at offset length:u32 UTF-16LE.
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
