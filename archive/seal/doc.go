/*
Package seal owns the keys of an archive and the authenticated encryption made
from them. It turns one archive key into as many independent keys as there are
purposes, seals and opens messages under them, and keeps the archive key itself,
in all its generations, in a file for each who can open the archive. It must
never know what it seals, nor where files lie.

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

# Generations

The archive key is a Ring: keys with numbers that go up from 1. New things are
sealed under the newest; what is sealed says which one it was, and that one
opens it. Generation 1 is the root, from which ids and the gear table are
derived for ever. A new generation is a fresh random key and says nothing of the
others; but who holds one holds all before it. Its plain text is lines of ASCII,
each ended by LF:

	mailbrick-ring 1
	1 <64 lower-case hexadecimal digits>
	3 <64 lower-case hexadecimal digits>

The 1 of the first line is the version of this text. Numbers are decimal, rise,
may leave some out, begin with 1 and are at most 999999; there are at most 256.

# The key file

Each holder, who can open the archive, has a file of his own, made for his
public key, so that it can be made anew for a later ring without any secret of
his. It is lines of ASCII in this order, each a name, one space, a value and LF:

	mailbrick-key 1
	kind        plain, passphrase, x25519, hybrid, ssh-ed25519, ssh-rsa or plugin
	holder      16 hexadecimal digits, random
	generation  decimal, the newest of the ring
	salt        32 hexadecimal digits, random
	about       base64: who the holder is, sealed
	ring        base64: the ring's text in an age file for the holder; in the clear for plain
	identity    base64: only for passphrase, and no line for others; see below
	sha256      64 hexadecimal digits: SHA-256 of all bytes before this line

Hexadecimal digits are lower-case, base64 is RFC 4648's with padding. The 1 of
the first line is the version of the file. A reader writes the file again from
what it read and compares: there is one form of it and no other. A file has at
most 64 KiB. The digest tells damage from a wrong key without any key; it proves
nothing.

about is a message, sealed under the newest generation (purpose "key holder", the
salt of the file, number 0, associated data the first four lines with their line
ends). Its plain text is JSON: name (what people call the holder, 1 to 200 bytes,
printable), created (RFC 3339, UTC), recipient (the public key; none for plain).

ring is an age file (age-encryption.org/v1) with one recipient:

	kind         recipient
	passphrase   of the identity below
	x25519       age1..., X25519
	hybrid       age1pq1..., ML-KEM-768 and X25519
	ssh-ed25519  an SSH key of that kind; age's header holds 4 bytes of its SHA-256
	ssh-rsa      the same
	plugin       age1NAME1...: the program age-plugin-NAME wraps and unwraps

A passphrase cannot have a file made for it without being known. So it opens an
identity, made when the holder is added: identity is an age file with one scrypt
recipient (work factor log2(N) = 16 unless asked otherwise) whose plain text is a
line AGE-SECRET-KEY-PQ-1..., and the ring is for that. It is hybrid, so that the
way through the public key is not the weaker one for whoever has copied the
bucket and waits for a quantum computer.

Kind, number of holders, generation, size and SSH keys' 4 bytes are seen by all;
names, times and whole public keys by those who can open the archive.

With the age tool (1.3 or later for a passphrase) the key is had without this
program:

	sed -n 's/^identity //p' FILE | base64 -d | age -d > identity     passphrase only
	sed -n 's/^ring //p' FILE | base64 -d | age -d -i identity

# Opening

A file whose ring is opened must say of itself what was sealed with the ring:
generation and about are checked, else ErrDamaged. Identities are tried before the
passphrase, on files of their kind only; the passphrase on files of low work
factors before those of high ones. A work factor above 22 (more than 4 GiB of
memory) is only met in a file made to hurt: it is refused before it costs
anything (ErrWorkFactor), and does not keep other files from being tried.

The passphrase is used as given, byte for byte: no Unicode normalisation, no
trimming; a caller that reads it from a person removes the line's end.

# Errors

ErrWrongKey: the file is sound so far as can be seen, and no secret at hand opens
it. ErrDamaged: a message or key file is not what was written: a changed byte,
another key, another number, other associated data; GCM cannot say which. Both
say nothing about the content. Errors never hold what was given as a secret.

# What this gives and what not

Who holds the bucket and not the key learns sizes, counts, names and times, and
can delete and replay whole objects; the journal's chain answers that, not this
package. They cannot read, change or forge a message.

Who holds the key can do everything, also make one cipher text that opens under
two keys (GCM does not commit to its key). No reader may take "it opened" for "it
is what others read there": ids of content are checked on the plain text.

A passphrase is as strong as its entropy; scrypt with work factor 16 costs the
guesser 64 MiB and about a tenth of a second for each guess.

Removing a key file does not take the key from who opened it or kept a copy of
it. A later generation does, for what is sealed under it, if it is made for
those who are left.

An age file for a public key does not say who made it. Who knows a holder's
public key (all who ever could open the archive do) and can write to the bucket
can put a file there with a ring of his own making, whose newest key he knows.
Which generation is in use, and who the holders are, must therefore be said by
something that he cannot write: a signed record. This package only makes sure
that no key file is renewed that was not sealed with the ring.

Keys are not erased from memory: the Go runtime may have copied them. They do not
print: String, GoString, Format and LogValue give a constant, and MarshalText
refuses.
*/
package seal
