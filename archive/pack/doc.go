// Package pack reads and writes pack files: the compressed, sealed chunks of an archive and the table that says where
// each one lies. It owns the file format, compression and the shape of frames; it must never know the catalog or what a
// chunk means.
//
// # Why frames
//
// The small properties of a mail item compress badly alone and well together. So chunks are not compressed one by one:
// small ones of a kind are gathered into a frame of about 128 KiB, large ones have a frame of their own, and a frame is
// what is compressed, sealed, read and checked as one.
//
// # Format, version 1
//
// Numbers are little-endian; "varint" is an unsigned LEB128 number.
//
//	offset  size  field
//	0       4     magic "MBPK"
//	4       4     format version, 1
//	8       4     generation of the archive key (package seal) that this pack's key is made from
//	12      32    salt of this pack's key
//	44      ...   frames, back to back, in order of ordinal
//	T       L     table
//	T+L     8     T, the table's offset
//	T+L+8   4     L, the table's length
//	T+L+12  4     zero
//	T+L+16  32    SHA-256 of all bytes before this field
//	T+L+48  8     magic "MBPKEND1"
//
// A frame is sealed (package seal, purpose "pack", this pack's salt) with its ordinal (0, 1, ...) as nonce and the pack's
// 16-byte name followed by "frame" as associated data. Its plain text is one byte of codec (0 stored, 1 zstd) and the
// chunks, concatenated, in that codec.
//
// The table is sealed with nonce 2^32-1 and the name followed by "table". Its plain text is zstd of:
//
//	varint                number of frames; then for each frame
//	  varint varint       sealed length; length of its chunks
//	  varint              number of chunks; then for each chunk, in order of place
//	    16 bytes          id
//	    1 byte            class (0 small, 1 deltas, 2 text, 3 bulk), + 16 with a base, + 32 with a mark
//	    varint            length
//	    16 bytes          with a base: the id of the chunk of which this delta (package delta) makes the one of the entry
//	    8 bytes           with a mark: what chunks may be like this one, a keyed hash
//
// A base is never a delta itself, so a chunk is at most two reads away. Chunks of one class are gathered together: what is
// alike is compressed as one.
//
// Frames and chunks have no offsets: they are the sums of the lengths before them.
//
// # Limits
//
// A chunk has at most 16 MiB, a frame at most 16 MiB + 256 KiB of plain text, a table at most 16 MiB before compression. A
// pack is full at 64 MiB or 2^19 chunks, which keeps its table below that. A reader checks lengths against these before it
// allocates, and refuses another format version by name.
//
// # Recovery
//
// A pack is written once, under a random name that is never used again, and synced before any record names it. The
// digest tells damage without any key. A pack whose table is damaged is found out by it; its frames are still sealed one
// by one. A catalog that is lost is rebuilt from the tables of the packs that the journal names.
package pack
