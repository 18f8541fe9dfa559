/*
Package seal owns the keys of an archive and the authenticated encryption made
from them. It turns one archive key into as many independent keys as there are
purposes, seals and opens messages under them, and keeps the archive key itself
in a file that a passphrase opens. It must never know what it seals.

# Keys

A Key is 32 bytes from a cryptographic random source. It is never used to
encrypt: everything used is derived from it with HKDF-SHA-256 (RFC 5869),
extract and expand, 32 bytes of output.

Derive(purpose) gives a key for another construction (ids of chunks, gear table):

	secret  the 32 bytes of the key
	salt    none (RFC 5869 2.2: 32 zero bytes)
	info    "mailbrick/derive/v1" 0x00 purpose

Sealer(purpose, salt) gives the AES-256 key of one sealer:

	secret  the 32 bytes of the key
	salt    the salt as given, 0 to 64 bytes
	info    "mailbrick/seal/aes-256-gcm/v1" 0x00 purpose 0x00 len(salt)

len(salt) is one byte. It stands there because HMAC pads a short key with zero
bytes: without it the salts "a" and "a\x00" would be one salt. Longer salts than
64 bytes are refused (ErrSalt), as HMAC would hash them first. The last two
bytes of info have a fixed place and the label holds no zero byte, so two
different pairs of purpose and salt never have the same info.

A random salt of 16 bytes or more makes a sealer that no other sealer equals. A
sealer without salt is one for the life of the key: only for a purpose whose
messages are numbered once and for ever.

# Messages

	byte  0                       len(plain)         len(plain)+16
	      +---------------------------+----------------+
	      |       cipher text         |   tag, 16      |
	      +---------------------------+----------------+

AES-256-GCM (NIST SP 800-38D), tag of 16 bytes. The nonce is not in the message;
it is the number n of the message, which both sides know (an ordinal in a pack,
say), by the deterministic construction of SP 800-38D 8.2.1:

	byte  0        4                       12
	      +--------+------------------------+
	      | 0 0 0 0|   n, big endian        |
	      +--------+------------------------+

One number must never be used twice in one sealer for different plain text or
different associated data: two messages under one nonce give away the difference
of their plain texts and the key that makes the tags. Sealing the very same
message again under the same number gives the same bytes and harms nothing.

Limits: n is below 2^32 (MaxMessages), so that a sealer never seals more than
2^32 messages; Seal panics above, as only a broken counter gets there. A message
is at most 2^36 - 32 bytes, the limit of GCM, likewise.

Associated data is bound to the message and not stored. What decides where a
message belongs (kind, id, ordinal, base) belongs into it, or whoever holds the
bucket may move messages about. Its encoding must be unambiguous; that is the
caller's duty.

# The key file

An armored age file (age-encryption.org/v1, one scrypt recipient, work factor
log2(N) = 16 unless asked otherwise) whose plain text is lines of ASCII, each
ended by LF:

	MAILBRICK-KEY-1 <64 lower-case hexadecimal digits>

The first line is the archive key; the 1 is the version of the format, and a
higher one is refused by name (ErrVersion). Lines after it are ignored by this
version: later generations of keys add lines (or files of their own) and old
programs still find the archive key, from which ids and the gear table are
derived and which never rotates. A generation is a Key like any other, so
that nothing else here changes: its sealers come from Key.Sealer.

With the passphrase and the age tool the key is had without this program:

	age -d key.age

Reading refuses a work factor above 22 (ErrWorkFactor), which would take more than
4 GiB of memory and is only met in a file made to hurt, and a file above 64 KiB.
The passphrase is used as given, byte for byte: no Unicode normalisation, no
trimming; a caller that reads it from a person removes the line's end.

# Errors

ErrWrongKey: the file is sound so far as can be seen, the passphrase does not
open it. ErrDamaged: a message or key file is not what was written: a
changed byte, another key, another number, other associated data; GCM cannot say
which. Both say nothing about the content.

# What this gives and what not

Who holds the bucket and not the key learns sizes, counts, names and times, and
can delete and replay whole objects; the journal's chain answers that, not this
package. They cannot read, change or forge a message.

Who holds the key can do everything, also make one cipher text that opens under
two keys (GCM does not commit to its key). No reader may take "it opened" for "it
is what others read there": ids of content are checked on the plain text.

A passphrase is as strong as its entropy; scrypt with work factor 16 costs the
guesser 64 MiB and about a tenth of a second for each guess. Removing a key file
does not take the key from those who have opened it.

Keys are not erased from memory: the Go runtime may have copied them. They do not
print: String, GoString, Format and LogValue give a constant, and MarshalText
refuses.
*/
package seal
