// Package fetch walks a mailbox and hands its items to a session of the archive. It owns the run: what is asked of the
// source and in which order, what is left out because the archive has it, batches, retries of single items, and where the
// next run goes on. It holds the adapters that make sources of the protocols and of mail files. It must never know packs or an index.
//
// # A run
//
//	folders      one listing of all folders with their change marks
//	per folder   skipped when its mark is the one of the last run; else its changes since the cursor, page by page
//	per page     what the archive knows by id and change key is left out; the rest is exported in batches by bytes;
//	             a read flag is a version without an export; then the cursor moves behind the page
//	at the end   the items that failed before are tried again, and the snapshot is committed
//
// A folder whose state was lost, or of a source without states, is listed whole, and what is no longer there was removed. Some 260,000
// items are gathered, by digest, before they are compared: that reads the archive's list of the mailbox, in parts.
//
// A cursor becomes durable only together with everything before it, so a run that is broken goes on where the last group
// landed: what was exported after that is exported again, what landed is known by id and change key.
//
// Options.Exports batches of a page go at once, and the cursor waits for all of them. A batch that does not come through is
// asked for in halves, and the next ones are no larger than what came. When requests go at all is decided below, by the
// governor of the protocol's client.
//
// An item that cannot be had does not stop the run. It is kept in the cursor with its cause, counted as failed, and tried
// again by the next run. A blob that cannot be read is asked for once more, and then kept as it is and counted as unparsed.
//
// Servers also say what is not so. An item that was listed and is then said not to be there is kept in the cursor too: as a
// rule the next list of changes says that it went. Where it does not, the next run asks for it again; it is a failure when it
// is still not to be had. The same holds for a folder.
//
// # A watch
//
// Watch runs mailboxes again and again. Many notifications of one mailbox are one run; a mailbox that nobody listens to is asked
// now and then, the less often the less happens; one that fails and does not get on waits ever longer and stops nobody else. A full run asks for the
// changes of all folders, whatever their marks say: a mark that did not move must not hide anything for ever.
//
// # Seats
//
// Some mailboxes are read at once, each in a seat (Seats). One that its server lets wait for three seconds and more (Options.Slow: it is
// in a back-off, a request takes its time over little, or nothing comes at all) stands up for another, and goes on when it can. So
// what a mailbox has to wait for is no loss while another can be served. Some times as many stand as sit, for memory's sake.
//
// # Cursors
//
// Keys and values, JSON, opaque to the archive:
//
//	folder/ID  {"state": the protocol's state, "" in the first page; "mark": change mark when the folder was last wholly in, "" before;
//	           "associated": whether the associated items before the state are in}
//	failed/ID  {"folder", "change_key", "size", "cause", "since", "gone": runs that were told that it is not there, at most 2}
//	coverage   what the last run covered: {"parts": [{"part", "state", "reason"}], "gaps": [{"folder", "cause", "since", "failed"}], "skipped": [folders]}
//	source     the kind of the source, "files" or "public folders"; absent for mailboxes of servers
//
// # Parts of a mailbox
//
// A mailbox of a server may have trees beside the one that people see. In the archive each lies under a folder of its own,
// which its kind tells from a folder of the user's that has the same name:
//
//	part                             path                              kind of the uppermost folder
//	primary                          (the top)                         msgfolderroot
//	archive                          In-Place Archive                  archivemsgfolderroot
//	recoverable items                Recoverable Items                 recoverableitemsroot
//	recoverable items of the archive In-Place Archive/Recoverable Items archiverecoverableitemsroot
//	associated                       (hidden items, in any folder)     -
//	public folders                   mailbox "public folders of DOMAIN" publicfoldersroot
//
// A source with parts (Scoped) says of each whether it was covered, not asked for, not there or refused. What is known below
// the root of a part that is not asked for or refused stays as it is; a part that the server says is not there has no
// items, but where the last run covered it that is refused once. Associated items stay in the same way; where they are asked for after all, folders that did not change are listed
// once more, and nothing is stored twice. All of it is part of the result and kept as a cursor, so that a report needs no server.
//
// A folder to which access is denied is a failure in the primary mailbox, and a gap that is told of elsewhere: nobody is let
// into some of the server's own.
//
// # Mail files
//
// Files makes a source of a tree of files:
//
//	directory         a folder; with cur in it, a Maildir: the messages there and in new are the folder's, at the top the inbox's
//	.A.B              with cur in it, folder B in folder A (Maildir++, modified UTF-7)
//	NAME.mbox, .mbx   a folder NAME
//	NAME.pst, .ost    its folders in a folder NAME; in the mailbox itself, when that has nothing else
//	NAME.ics          a folder NAME of its events and tasks
//	NAME.vcf          a folder NAME of its contacts
//	NAME.fts          an exported blob, taken as it is
//	NAME.eml, .msg    a message; so is every file in cur and new
//
// A name without an extension, or with one that is a number, does not say what the file is: its first bytes do. All else,
// and what begins with a dot, is passed over. So are links and special files: nothing outside of the tree is read.
//
// Messages are encoded as Exchange would export them, the same bytes for the same file every time. A version of this program
// that encodes otherwise does not bring everything in again: change keys know files only.
//
// Item ids last as long as the message is where it is:
//
//	file       its path
//	Maildir    FOLDER//the name up to the flags
//	mbox       PATH//digest of the message without what mail programs write into it (Status and the like), and -2 ... for equals
//	PST        PATH/FOLDER//ID of its node
//	ics, vcf   PATH//digest of the UID (of all of it, without one), and -2 ... for equals
//
// Change keys are size and time of a file (and the flags in its name that say something of the message), the digest of the
// fields left out in an mbox, the version in a PST, the digest of an event or card. The change mark of a folder is a digest of ids and change keys, of a
// file of many messages its size and time. So an unchanged tree is known by one look at each file and nothing is read. Two
// changes of a file within one tick of the file system's clock that leave its length alone look like one.
//
// A tree has no list of changes: a folder that changed is listed whole and compared, what is no longer there was removed. A
// message that is moved is another. A directory or PST that cannot be read is a failure, and what is known of the folders
// below it stays.
//
// # Microsoft Graph
//
// Graph makes a source of a mailbox on Graph. It is of one kind with EWS: the archive has the ids of EWS, which are those of
// Graph in other letters (graph.ToEWS), and change keys are the same. So a mailbox may change the protocol between two runs;
// its states are then unknown, and each folder is listed once and compared.
//
//	state      a link of the server, as it was given; "list " and a link where a full mailbox takes no delta
//	mark       time of the last change, deletions, items; none while the time, in whole seconds, is not two seconds past
//	changes    created, changed or removed: a read flag alone is not told apart, so the item is exported again
//
// A run asks for the mailbox's id, its root and its folders, and for changes only where the mark is another: three requests where nothing
// is new, whatever the mailbox holds. The id is asked for by every run, since the address may be another mailbox's by now. A folder
// that is said to be empty is asked for its changes once, too: a count that lags behind must not hide an item.
//
// Where the root of the recoverable items is not shown its folders are asked for by name. Associated items and public folders
// are parts that are refused.
package fetch
