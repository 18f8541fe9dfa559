// Package journal keeps the one chain of records that says what was added to an archive and removed from it, by whom and
// when. It owns the record file and the fields of its entries; it must never know the catalog.
//
// # Protocol
//
// Record n+1 is created, if absent, after record n: the object's name is its number, so two writers cannot both take it.
// Who loses reads the winner and decides: a record that touches the same mailbox means that another writer is at work,
// any other is passed over and the next number is tried. A record carries a random nonce: when the answer to a creation
// is lost, trying again and reading the number back tells whose record it is, and that it is durable. Each record holds
// the hash of the header before it, so the head's hash stands for all of history.
//
// Time never goes back: a record's time is the later of the clock and the previous record's time + 1 ms. So a clock far ahead
// would be the time of all records to come: a machine whose clock is more than 24 h behind the last record appends nothing
// before somebody has looked which of the two is wrong (ErrClock).
//
// # Small commits
//
// A pack that is short, at most 1 MiB, need not be an object: it lies behind the record that names it, as it would lie in packs/, and
// its entry says so (2). All else is as for any pack: the digest of the entry covers it, Condemn ends it. A commit of one item is so one
// object.
//
// # Folding
//
// Records become many; so those of a fixed range of numbers are put into one object, a segment, and their own are removed. There are two
// levels: 32 records, and 65,536, which 2,048 of the first lie in. The range of number n is that from (n-1)/32*32+1 on; the second
// level's likewise. So there are never more than some 2,200 objects for the last 65,536 records, and one for as many before. A segment holds the records as they lay in their objects, without the packs behind them: what is needed of these
// was moved into packs/ by a condemnation (12) before. So header, digest, signature and the place they were sealed for all hold.
//
// Who has the right to remove folds, nobody else needs it; and no one waits for him. It is safe because
//
//   - a range is folded when another record follows all of it, so the last record lies always in an object of its own,
//   - a segment is there, durably, before the first of its records goes, and a segment of the second level before those of the first;
//     there is one way to make it, so that it matters not who does,
//   - one that was there already is made again and compared before anything goes for it: who made it may have died before it was
//     durable, and its name alone anybody can write,
//   - who creates a record looks afterwards for the segments of its number, the lowest level first. When there is one, what lies in it
//     is the record of that number, and what was created is void: a writer who was late took a number that had been given back,
//   - who reads does likewise: a segment that is there after the object was read is right, and the object void.
//
// Whoever wants a range folded that the journal has not come through yet appends records that say nothing.
//
// What is void, or is left when folding is broken off, lies in a segment's range: the next folding removes it.
//
// # Who wrote, and under which key
//
// Each machine has a key pair of its own (Ed25519, RFC 8032) and signs its records with it. It announces the public key in its
// first record (entry 16); a record signed by a key that neither it nor an earlier one announces is a forgery. Reading checks
// the signature, and who reads the whole chain whether the signer is known.
//
// Record 1 is sealed under generation 1 of the archive key, and each under that of the one before it, until an entry 15
// rotates the key: the records after that one are sealed under the new generation, and all others are refused. So who was
// a holder before a rotation cannot go on writing, and who knows the last record knows which generation is in use.
//
// # Format, version 1
//
// Record n is the object journal/NNNNNNNNNNNN: the number in twelve decimal digits. Numbers begin at 1. All records lie in
// one folder, so that making one durable makes those before it durable too. Integers are little-endian; "varint" and
// "bytes" are the fields of package wire.
//
//	offset  size  field
//	0       4     magic "MBJR"
//	4       4     format version, 1
//	8       4     generation of the archive key (package seal)
//	12      4     length of the sealed body
//	16      32    salt of this record's key
//	48      248   header and signature, sealed: 168 and 64 bytes and a tag of 16
//	296     ...   body, compressed with zstd and sealed
//	...     ...   the pack that lies in the record, if there is one, to the end of the object
//
// The segment of the records n to m is the object journal/NNNNNNNNNNNN-MMMMMMMMMMMM:
//
//	0       ...   the records, each as above, without a pack
//	...     8     for each record, where it ends: the next one begins there
//	...     4     format version, 1
//	...     4     magic "MBJS", the end of the object
//
// Header and body are sealed (package seal, purpose "journal") with the name of the record's own object as associated data, also in a segment; nonce 0 is the header, 1
// the body. The header's plain text, and the signature behind it:
//
//	0       8     number
//	8       8     time, milliseconds since 1970 UTC
//	16      32    SHA-256 of the previous record's header (zero for record 1)
//	48      32    digest of the body
//	80      16    nonce
//	96      8     number of leaves: versions in the body
//	104     32    root of the Merkle tree over them
//	136     32    public key of the signer
//	168     64    signature of "mailbrick/record/v1", a zero byte, and the SHA-256 of the header
//
// Hash, digest, root and signature are over plain text, so they stay when a record is sealed anew.
//
// The body's plain text is 32 random bytes, the seed, and then a run of entries: varint kind, bytes payload. Its digest is
// SHA-256 of the entries, but with each version's (7) payload replaced by its leaf:
//
//	salt(i)   HMAC-SHA-256, key the seed, of i as 8 bytes; the body's versions are counted 0, 1, 2 ...
//	leaf(i)   SHA-256 of 0x00, salt(i), the payload of the section (4) that the version is of, the version's payload
//	inner     SHA-256 of 0x01, left, right
//
// The tree is that of RFC 9162 2.1.1; over no leaves it is SHA-256 of nothing. So a version can be proved to a third party with
// its section, its salt and the path to the root, and nothing is told of the others: without their salts their leaves do not
// even confirm a guess. And a version can be taken out of a record and leave its leaf (with the seed, which the salts of those
// that stay replace), and digest, root, hash and signature still hold; an entry for that is not in this version.
//
// Kinds and payloads of entries:
//
//	1 begin     16 bytes session · bytes program
//	2 pack      16 bytes name · 32 bytes salt · varint size · 32 bytes SHA-256 (package pack) · varint chunks · varint generation of
//	            the key · varint 0 it is an object, 1 it lies in this record, as at most one does
//	3 depends   16 bytes name: a pack of an earlier record that this record's items point into
//	4 section   bytes mailbox · varint snapshot ordinal: the entries that follow are of this mailbox
//	5 folder    bytes id · bytes parent id · bytes name · bytes class · bytes kind
//	6 folder gone  bytes id
//	7 version   16 bytes id · bytes item id · bytes change key · bytes folder id · varint size · 32 bytes SHA-256 ·
//	            16 bytes id of the recipe's chunk · varint flags (1 associated) · bytes unparsed reason · bytes summary
//	8 gone      16 bytes id
//	9 cursor    bytes key · varint 0 removed, 1 set · bytes value
//	10 complete varint: the section's snapshot is complete and from now on visible (0)
//	11 forget   bytes mailbox · bytes reason · varint count, for each 16 bytes id · varint the version's snapshot ordinal ·
//	            varint count, for each varint snapshot ordinal: versions and snapshots that are no longer of the history
//	12 condemn  varint count, for each 16 bytes name of a pack · varint count, for each 16 bytes session · varint count, for each
//	            16 bytes name of a pack · bytes bits: packs that are removed, what is still needed of them lies in those that the
//	            record names itself; sessions that append no more; of packs that stay the chunks that are garbage, for chunk n
//	            bit n mod 8, the lowest first, of byte n/8: nothing new may point to them
//	13 hold     bytes name · bytes reason · bytes query · varint position · varint count, for each bytes mailbox · varint count, for
//	            each bytes mailbox, varint count, for each 16 bytes id: items that the hold names; of a hold of that name the
//	            items stay and all else is as here
//	14 release  bytes name · bytes reason: the hold of that name ends
//	15 key      varint 1 added, 2 removed, 3 rotated · varint generation, the newest from now on · bytes holder ·
//	            bytes kind · bytes fingerprint · 32 bytes: of a rotation, the digest of the new generation's key
//	            (package seal, Derive "generation digest")
//	16 writer   32 bytes public key · bytes name of the machine
//
// A version ends the previous version of its id at the section's ordinal. What is added before "complete" is kept so that
// a broken run can go on, and is shown to nobody.
//
// # Limits and recovery
//
// A body has at most 256 MiB, seed included, and the pack behind it 2 MiB. A reader refuses another format version and unknown kinds by name: it must not pass over
// what it does not know. Everything beside the journal and the packs is derived from them.
package journal
