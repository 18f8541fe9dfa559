/*
Package dirtest is a file system in memory that loses power: a dir.FS for tests
of what stands on buckets in folders. It keeps what is seen now apart from what
has been synced, and Crash makes the file system that a machine might find after
the power came back. It must never be kinder than a real one.

# What survives

The bytes of a file as they were at its last Sync. Of later changes any part may
survive: the old content, the new, or the new up to a point with zero bytes or
rubbish behind it.

The names in a folder as they were at the last SyncDir of that folder. Of later
changes each, made or removed, may survive or not, without regard to order. A
folder that is lost takes along what is below it, synced or not.

A Sync that Fail makes fail drops the file's bytes, as kernels do: they stay seen,
a later Sync says that all is well, and no crash keeps them.

The seed of Crash decides; the same seed decides the same. Crash(0) keeps nothing
that was not synced, Crash(1) all that was done.

# Dying

CrashAt(n) makes the n-th call from then on the last: it has been done, done in
part, or not at all as the seed of Crash says, and it and all calls after it
answer ErrCrash.
*/
package dirtest
