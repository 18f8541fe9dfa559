/*
Package blob owns the idea of a bucket: bytes under names, written once, whole
or not at all. A folder (blob/dir) and an object store are buckets; blob/blobtest
is the suite that every one of them passes. It must never know what the bytes are.

# Promises of a bucket

Write-once. Under a name there is nothing, or one object that never changes.
There is no way to write over it. The exception is Replacer, an ability that some
buckets have: what is damaged on the disk is mended by an object that stands in
its place, at once and durably. Who uses it proves that the bytes mean the same.
Replacing and removing one object at the same time may leave either.

Whole or absent. What is written becomes visible under its name by Commit, all
of it at once. Of many writers of one name exactly one wins, the others get
ErrExist from Commit (Create does not look). No crash leaves a part of an object
under a name.

Durable. When Commit has returned nil the object survives loss of power.

In doubt. When Commit returns an error that is not ErrExist the object may be
there or not (the answer was lost, the folder could not be synced). Who must
know reads it: one that is there is whole. Even ErrExist may mean the caller's
own object when something below tried twice, so writers that race put
something of their own into the object and compare.

Bytes of a Writer that is neither committed nor aborted are invisible; they may
take space until somebody cleans up.

# Names

	name    = segment *( "/" segment )
	segment = 1 to 200 of a-z 0-9 . _ -   not beginning or ending with "."
	                                      without ".."
	                                      not a device of Windows (con, nul, com1, ...)

At most 1024 bytes. So a name is a path that means the same on every file system,
with or without case, and a key that means the same in every object store.
Everything else is ErrName. A name must not be the folder of another ("a" beside
"a/b"): a file system cannot hold both. No bucket needs to check.

# Errors

Decisions, found with errors.Is: ErrNotExist, ErrExist, ErrName, ErrFull (no
space or quota: stop, nothing is damaged), ErrUnavailable (nothing can be reached:
a copy under another name neither), fs.ErrPermission (not by this user), ErrLocked
(a lock keeps the object from removal; some buckets only, see Locker). All errors
carry the name.
*/
package blob
