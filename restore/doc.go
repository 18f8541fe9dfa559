// Package restore brings items back: versions that an archive holds go into a mailbox by Exchange Web Services
// or Microsoft Graph, or into files. It owns the way there: where an item belongs, whether it is there already, and the proof that what arrived is
// what was sent. It must never know how items are stored, found or fetched: it reads an archive through Vault, is given
// its list of versions by the caller, and knows neither Bleve nor packs.
//
//	versions -> Run -> Target.Place -> groups of 10 items, 16 MiB -> Target.Put -> Result for each
//	                   Mailbox: folder, blob read once, listing        upload, read flags, export again, compare
//	                   Files:   name                                   write, sync, publish
//
// One bad item never stops a run: what is wrong with it is in its Result. A context that ends, a full mailbox (ErrFull),
// refused credentials, a server that stays away and an output folder that cannot be written do. The archive vouches for
// every byte, and a mailbox target reads a blob to its end before it sends any of it.
//
// # Into a mailbox
//
// The folder of an item is found by kind: the lowest of the folders it was in that every mailbox has (inbox, calendar) is
// that folder of the target, whatever it is called there. What is below is found by name, without regard to case, and made
// where it is missing, with the class it had. With Options.ToFolder everything goes below that path, by names alone. An
// item whose folder the archive does not know goes to a folder "Restored".
//
// Mode Skip leaves out an item that its folder held before the restore began: the same id, or the same PidTagSearchKey,
// or, where one side has no search key, the same Message-ID with a size that differs by a quarter and 4 KiB at most (the
// server's count is not the length of the blob). Every listed item stands for one item of the archive, so of twins as many
// are left out as are there. A folder is listed once; one that was empty is not. Associated items (which listings pass
// over) are found by synchronizing the folder and exporting them. Mode New always makes a new item. Mode Update writes
// over the original where it still is in its folder in the same mailbox, whatever has become of it there.
//
// UploadItems must not be repeated blindly. When the answer to one is lost, or time ran out in the middle of it, the folder
// is listed again: a matching item that was neither there before nor put by this run is the one, and it is not sent again.
// What cannot be told (no search key, no Message-ID) is reported, not repeated. A group that fails is tried again item by
// item, three times in all. The read flag may be younger in the archive than the blob; it is set after the upload.
//
// Calendars: the blob holds identity, recurrence, exceptions and answers, and uploading sends no mail. Warned of are a
// meeting's organizer copy in another mailbox, and mode New for an appointment that the calendar has.
//
// Graph imports one item a request, three requests at once, and never repeats one whose outcome is not known either; an update names the item's
// state of that moment, which costs a request. It takes no associated items, and sets read flags only by the API for mail.
//
// By EWS a restore of N items takes N/10 uploads and N/10 exports, one request for each changed read flag, and per folder one for
// every 1,000 items it held and one to make it.
//
// # What is compared
//
// The new item is exported and taken apart as what was sent was: every property of the message, of each recipient and
// attachment in order, and of embedded messages at any depth; by id or name, type and value. Of values only lengths and
// digests are held, of long ones the digest is made as they pass. Not compared is what the server sets itself, the table
// in stamped.go; the order of properties; the numbers of named properties, which are each mailbox's own; the framing; and
// which of its two types a UTF-16 string has. The read flag is compared with what it should be. A blob that cannot be read
// is compared as a whole without its framing. Differences name properties by canonical id, never values:
//
//	0x0037                          a property of the message
//	{00062008-...}/0x8503           a named one
//	recipient 2/0x3001              of the second recipient
//	attachment 1/message/0x1000     of the message within the first attachment
//	attachment 2                    that is missing, or one too many
//	content                         a blob that cannot be read or has hundreds of thousands of parts, or only one of the two
//
// # Into files
//
// One file for each item, folders as folders:
//
//	<mailbox>/<folder>/.../<date> <time> <subject> <id>.eml     2001-05-14 162300 Re_ Gas 4q2n7dmzra.eml
//	manifest.sha256                                             for sha256sum -c; also of files of earlier runs
//	exceptions.jsonl                                            items that are not there, one JSON object a line
//
// date and time are when the item was received, else sent, else first seen, UTC; id is the first 10 letters of the
// archive's, the whole of it and the version's first snapshot where that name is taken. Names fit all systems: characters
// that Windows or shells read otherwise become "_", reserved names (CON, LPT1, ...) get one in front, ends have no dots or
// blanks, folders take at most 48 bytes and subjects 64. A folder whose name had to be changed gets a mark of its true name, so that
// two never meet. The same list of versions gives the same names. A file is there whole or not at
// all (package opendir), and durable before the manifest names it; no name and no link in the folder leads out of it.
//
// Format EML makes mail of the properties; where one differs from the stored transport header the property wins (package
// eml). Format MSG has all properties as they are
// (package msg). A blob that cannot be read is an exception in both; format Blob gives the bytes of every item.
package restore
