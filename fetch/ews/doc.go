// Package ews is a client of Exchange Web Services: SOAP 1.1 over HTTP, the
// operations that a backup and a restore need.
//
// It owns the protocol as a client sees it: envelopes, headers, response
// messages, faults, the table of errors, back-offs, the ladder of schema
// versions. It must never know what is done with an item: no store, no MAPI, no
// room of the project.
//
// # Operations
//
//	GetFolders        GetFolder         by position; folders that are not there are zero
//	FindFolders       FindFolder        deep, all pages, with the change marks
//	CreateFolder      CreateFolder      the one that is there already, if there is
//	SyncFolderItems   SyncFolderItems   hidden items too
//	FindItems         FindItem          all pages
//	ExportItems       ExportItems       bodies streamed
//	UploadItems       UploadItems       bodies streamed, never sent twice
//	SetRead           UpdateItem        message:IsRead
//	LookUp            GetFolder         as GetFolders, with an error for each folder
//	ChildFolders      FindFolder        shallow, for public folders
//	ListItems         FindItem          a page, for public folders
//	Watch             Subscribe, GetStreamingEvents, Unsubscribe
//
// Every call goes one way: an operation says how to build its request (etree)
// and how to read its answer; call sends it, sorts what comes back, waits and
// sends again.
//
//	call ── account ── governor ── exchange ── envelope, body ──────> server
//	  ^                   ^
//	  └── tries <── signal, judge, statusError <── answer (scanner) <──┘
//
// # Whose mailbox
//
// With Options.Impersonate every request carries the header ExchangeImpersonation.
// Without it a server takes the folders that have names for the account's own,
// whichever mailbox was meant; so with Options.Mailbox each DistinguishedFolderId
// names the mailbox, and the server opens it or refuses (ErrorAccessDenied,
// ErrorNonExistentMailbox). Ids of folders and items hold their mailbox.
//
// # Answers as a stream
//
// An export may hold an item of 150 MB in one text node, which encoding/xml
// would hold whole. The scanner of this package reads XML in pieces of a buffer
// of 64 KiB; the text of Data goes through the base64 reader to the caller as it
// comes from the wire, and a call takes the same memory whatever the size. The
// scanner knows XML 1.0 with namespaces, in UTF-8, without a DTD, which it
// refuses. Names, attributes, texts that are held, depth, the entries of a page
// (5,000), folders in all (1,000,000) and the answer as a whole (32 MiB, of an
// export 4 GiB) have limits, checked before memory is taken. Package wire says how
// slow an answer may be, and where lists end that a server does not.
//
// # Truncation
//
// During failovers a server may cut an export in its middle and write
//
//	=== Truncated Data ===
//
// instead of the rest: within the text of Data, decoded at the end of the data,
// between elements, or after a document that is otherwise whole. All of these,
// a document or a connection that is cut, and anything in Data that is not
// base64 are ErrTruncated. What is after the document is only known at the end
// of the call, so nothing may be kept for good before ExportItems returns nil.
//
// # Errors
//
// All errors but those of the context and of the caller's own functions are, or
// wrap, an *Error; Class says what to do, by the one table in class.go. Answers
// with status 500 (and others) are looked into for a SOAP fault before the status
// is believed. Texts of servers lose the addresses the user did not give;
// passwords, queries of URLs and what a page says are never part of an error.
//
//	class      the client                                  the caller
//	Transient  tries again, 1 s, 2 s, 4 s ... with jitter  next run
//	BackOff    nobody who shares it sends until it ends    comes back later
//	Version    steps down: 2013_SP1, 2013, 2010_SP2, _SP1  gives up
//	Auth       once more after a 401                       stops the account
//	Shrink     asks for smaller pages itself               halves the batch
//	the rest   returns it                                  see Class
//
// A code that the table does not know, and ErrorInternalServerError, is tried
// three times and is the item's then. Errors of TLS are never tried again.
//
// What passes and does not, in an export, may be one item's doing: a request for
// more than one is Shrink then, so that the caller finds it by halves, and of one
// alone Unanswered is true. A 502 or 504, with which somebody in between gives up,
// is such at once, and of one item after three times. A store that is away or
// fails over, or a mailbox on the move, is none: it is asked for again minutes
// apart. Elsewhere says that Autodiscover may know more.
//
// # When requests go
//
// Package throttle decides that; class.go says what each error tells it. A back-off
// is as long as the server says (BackOffMilliseconds in a fault, in a message,
// beside an inner error; Retry-After) or grows from 10 s, after 502 and 504 from
// 1 s, and then one request goes first. Options.Patience bounds what one call waits.
//
//	                                         pause   fewer at once
//	class BackOff                            yes     yes
//	ErrorExceededConnectionCount, a busy     only    yes
//	  server that names a concurrency        of one
//	  policy and no time
//	ErrorTimeoutExpired, a stalled           no      yes
//	  connection, ErrorExceededFindCountLimit,
//	  short memory, 401
//	all others                               no      no
//
// At most 27 requests are on their way for one budget, 5 of them SyncFolderItems,
// which are the limits of Exchange's default policies.
//
// # Accounts
//
// A run has a Client for each mailbox and one Account for all of them:
//
//	              with impersonation               without
//	budget        of this mailbox: 27, 5           of the account: 27, 5
//	back-off      of this mailbox                  of the account
//	429, 503      of the account: the front end's, before any mailbox
//	all at once   32                               27
//	credentials   of the account
//
// Until the server has let the account in, which any answer of EWS but a refusal
// of the account shows, one call at a time goes to it. A 401 is repeated once,
// servers say it under load too; the second one (a 456, an expired password at
// once) is the answer to every later call of every client, and nothing is sent
// any more: a wrong password is sent twice in all, whatever the number of
// mailboxes. Once let in, each call may repeat a 401 for itself.
//
// An address where nobody takes the connection is tried twice, about a second
// apart, by all clients together, and then once by each call, until somebody has
// answered there; after that it is Transient as any other.
//
// Reads are tried again while the caller has got nothing. An upload is not: once
// the whole request may have reached the server and the answer does not say what
// became of it, the results are ErrUnknownOutcome, and the caller looks into the
// folder (FindItems) before he sends anything again.
//
// # Redirects and other answers
//
// Redirects are not followed, they would carry the credentials along; the error
// names the target. HTML and whatever else is not a SOAP envelope is
// ErrNotExchange. After a fault the connection is dropped, and the response
// element must be that of the operation: some servers answer a faulted request
// twice, and the second answer would become that of the next request.
package ews
