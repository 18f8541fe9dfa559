// Package fetch walks a mailbox and hands its items to a session of the archive. It owns the run: what is asked of the
// source and in which order, what is left out because the archive has it, batches, retries of single items, and where the
// next run goes on. It holds the adapters that make sources of the protocols. It must never know packs or an index.
//
// # A run
//
//	folders      one listing of all folders with their change marks
//	per folder   skipped when its mark is the one of the last run; else its changes since the cursor, page by page
//	per page     what the archive knows by id and change key is left out; the rest is exported in batches by bytes;
//	             a read flag is a version without an export; then the cursor moves behind the page
//	at the end   the items that failed before are tried again, and the snapshot is committed
//
// A cursor becomes durable only together with everything before it, so a run that is broken goes on where the last group
// landed: what was exported after that is exported again, what landed is known by id and change key.
//
// An item that cannot be had does not stop the run. It is kept in the cursor with its cause, counted as failed, and tried
// again by the next run. A blob that cannot be read is kept as it is and counted as unparsed.
//
// # Cursors
//
// Keys and values, JSON, opaque to the archive:
//
//	folder/ID  {"state": the protocol's state, "mark": change mark when the folder was last wholly in, "" before}
//	failed/ID  {"folder", "change_key", "size", "cause", "since"}
package fetch
