/*
Package dir is a bucket in a folder of a file system. It owns the order of
system calls that makes objects atomic and durable there. It must never know
what the objects are.

# Layout

The object "packs/ab/x" is the file packs/ab/x below the root, mode 0600, in
folders of mode 0700. Every other file is none of ours: a segment that is not
allowed in a name is never listed and never touched. So are the temporary files,

	.<26 characters of base32>.tmp

in the folder of the object they will be. The root and the folders are made when
the first object needs them; opening, reading and listing make nothing, and a
root that is not there is an empty bucket.

# Order of a commit

	Create   1  make missing folders, sync the folder that holds each
	         2  open the temporary file, new and for us alone
	Write    3  write
	Commit   4  sync the temporary file           the bytes are durable
	         5  close it
	         6  link it to the name               visible; fails if taken
	         7  remove the temporary name
	         8  sync the folder                   the name is durable

The link is the moment of truth. Rename would put the object over another one,
and a file created under its name and then written could be seen half done. A
crash before the end of 8 leaves the whole object or none, whatever the file
system kept of the folder: the bytes were synced before the name was made. When
7 fails the object is good and a second name of it stays, hidden. Who loses at 6
also does 8 before it says so: what it lost to is durable then.

Between 6 and 8 others see an object that a crash may still take away. What they
then commit in the same folder is durable only together with it.

A sync that failed is not tried again: kernels drop what they could not write, and
then say that all is well. So when 4 fails the file is given up, and who tries
again writes another one. A folder's sync (8) may be tried again: file systems that
journal names, or write them elsewhere (ext4, XFS, Btrfs, ZFS, APFS, NTFS), take no
more changes once that failed.

A folder that exists may have been made by a process that had no time to sync it
(step 1), so each process syncs the way from the root down once before it relies
on a folder.

Replace differs in 6: it renames the temporary file over the object, if that is
still there, and 7 finds nothing to remove. A crash leaves the old object or the
new one, both whole.

# What a crash leaves

Temporary files of dead processes stay. They are harmless and List hides them;
nothing here removes them, as nothing can tell them from those at work. With no
program running, or by age:

	find ROOT -name '.*.tmp' -mtime +7 -delete

# Systems

Linux, macOS (where sync means F_FULLFSYNC) and Windows on NTFS. Folders are not
synced on Windows, which has no such call: NTFS journals names, but whether the
last of them survive loss of power is the volume's affair. A folder that answers
EINVAL or ENOTSUP to a sync (some network file systems) counts the same. A file
system without hard links (FAT, exFAT, some shares) cannot be a bucket: Commit
says ErrLinks and leaves nothing behind.

On Windows an object that is being read cannot be removed.
*/
package dir
