// Package tnef reads winmail.dat: a message as Outlook and Exchange put it into
// one attachment of a mail [MS-OXTNEF].
//
// It owns that format and its mapping to the property tree. It must never know
// mail on the wire, stores or protocols.
//
// # Stream
//
// All integers little endian:
//
//	stream    = signature:u32 = 223E9F78  key:u16  *attribute
//	attribute = level:u8 (1 message, 2 attachment)  id:u32  length:u32
//	            data[length]  checksum:u16 (sum of the bytes of data)
//
// Attributes of the message come first. Each attRendData begins an attachment,
// to which the attributes after it belong.
//
//	00069003 attMsgProps    list          00069002 attRendData  kind:u16 position:u32
//	00069005 attAttachment  list                                width:u16 height:u16 flags:u32
//	00069004 attRecipTable  rows:u32, a list each
//	00069007 attOemCodepage primary:u32 secondary:u32, of all 8-bit strings
//	others                  one property each, see message.go and attachment.go
//
// # Lists
//
//	list     = count:u32 *property
//	property = type:u16 id:u16 [name] value
//	name     = set:GUID ( 0:u32 lid:u32 / 1:u32 length:u32 UTF-16LE )   from id 0x8000 on
//	value    = fixed                           2, 4, 8 or 16 bytes
//	         / count:u32 *fixed                lists of fixed types
//	         / count:u32 *( length:u32 bytes ) others; the count of a single value is 1
//
// Names, fixed values and members are padded to 4 bytes each. The bytes of an
// object begin with its IID: IID_IMessage is a stream of this format again,
// IID_IStorage a compound file.
//
// # Mapping
//
// Values get the form of an export stream (package mapi). 8-bit strings become
// strings of their code page with bytes as they are, or UTF-16LE where its
// number does not fit a type. A property of a list counts more than the
// attribute that means the same [MS-OXTNEF] 2.1.3; of two with one name the
// first counts. Times of attributes are the writer's local time without a zone;
// the zone is found from a pair of attribute and property that mean the same
// moment, else UTC is taken and told. Attributes that name a person give name,
// type and address and no entry id.
//
// # Damage
//
// A wrong checksum, an unknown attribute and whatever cannot be read is a
// warning; the message has what came before and, as attributes stand for
// themselves, what comes after a damaged list. An attachment whose bytes are cut
// short is kept as far as it goes. Any other file is ErrNotTNEF.
//
// # Limits
//
// The input is held in memory, at most 1 GiB of it, and values are slices of it.
// Embedded messages nest 32 deep, below that they are objects of bytes. An
// object has 65536 properties, a stream with all its embedded ones 1048576 of
// them and 262144 recipients and attachments; a name takes 1 KiB. No claimed
// length or count is trusted for an allocation.
package tnef
