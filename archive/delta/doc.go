// Package delta says of a run of bytes how it differs from another one. It owns the format of that difference and the
// search for what is alike; it must never know what the bytes are or where they are kept.
//
// # What it is for
//
// Copies of one message in many mailboxes are alike but for a few fields. A delta keeps those fields and where they stand;
// a general compressor then works on many deltas together, which a compressor with a dictionary per message cannot: what
// every item of a mailbox repeats is found once. So a delta is not compressed here.
//
// # Format
//
// Numbers are unsigned LEB128, "signed" ones in zigzag.
//
//	varint   length of the target
//	varint   length of the moves
//	moves    one after another:
//	  varint   how many of the next literals are copied to the target
//	  varint   how many bytes of the base follow them, at least 1
//	  signed   where they stand in the base, counted from where the move before it ended there (the first: from 0)
//	literals to the end: what no move takes is the target's tail
//
// # Limits
//
// The caller says how long a target may be, and nothing longer is allocated. Applying a delta to another base than its own
// gives other bytes or ErrDamaged, never a panic: who must know checks the result, as the archive does by the chunk's id.
package delta
