/*
Package chunker cuts a stream of bytes where its content says to, so that the
same content is cut the same way wherever it stands. It is FastCDC in the shape
of 2020 (normalised chunking of level 2, two bytes a turn) with a table made
from a secret key. It owns the rule of cutting, which is a format: the chunks of
an archive are found again only by whoever cuts like this. It must never know
what an item is.

# Rule, version 1

A chunker has a table, gear, of 256 words of 64 bits and three lengths, Min, Avg
and Max. Let d be the bytes from the beginning of a chunk to the end of the
stream. All sums are modulo 2^64.

	W(n)   = sum of gear[d[n-1-j]] << j  for j = 0 .. 63

	strict = B+2 one bits from bit 62 down     B = floor(log2(Avg))
	loose  = B-2 one bits from bit 62 down

The length of the chunk is the first n that applies:

	n = len(d)                                   the stream ends, whatever n is
	Min <= n < Avg   and   W(n) & strict == 0
	Avg <= n < Max   and   W(n) & loose  == 0
	n = Max

So whether a chunk may end at a place depends on the 63 bytes before it alone
and on the distance from where the chunk began (bit 63 is in no mask, so the 64th
byte counts for nothing). That brings two streams back in step after a
difference. W rolls: W(n+1) = (W(n) << 1) + gear[d[n]].

Two masks draw lengths to the middle: below Avg a cut is four times as rare as
1 in Avg, above four times as frequent. With the defaults

	Min 16 KiB   Avg 64 KiB   Max 256 KiB
	strict 0x7fffe00000000000 (18 bits)   loose 0x7ffe000000000000 (14 bits)

chunks of random bytes are 73 KiB long on average, and about 1 in 200,000 is cut
at Max. A long run of one byte has the same W everywhere: its chunks are all Min,
all Avg or all Max long.

# Table

HKDF-SHA-256 (RFC 5869, extract and expand), 2048 bytes of output:

	secret  the key, 32 bytes
	salt    none
	info    "mailbrick/chunker/gear/v1", 25 bytes of ASCII

	byte  8*i                8*i+8
	      +-------------------+
	      |  gear[i], big end.|      i = 0 .. 255
	      +-------------------+

For the key of 32 zero bytes gear[0] is 0x841d9199689f57bd and gear[255] is
0x61dd3fa8c4628ec0. TestGolden has cuts of data that any program can make.

The key never changes in an archive's life: with another key everything is cut
anew and nothing is found again. Without the key nobody can cut a file they know
and look for its chunk lengths in the archive. Published attacks recover such
tables from enough known content and the lengths of its chunks; so lengths stay
sealed too, and this is a second wall, not the first.

# Limits and versions

64 <= Min <= Avg <= Max <= 1 GiB and Avg >= 256 (Params.Check). The constant
Version goes into recipes; the rule under a number never changes, another
rule gets the next.

	1  2026  as above

# Two bytes a turn

One turn takes the bytes a and b. Twice W(n+1), (W(n) << 2) + (gear[a] << 1), is
tested against the mask shifted by one; W(n+2), the same plus gear[b], against the
mask. The shifted words have a table of their own. This is faster and cuts at the
same places, for which bit 63 has to be free.
*/
package chunker
