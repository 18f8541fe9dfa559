/*
Package parity is a bucket around a bucket that can mend what a disk has damaged:
each object is kept with Reed-Solomon parity, and Repair puts an object in its
place that is again as it was written. It owns the layout of objects with parity
and what counts as damage. It must never know what the objects say, and needs no
key.

What is above sees payloads only: names, sizes and ranges mean the same as without
it. So packs and journal records share one mechanism and know nothing of it. Whether
a bucket has parity must be known before it is opened; an object does not tell.

# What it mends

In every object any one damaged run of 4096 bytes, wherever it begins. In each
whole window of 8 MiB 10 damaged shards of 210, wherever they are: a run of up to
377,497 bytes, or 10 bad blocks. Bytes appended at the end, however many, and bytes
cut off there up to the first footer: that much is parity, and a cut that reaches
the payload has taken all of it. A lost object is lost, and so are bytes taken out
of the middle, as all behind them move.

Reading a range passes straight through and checks nothing: what is above
authenticates what it reads. OpenMended is for reading what is damaged and not yet
repaired.

# Format, version 1

Numbers are little-endian. An object with a payload of L bytes is

	offset                size  field
	0                     L     payload, as it was written
	L                     F     first footer
	L+F                   4096  zeros
	L+F+4096              P     parity, window after window
	L+F+4096+P            F     second footer, the same bytes as the first

The payload is cut into windows of 8 MiB (8,388,608 bytes); the last has what is
left, and an empty payload has none. A window of W bytes is cut into k data shards
of S bytes, of which the last may have less, and has m parity shards of S bytes:

	k = min(200, ceil(W / 4096))
	S = W where k = 1;  4096 where W <= 819,200;  ceil(W / 200) else
	m = 1 where k = 1;  max(2, ceil(k / 20)) else

So a whole window has k = 200, S = 41,944, m = 10. Parity is the parity shards of
a window in order. A footer is

	16 bytes for each shard: window after window, the data shards, the parity shards;
	         the first 16 of the SHA-256 of the shard's bytes
	 8       magic "MBPARITY"
	 4       version, 1
	 4       zero
	 8       L
	16       the first 16 bytes of the SHA-256 of the 24 before

The last 40 bytes are called the trailer. An object of any version ends with one,
so that another version is refused by name. The size of an object is

	stored(L) = L + 2*(16*sum(k+m) + 40) + 4096 + sum(m*S)        over all windows

which grows with every byte of L: the payload's length follows from the object's.
64 MiB take 5.1 % more, 1 MiB 6.0 %, 300 bytes take 4,840 in all.

# Code

A short last data shard is filled up with zeros, which are not stored. Byte b of
parity shard i (from 0) of a window is the sum over its data shards c (from 0) of

	byte b of data shard c * inverse of ((k + i) xor c)

in the field of 256 elements: a sum is xor, a product that of polynomials over
bits modulo x^8+x^4+x^3+x^2+1 (0x11d). This is a systematic Cauchy code: any k
shards of the k+m give back the others, by solving the linear equations. With
k = 1 the parity is a copy.

# Why so

Windows bound memory: a writer holds one, and the parity of all (5 %), because
parity behind the payload lets the payload stream through and ranges of it keep
their offsets. Cauchy, because its matrix is one line of text. The hashes say
which shards are damaged, which a code alone finds at twice the price. A shard is
whole when it has the hash that either footer says, so that footers need not be
whole themselves; damage to both at the same shard costs that shard. The zeros
keep the footers apart in an empty object and a short payload from its copy: no
run of 4096 bytes touches both. Smaller blocks than 4096 would not help, since
disks lose no less.

# Recovery

L is what the trailer at the end says, or the one behind the payload where the
object's size puts it, or one that a search finds at the place it speaks of, or
what the caller knows. Each shard is read and hashed; those that fail are
computed from the others of their window and must then have their hash. Repair
writes the mended payload as if it were new, beside the damaged object, and lets
it take its place (blob.Replacer) at once and durably. Where one window cannot be
mended nothing is written. A crash leaves the damaged object or the mended one.
*/
package parity
