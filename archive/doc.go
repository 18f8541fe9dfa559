// Package archive is the store: sessions that add items, versions of items, snapshots of mailboxes, and the way back to
// any of them. It owns what lies in a bucket and the catalog that makes it fast to ask; it must never know Exchange,
// MAPI or an index: an item is a name, a run of segments and a summary it does not read.
//
// # What an archive is
//
//	config          JSON: format version, id, when it was made, whether it is encrypted, whether packs and journal have
//	                parity, and "sum": SHA-256, in hexadecimal, of these five as they stand there, a space between them.
//	                Indented by two spaces, one line each: there is one way to write it
//	keys/           the archive key, a file for each who can open it: KIND.HOLDER.GENERATION (package seal; the generation in
//	                six digits). Of a holder's files the one of the highest generation is his. Without encryption there is
//	                one, of kind "plain"
//	packs/          chunks (package pack)
//	journal/        what was added and removed, when and by whom (package journal); short packs lie in the records that name them
//
// Without config and keys nothing can be read, so each lies there twice, under its name and under that name and ".copy". A
// reader takes the copy when the first is missing or its digest is wrong. Both of a config are written before the archive is
// used, config first.
//
// Beside them, on each machine that uses it, lies a catalog: what journal and packs say, laid out for questions in a
// Pebble database. It follows the journal, holds nothing of its own and is rebuilt from the bucket when it is deleted.
// Its files are under a key derived from the root of the archive's key, whatever generation is in use: it is a cache of this
// machine, where who was a holder has no more than others, and a rotation need not make it anew. Beside it lies the key with which
// this machine signs its records (signer.go).
//
// # From an item to chunks
//
// The caller cuts an item into segments: runs of bytes in the order of the blob, each of a numbered stream and a kind.
// Streams of framing and of what differs in every copy of a message stay in the item's recipe (1 MiB of them; more is
// stored like any other stream). Any other stream is stored as one: whole when it has at most 64 KiB, else cut by content
// (package chunker, 16 KiB to 256 KiB, with a gear table keyed by the archive). So framing that stands every so many bytes
// of an attachment does not hinder finding the attachment again. A chunk's id is HMAC-SHA-256 of its bytes under a key of
// the archive, the first 16 bytes; that of a recipe is made of the blob's SHA-256 and of the recipe without the bytes that
// it holds itself, in whose place stand their lengths: the two make it what it is.
//
// What gives the bytes back is the recipe, a chunk itself; it needs no parser. Version 1 ("varint" and "bytes" as in package
// wire):
//
//	1 byte    recipe version, 1
//	1 byte    cutter version, 1
//	varint    number of streams; then for each stream
//	  varint    number of its chunks; then for each chunk 16 bytes id, varint length
//	  bytes     when it has no chunks: the stream itself
//	then, to the end, runs:
//	  varint    how often the run stands
//	  varint    number of takes in it, 1 or 2; then for each take
//	    varint varint   number of a stream; how many of its next bytes follow
//
// Streams are numbered in order of their first bytes. A run takes no more of a stream than it holds, and at the end every
// byte was taken once: a reader proves it by arithmetic before it reads a chunk, and keeps runs as they are, so that a few
// bytes of recipe never become many of memory. A recipe has at most 2^16 streams, 4 MiB of framing and 16 MiB in all; chunks
// have 1 byte to 16 MiB.
//
// Each version names its recipe's chunk and has the SHA-256 of the blob; reading checks both.
//
// # Copies
//
// A mailbox's copy of a message differs from another's in a few fields, and has the same body and attachments. So the caller
// says by what copies are known ([Item.Similar]); the first recipe of a kind is stored whole and marked, and those that are
// like it as deltas against it (package delta), unless a delta gains less than a quarter. Names of bodies and attachments
// that copies share are in the base too. A base is always whole: an item is never further than two recipes away. Which one is
// a base is this machine's choice by what its catalog knows: another choice is waste, never damage. Before a delta is taken it
// is applied and compared.
//
// # Reading
//
// Where the frames of an item lie, the catalog tells: those of its recipe and of the recipe's base before anything is read, all
// others once the recipe is known. So they are read in at most two goes, what lies near one another in a pack by one read, the
// bytes between with it: over gaps that cost less than another read, and over longer ones while an item would take more than four
// reads. A recipe of which others are deltas was written next to its bodies, so a process that has read little reads what
// lies around it as well. What cannot be read so is read frame by frame, and by parity where there is parity.
//
// # Memory
//
// It does not grow with an item or an archive. Who reads keeps 32 MiB of frames, so that what copies share is opened once when items
// come in the order that Arrange gives them; one long item keeps 4 MiB of its frames there, so that it does not drive out all others.
// Who follows changes keeps 8 MiB: they are read in the order in which they were written.
// Who makes a catalog anew gives it 64 MiB until it is whole, and 16 MiB from then on, as all do.
// Who writes keeps 40 MiB of bases (48 where the bucket is far away), 8 MiB of frames, and what the open group gathers. Chunks that
// come again, as most do, are known by a tag that never leaves the process, at a fifth of the cost of their ids.
// Who has written and goes on with something else gives the bases back (Rest).
//
// # Visible and durable
//
// A session adds versions at the snapshot ordinal that follows its mailbox's last. Groups of what all sessions of a process
// added land together: packs synced, then one journal record, then the catalog. A landed group is durable and may be gone on
// from after a crash (cursors land with what was added before them); it is shown when the session's commit has landed. A
// version is visible in the snapshots [From, To).
//
// A group lands when all open sessions wait in Commit, when it is full, or when it is 60 s old. Its failure is that of all
// sessions, and ends what this process writes; a session's context or end is its own. Before every attempt the group makes
// sure that no other process wrote to one of its mailboxes since the session looked (ErrConflict): a section on top of a
// record that it does not know could never be applied.
//
// A snapshot's counts compare it with the one before: added is only in this one, removed only in that one, changed in both
// with another version. They do not depend on where checkpoints fell.
//
// # Holds
//
// A hold has a name and a reason, and keeps versions from being forgotten until it is released. It names items, with all their
// versions, now and later; or covers whole mailboxes; or stands for a query, which the store does not read: it knows what the
// query found, and through which record it was asked. Versions of snapshots behind that record count as held, in the mailboxes that
// the query speaks of, until it is asked again. What was once held by a hold stays held by it.
//
// Forget is what removes, so it is what asks, before every attempt of its record: a hold that landed before it is seen, wherever it
// was set. A hold that lands after it finds the version gone, and is told when it names an item that has none left. Prune
// removes only what no version needs, so it has nothing to ask, also while a hold's query lags.
//
// # What goes
//
// Forget takes versions out of history, by a record that says why; nothing that is in a mailbox's latest snapshot unless that is
// asked for. Prune gives back the room: it marks what versions need (the recipe's chunk, the one that it is the difference from,
// although the item of that one may be gone, and every chunk that the recipe names), copies what is needed out of the worst packs
// into new ones, as it is, and appends one record that names the new packs and condemns the old. Then it removes them. The record
// also says which chunks of the packs that stay are garbage, and the catalog forgets them: what a catalog knows has all that it
// needs, so that what comes again can be recognised by one look.
//
// Then it folds the journal (package journal): of each range of records that is complete, and of one that is not where a pack in one of
// its records has garbage that must go, it moves what is needed of the packs in them as well, fills the range up, makes the segment and
// removes the records. Packs that are short become one when together they make a full one. So a bucket has never many more objects
// than one for every 32 MiB, however small its commits are. Who backs up needs no right to remove, and folds nothing.
//
// No clock makes this safe and no writer waits. A record rests on everything before it, and is made anew when another one takes
// its number:
//
//   - Prune marks what the records need that came since it marked. A pack of which they need what was not copied stays. When
//     another prune came before it, it begins anew.
//   - A group looks up again what it rests on when something was condemned since. What was moved it finds; what was garbage it
//     cannot, and ends with ErrPruned: the next run stores it again. An item of which some chunks landed with what others stored, before
//     any version needed them, is stored anew by itself (ErrAnew).
//   - The last 4 bytes of a pack's name are the first of the session that wrote it, and a session begins with a record before its
//     first pack. A pack that no record names goes when a record has fenced its session, after which that appends nothing. Whom
//     to fence is decided by age.
//   - A reader that misses a pack follows the journal and reads again, once.
//
// # Locks of the bucket
//
// What must stay can be kept by the bucket itself, from everybody, where it has locks (blob.Locker): Protect locks until a moment the
// packs that versions need, config, keys and the whole journal, without which none is read. Which versions, and how long, the
// caller says. No record tells of it: locks are the bucket's. They are extended and never lifted, so a hold, which has no end, is
// protected by doing so again before the locks end, and a released one when they do. What becomes garbage under a lock is condemned
// like any other; Prune counts what it could not remove and tries again the next time.
//
// # Recovery
//
//   - The catalog is lost or damaged: delete it; opening follows the journal from record 1. One that a crash left with only
//     some of its files, or of another version, is made anew without asking.
//   - A process was killed: nothing to do. Packs that no record names stay behind; Check counts them and they are no error, and
//     Prune removes them.
//   - config or a key file is lost or damaged: its copy is read. When both are, put back any older copy of that one file;
//     other holders open the archive all the same.
//   - A pack or a record is damaged: with parity (package parity) reading goes on, and Repair mends it. Without it, or where it
//     is missing, Check names it and the items that need it.
//   - The bucket is older than the catalog knows (a copy was put back): opening refuses, ErrRollback. Delete the catalog to
//     accept the older state.
package archive
