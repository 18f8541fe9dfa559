// Package fasttransfer writes and reads what ExportItems yields: a message as
// a FastTransfer stream in framing records [MS-OXCFXICS].
//
// It owns that format in both directions and the cut of a blob into segments.
// It must never know the store or a protocol.
//
// # Framing
//
// A blob is a sequence of records, all integers little endian, no magic, no
// trailer, no checksum. No specification has them; they are the calls of MAPI's
// transfer interface, one after another:
//
//	0        4        8
//	| opcode | length | data[length] ...
//
//	opcode  name                data
//	1       Config              flags:u32 = 0, transferMethod:u32 = 1 (CopyTo)
//	3       IsInterfaceOk       transferMethod:u32 = 1, IID_IMessage:GUID, flags:u32 = 0x80002400
//	4       TellPartnerVersion  version of the exporting server: 3 u16
//	2       TransferBuffer      a slice of the stream, at most 31680 bytes; one or more
//
// # Stream
//
// Tokens are those of [MS-OXCFXICS] 2.2.4.1, markers 2.2.4.1.4, meta-properties
// 2.2.4.1.5, their order that of messageContent in 2.2.4.2 and 2.2.4.3:
//
//	stream    = *( marker:u32 / propValue )
//	propValue = type:u16 id:u16 [ set:GUID ( 0x00 lid:u32 / 0x01 UTF-16LE NUL ) ] value
//	            (the name is there from id 0x8000 on)
//	message   = properties *recipient *attachment
//	recipient = StartRecip properties EndToRecip
//	attachment= NewAttach properties [ StartEmbed message EndEmbed ] EndAttach
//
// The root is a bare message: no marker stands around it. Values are laid out
// as mapi.Layout says. Writing never lets a marker, a tag with its name, a
// length, a count or a fixed value straddle two buffers, and cuts UTF-16 at
// even offsets only; reading does not care. Meta-properties (FXDelProp,
// DnPrefix, EcWarning) are instructions to the receiver and no data.
//
// # Segments
//
// Scan hands out every byte of a blob once, in order, as segments of streams:
//
//	0     framing: record headers, whole records other than transfer buffers
//	1     skeleton: markers, tags, names, lengths, values below 1 KiB
//	2     recipients of the root: all from after their StartRecip to the end of their EndToRecip
//	3..   one per value (or member of a list) of 1 KiB and more, in order of appearance
//
// so that equal attachments and equal recipient tables are equal streams,
// wherever records cut them. Recipients of embedded messages are skeleton. From
// the place where a blob cannot be read any further, all the rest is one more
// stream, Opaque. The cut is decided by the bytes alone: it needs no visitor.
//
// # Verdict
//
// Complete: records use up all bytes, every element is understood, markers
// balance. Truncated: a record, element or nesting is unfinished at the end, or
// the blob is not complete and ends in the notice "=== Truncated Data ===".
// Unparsed: a place is not understood; the blob is still the record.
//
// # Limits
//
// Embedded messages nest 32 deep, names take 1 KiB, an object has 65536
// properties. Lengths that a blob claims are never trusted for an allocation. A
// tree of small parts takes some ten times the memory of its bytes: who reads
// foreign blobs gives it Visitor.Room.
package fasttransfer
