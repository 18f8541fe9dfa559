/*
Package s3 is a bucket in an object store that speaks the protocol of Amazon S3.
It owns the order of requests that makes objects whole and keeps them from being
written over there, and what is tried again when a request fails. It must never
know what the objects are.

# Layout

The object "packs/ab/x" is the key PREFIX/packs/ab/x, at most 1024 bytes. It
carries one piece of metadata, x-amz-meta-mailbrick-nonce: 16 random bytes in hex,
drawn by its writer. Beside the objects lies PREFIX/.probe, without bytes. It and
every other key that is no name is hidden. Several archives may share a bucket
under different prefixes.

# Creation

Up to PartSize (8 MiB) an object is made by one request, longer ones by an upload
in parts, 80 GB at most. A writer holds one buffer, which grows to PartSize:

	Create    nothing
	Write     begins an upload when there is more than one part; sends full parts
	Commit    PUT, or the last part and CompleteMultipartUpload,
	          with If-None-Match: *
	Abort     aborts the upload

So the server decides who wins, at one moment. Its 200 means durable.

Whose object. When the answer to a creation is lost, the same request is sent
again, and 412 (or 404, the upload is gone) then says only that somebody has won.
The writer asks for the object's metadata: its own nonce means that it won itself,
another one means blob.ErrExist. It asks after every 412, even the first, because
something between here and the server may have sent the request twice. So unlike
other buckets this one never answers ErrExist to who has made the object. Name
taken and nothing there: it has been removed meanwhile, and is tried again.

Still in doubt is an error that is not ErrExist: no answer came until patience was
over. An object that was made, seen by nobody here, and removed by another within
those minutes is made again.

Servers that ignore If-None-Match would write over. Before the first Commit of a
process, and again before its first one in parts, the package makes .probe twice
in the same way; where the second time is not refused, the answer is ErrCondition
and no object is made. This costs one request (four in parts) in each process that
writes, one more in a new archive. Amazon S3 heeds the condition in both ways.

Uploads of a process that died take space, are never visible and are listed by
nobody. A lifecycle rule AbortIncompleteMultipartUpload of some days ends them.

# Reading

A range is one GET. When the connection is cut, Read goes on where it was with
If-Match of the same etag, so that bytes of two objects never mix. A cut is
ErrUnavailable in the end, never io.ErrUnexpectedEOF, which means that the object
is shorter than was asked for.

Many small pieces of an object would be as many requests. So from the second on
what lies around a piece is read with it, between multiples of 1 MiB, and 16 MiB
of that are kept in memory (aheadHeld). Each such run must serve another piece in
the end: an object in which four more were read than pieces served is read piece
by piece again. What Remove and Replace change here is forgotten. An object that
another process has removed may still be read in part, as it was.

List reads pages of 1000 keys, each after the last
key of the one before, and fails where the server's list is not in order.

# Trying again

Cut, refused and stalled connections (nothing moves for Stall) and the answers
500, 502, 503, 504, 408, 429, SlowDown and their kin, also inside an answer 200,
are tried again after 0.1 s, then twice as long each time up to 10 s, each less up
to half of it at random, until the next wait would end after Patience (Contact, as
long as no call was well: a wrong address does not become right). A context that
is over ends all at once. Bytes travel with their MD5 and over plain http with
their SHA-256, so that the server refuses what was damaged on the way; it is sent
again.

# Mending

Replace puts an object in the place of the one that is there when it begins:

	Replace   HEAD
	Commit    HEAD, PUT (or CompleteMultipartUpload) with If-Match: its etag; HEAD and
	          DELETE of the version that it was, in a bucket with versions

So readers see the old one or the new one, and what took its place meanwhile stays.
A server that says that it does not know If-Match there (501) is sent the same
without it; one that ignores it has the HEAD just before. The new object is locked
as the old one was, from its beginning. Where the old version is locked, or there
is no right to remove it, it stays below the new one, whose metadata names it
(x-amz-meta-mailbrick-instead): Remove takes both, the old one first.

# Removal, versions, locks

Prune wants the space and the name back. In a bucket with versions Remove
therefore removes the version that is there, for good, and leaves no marker. Below
it there is none of the same name but for those that it was put in the place of,
which go with it, or a marker that somebody else has put there:
an object is only made where none or a marker is. So no older version comes back.
Versions that others have hidden with a marker stay; they are not ours to remove.
Some servers (versitygw) take a marker for an object at creation: there, such a
name stays taken, and Commit says after five tries that it is and nothing is there.

Object Lock needs a bucket made with it. Lock extends the retention of an object
and never shortens or weakens it; Locked tells retention and legal hold. Turning
Governance into Compliance is up to the server, which may want a right for that.
Remove of a locked object is blob.ErrLocked; without the right to remove it is
ErrDenied. Nothing here lifts locks or goes around them.

Rights: s3:GetObject, PutObject, ListBucket, AbortMultipartUpload to back up and
restore (GetBucketLocation without a region); DeleteObject, and DeleteObjectVersion
with versions, to prune; GetObjectVersion with these, and what backs up, to mend;
PutObjectRetention, GetObjectRetention, GetObjectLegalHold for locks, PutObjectLegalHold
to mend what is under one.

Keys of machines that Amazon hands out itself (instance roles) are not fetched.

# Whose client

minio-go v7, as it is smaller. Against a program that has net/http and
encoding/xml already, a program that calls the twelve operations used here grows
from 6.0 MB to 7.8 MB with it and to 8.5 MB with aws-sdk-go-v2 (service/s3
v1.109.1); mailbrick itself grows from 30.9 MB to 32.6 MB and to 37.1 MB. It
brings 13 modules that were not there, the other 12. Both are kept and released
often. Its own retries are turned off: they have neither a deadline nor a clock
that a test could set.
*/
package s3
