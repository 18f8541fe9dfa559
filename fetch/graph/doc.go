// Package graph is a client of the mailbox import and export API of Microsoft Graph: JSON over HTTP, the operations
// that a backup and a restore need.
//
// It owns the protocol as a client sees it: URLs, answers, the table of errors, back-offs. It must never know what is
// done with an item: no store, no MAPI, no room of the project, no EWS.
//
// # Operations
//
//	MailboxID      GET   /users/{user}/settings/exchange                   once for a client
//	Folder         GET   .../mailboxes/{m}/folders/{f}                     by id or well-known name
//	Folders        GET   .../folders, .../folders/{f}/childFolders         all levels, all pages, with the change marks; see below
//	CreateFolder   POST  the same                                          the one that is there already, if there is
//	ChangedItems   GET   .../folders/{f}/items/delta                       a page; links as they were given
//	ListItems      GET   .../folders/{f}/items                             a page, with search keys and Message-IDs
//	Item           GET   .../folders/{f}/items/{i}
//	ExportItems    POST  .../exportItems                                   bodies streamed, 20 a request and fewer
//	ImportItem     POST  .../createImportSession, then its importUrl       body streamed, never sent twice
//	DeleteItem     DELETE .../folders/{f}/items/{i}
//	SetRead        PATCH /users/{user}/messages/{i}                        of the API for mail: this one has no way to
//
// It is the API of version 1.0, which has primary and shared mailboxes. Options.Archive is the in-place archive, which
// the preview (beta) has alone; Microsoft does not support that in production. What the API has not at all: public
// folders, group mailboxes, associated items, clouds of their own (US Government, China: ErrNationalCloud).
//
// # Ids
//
// Ids are those of REST, taken as they are. The header that asks for immutable ids is not sent: this kind of item is not
// in the list of those that have some. An id changes when its item moves to another folder. An id of EWS is the same
// bytes in another alphabet (ToEWS, FromEWS); change keys are the same in both. The way in the documentation is
// translateExchangeIds, which costs a request for each 1,000 and comes to the same.
//
// # Folders
//
// Delta of folders tells when one comes, goes or has another name, not when something in it changes, and takes no extended
// properties: the change marks, which spare a request for each folder, are told by a listing alone. So folders are listed, and
// with each what lies below it, three levels deep in one request ($expand=childFolders). What is told so is taken for all only
// where there are as many as childFolderCount says: a server leaves out what is beyond its page (10 where it does not mind $top) and
// does not say so. Every other folder is asked for by a request, as all are of a server that refuses the question, or gives the
// marks of the uppermost folders alone.
//
// # Answers as a stream
//
// An export may hold an item of 250 MB in one string, which encoding/json would hold whole. The scanner of this package
// reads JSON (RFC 8259) in pieces of a buffer of 64 KiB; the string goes through a base64 decoder to the caller as it
// comes from the wire, and a call takes the same memory whatever the size. Names, texts that are held, numbers, depth,
// links, the entries of a page (5,000 items, 25,000 folders), folders in all (250,000) and the answer as a whole (32 MiB, of an export 4 GiB) have
// limits, checked before memory is taken. Package wire says how slow an answer may be, and where lists end that a server does not.
// Members may come in any order, codes and the member "error" in any case.
//
// # Truncation
//
// An answer or a connection that is cut, data that are not base64, and the notice that Exchange writes when it gives up
// in the middle (package wire) are ErrTruncated. A success without data is an error of its item, to be asked again.
//
// # Errors
//
// All errors but those of the context and of the caller's own functions are, or wrap, an *Error; Class says what to do, by
// the one table in class.go. Of nested codes the most specific that the table knows counts. Texts of servers lose links,
// tokens and the addresses that the user did not give; a URL is never part of an error, since one for imports is a secret
// and links hold the server's state.
//
//	class      the client                                       the caller
//	Transient  tries again, 1 s, 2 s, 4 s ... with jitter        next run
//	BackOff    the governor lets nothing go until it ends        comes back later
//	Auth       once more after a 401, with another token         stops the application
//	Shrink     asks for 10, 5 and 1 items in place of 20         the item is too large
//	Moved      with Options.Archive goes there                   gives the item up
//	the rest   returns it                                        see Class
//
// # Pace
//
// Each client has a governor (package throttle) below that of its application: 3 requests at once (the server allows 4),
// 9,600 in any 10 minutes (10,000), 140 MB of imports in any 5 minutes (150 MB). Retry-After holds for the mailbox. What
// broke down over many items (5xx, time-out, 413) is asked for again in smaller parts before anything else is tried. One item
// over which it breaks down alone is given its error (Error.Unanswered), and the others are exported.
//
// # Imports
//
// An import goes to a URL of its own at another host. The URL is a secret that lets anybody write into the mailbox: it is
// used with a transport that signs nothing in, only if it leads to Exchange Online by https, and it is in no error. It is
// renewed two minutes before its end, and once when it is refused. Reads are tried again while the caller has got
// nothing; an import is not: once the whole request may have reached the server and the answer does not say no (a
// status of 3xx or 4xx), it is ErrUnknownOutcome, and the caller looks into the folder before he sends it again.
//
// # Links and redirects
//
// Redirects are not followed. Links of pages and of delta are used as they are, if they lead to the same host and below
// the same version of the API; any other is ErrOtherHost, or, where it was kept from an earlier run, Resync. With
// Options.Archive a 308 and ErrArchiveFolderMovedPermanently are followed by the same rule. TLS is never skipped.
package graph
