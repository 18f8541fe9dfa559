// Package exchangetest is an Exchange server in memory: an http.Handler that
// speaks Exchange Web Services (SOAP 1.1, POST /EWS/Exchange.asmx) and the
// mailbox API of Microsoft Graph (below /v1.0 and /beta) for trials and tests. It loads mailboxes from trees of .eml files, changes them by EWS,
// exports and takes items as genuine FastTransfer streams, and fails to order.
//
// It owns the server's side of the protocol: mailboxes, folders, ids, change
// keys, synchronization states, schema checks, faults. It must never know a
// client of the project (it imports none), so that a mistake is not made twice;
// it refuses what Exchange refuses. The streams are the project's own
// (packages fasttransfer and eml); there is no codec here.
//
// # What is modelled
//
// One mailbox is a tree of folders below "root", which has the tree people see
// (msgfolderroot) and, outside of it, the search folders and the recoverable
// items. A mailbox counts its changes: every change of an item or folder takes
// the next number. The number makes the change key, orders the folder's log of
// changes, and is what a synchronization state points at.
//
//	DeleteItem HardDelete          gone (single item recovery is off)
//	DeleteItem SoftDelete          moves to recoverableitemsdeletions
//	DeleteItem MoveToDeletedItems  moves to deleteditems
//	MoveItem                       a delete and a create under a new id
//	UploadItems                    keeps the stream but for PidTagLastModificationTime
//	UpdateItem                     changes the properties in the stream
//	CreateItem                     takes MIME (of appointments iCalendar, of contacts vCard), or
//	                               the fields of messages, appointments, contacts, tasks, posts
//
// What fields of an appointment or a task mean together (times, zones, series,
// attendees) is set by way of iCalendar and the package calendar, all at once: an
// update lays its fields over those that the item has. Attachments, files or
// items, come inline or by CreateAttachment. Sent is nothing: there is nobody to
// send to. Not modelled are instances of a series (their ids, and their places in
// a CalendarView), zones without a name, tasks that begin anew when they are
// done, distribution lists, replies, answers to meetings.
//
// A folder's PidTagLocalCommitTimeMax (0x670A) is later after every item
// created or changed, by a millisecond at least; PidTagDeletedCountTotal
// (0x670B) grows with every item deleted or moved away. A client that wants to
// know whether a folder changed needs both.
//
// A mailbox may have an archive (EnableArchive, LoadArchive), a tree beside the
// primary one. Public folders (LoadPublicFolders) are of no mailbox: requests
// come to them by publicfoldersroot and by their ids; synchronization and deep
// listings are refused there, and the content of a folder may lie in a mailbox
// of its own, to which X-PublicFolderMailbox must lead.
//
// # Subscriptions
//
// Pull subscriptions give events behind a watermark; streamed ones come as
// envelopes one after another, cut anywhere into pieces. There are two servers
// behind the front end: a subscription is known to one of them, to which
// X-AnchorMailbox leads, or with X-PreferServerAffinity the cookie
// X-BackEndOverrideCookie. Failover, or a fault of that name, loses all of them.
// Push subscriptions are not modelled, nor is the number of subscriptions limited.
//
// # Faults to order
//
// A table of faults, in Options or as a JSON list for ReadFaults, makes requests
// and items fail: see Fault for the keys and Action for what can happen. Three faults:
//
//	[{"operation": "ExportItems", "call": 3, "action": "fault", "code": "ErrorServerBusy", "back_off_ms": 3000},
//	 {"operation": "ExportItems", "call": 5, "index": 2, "action": "item-error", "code": "ErrorCorruptData", "times": -1},
//	 {"operation": "UploadItems", "mailbox": "a@example.org", "action": "cut"}]
//
// The last one is a lost answer: the items are there and the client does not know.
// By chance and for ever, with the same choices for the same seed:
//
//	[{"action": "status", "status": 503, "probability": 0.01, "seed": 1, "times": -1},
//	 {"operation": "ExportItems", "class": "IPM.Appointment", "folder": "calendar", "action": "truncate-inside", "probability": 0.1, "times": -1}]
//
// # Budgets
//
// Options.Throttle is a Policy: what Exchange's throttling allows (StandardPolicy:
// 27 requests and 5 synchronizations at once, burst, recharge and cutoff of a
// token bucket of server time; of Graph 4 at once, 10,000 in 10 minutes, 150 MB of
// uploads in 5 minutes) and what requests cost. The budget is the mailbox's under
// impersonation, the account's without, of Graph the app's in a mailbox. The
// server's work takes its cost in time, by Options.Clock and Options.Sleep: a test
// may run in a testing/synctest bubble (see Pipe), on a clock that is faster, or
// in real time.
//
// An overdrawn bucket first delays items, then everything is refused until it has
// regained enough: ErrorServerBusy with BackOffMilliseconds as a fault, in response
// messages, as an inner error, by turns. What the front end refuses is 429 or 503,
// with Retry-After by turns. As a file (ReadPolicy) all keys may be left out:
//
//	{"ews": {"concurrency": 27, "sync_calls": 5, "sync_back_off": "31s", "max_burst": "5m", "recharge": "15m",
//	         "cutoff": "50m", "recover": "75s", "max_delay": "2s", "find_count": 1000, "request_time": "1m"},
//	 "graph": {"concurrency": 4, "requests": 10000, "request_window": "10m", "upload": 150000000, "upload_window": "5m"},
//	 "front_end": {"requests": 600, "request_window": "1m"}, "workers": 8, "queue": 100, "grace": "500ms",
//	 "costs": {"default": {"request": "5ms", "item": "2ms", "megabyte": "20ms"}, "ExportItems": {"item": "8ms"}}}
//
// The server counts, policy or not: Throttling and GET StatsPath tell what came,
// was served, delayed, refused, how many requests came during a back-off that was
// told (ordered faults tell too), and the shortest time in which the budgets would
// have let it through.
//
// # The rate that budgets and faults allow
//
// With Options.Judge, Rate tells at any moment what a client has made of what the
// server would have done for it. Both sides are time of the server's workers
// (Policy.Workers at once), so that the share has no unit.
//
//	share = Needed / Allowed
//
// Allowed is what could have been done since the server began. At each moment
//
//	a mailbox takes     its limit of requests at once (27 of EWS, 4 of Graph)
//	                    none while an ordered fault has told it to stay away
//	all together take   no more than there are workers
//	                    none while the front end was told to: a status 429 or 503 of EWS with Retry-After
//
// and a mailbox, over all of the time, no more than its bucket held and regained.
// Nothing else is taken off. Refusals that name no time, connections that are cut
// or stalled, mailboxes that are said to be away, move or fail over, tokens that
// are not given: the server has its workers all the same, and time in which a
// client leaves them idle is the client's loss, whatever it waits for. So are the
// client's own limits, the back-offs that it brought upon itself, and that it does
// not send what it could.
//
// Needed is the work (Cost) of what was let through, without what was for nothing:
//
//	an item that was given before, in the same state, in an answer that was whole   for nothing
//	another request that was answered before, letter for letter                     for nothing
//	an answer that the client left before its end                                   for nothing
//	an answer that a fault cut, truncated or stalled                                needed: the fault takes it, once for each fault
//	an item in whose place a fault gave an error or half of it                      needed: the same
//
// It is meant for a first backup, in which nothing is needed twice. Allowed counts
// all mailboxes that were ever asked for as if there was work for each from the
// beginning to the end. So a share says something while there is: at the end of a
// backup, when the last mailboxes have little left to ask for, it falls for every client.
//
// Report.Ideal is the other figure: the shortest time for all of a load, by the
// budgets alone. It knows neither faults nor work that was for nothing.
//
// # Graph
//
// Below /v1.0 and /beta the mailbox import and export API of Microsoft Graph
// answers for the same mailboxes: one tree, one log of changes, the same change
// keys and streams. Its ids are those of EWS with "-" for "/" and "_" for "+"
// (not base64url: microsoftgraph/microsoft-graph-docs#14419). A mailbox is
// MBX:mailbox GUID@tenant GUID; the archive and the auxiliary archive, each with
// an id of its own, are of the beta only. Operations, as faults and counts name them:
//
//	graph.settings               GET    users/{user}/settings/exchange
//	graph.translateExchangeIds   POST   users/{user}/translateExchangeIds
//	graph.batch                  POST   $batch
//	graph.listFolders            GET    admin/exchange/mailboxes/{mailbox}/folders
//	graph.createFolder           POST   the same, and .../folders/{folder}/childFolders
//	graph.listChildFolders       GET    .../folders/{folder}/childFolders
//	graph.folderDelta            GET    .../folders/delta, .../folders/{folder}/childFolders/delta
//	graph.getFolder              GET    .../folders/{folder}
//	graph.updateFolder           PATCH  the same, and .../childFolders/{child}
//	graph.deleteFolder           DELETE .../folders/{folder}/$ref, .../childFolders/{child}/$ref
//	graph.listItems              GET    .../folders/{folder}/items
//	graph.itemDelta              GET    .../folders/{folder}/items/delta
//	graph.getItem                GET    .../folders/{folder}/items/{item}
//	graph.deleteItem             DELETE the same, with disposalType
//	graph.exportItems            POST   .../exportItems
//	graph.createImportSession    POST   .../createImportSession
//	graph.importItem             POST   the importUrl of a session, on this server
//
// A folder deleted is gone and its items are recoverable. A token of a delta is
// base64url of a synchronization state, that does not grow, and of the query
// that the round began with. An import session's token is a JWT with the time
// of its end; a server started anew knows none of those given before.
//
// # Sign-in
//
// EWS takes Basic (AddAccount) and tokens of the server's own authority at
// AuthorityPath (AddApp): client credentials by secret or by a certificate's
// assertion. Tokens are for one audience (scope without "/.default": Exchange
// Online, Graph, or the server's own URL), live Options.TokenLife, and have no mailbox
// of their own. Faults upon operation "token" strike the authority.
//
// Over HTTPServer EWS takes NTLM too, version 2 alone, under that name or bare as
// Negotiate: three legs on one connection, the proof and, where the client says so,
// the code over all three messages are verified. It is the connection that is
// signed in: requests on it need no header, one on another begins anew. A
// connection that was somebody's is refused to anybody else, whatever he signs in
// with. Extended Protection is off, and a 401 costs nothing but a count: accounts
// are not locked.
//
// # Items that nobody holds
//
// Make gives a mailbox folders of any number of items of any size. Their ids,
// change keys, lines of the log and streams are computed when they are asked for;
// one that is changed, moved or deleted is an item like others.
//
// # Autodiscover
//
// Both forms are there (JSON, which wants no credentials, and POX, which does) and
// lead to Endpoint. Redirect sends who asks by POX elsewhere; Options.OldAutodiscover
// leaves POX alone, as on servers before Exchange 2016 CU3.
//
// # Ids
//
// Ids are canonical base64 (case matters) of, integers little endian:
//
//	offset  size  field
//	0       2     00 03
//	2       2     36, length of the next field
//	4       36    the mailbox's GUID as text
//	40      2     length of the entry id: 46 for a folder, 70 for an item
//	42      46|70 entry id [MS-OXCDATA] 2.2.4.1, 2.2.4.2: flags (4, zero), provider
//	              (16), type (2: 1 folder, 7 message), replica (16), folder (6, big
//	              endian), 0 (2); for an item again replica, message (6), 0 (2)
//	+       1     0
//
// The id of an attachment is that of its item, then for each attachment it is in
// and itself the index:u16 big endian, then their number:u8.
//
// A change key is base64 of kind:u32 (1 folder, 9 message, 15 appointment, 17
// contact, 18 list, 19 task), 22:u32, replica GUID (16), change number (6, big
// endian). The short form, the kind alone ("CQAAAA=="), is a key that says nothing.
//
// The GUID comes from the address, and counters run in the order of loading, so
// a server started anew on the same trees gives the same ids and accepts the
// states it gave before, as long as nothing had been changed in between.
//
// # Synchronization states
//
// A state is base64 of
//
//	offset  size  field
//	0       4     "MBS1"
//	4       1     scope: 1 items, 2 items with associated ones, 3 hierarchy, 4 hierarchy of the mailbox;
//	              of Graph 16 items, 17 folders, and 128 more within a round
//	5       16    mailbox GUID
//	21      8     folder
//	29      8     number of the last change told
//	37      8     the log's chain value at that change
//	45      8     FNV-1a of all before, over a constant of this package
//	53      n     zeros, one for sixteen changes, at most 4096: states grow
//
// The chain value is an FNV-1a over all changes of the log up to that one, so a
// state of another history (another server, another folder) is refused with
// ErrorInvalidSyncStateData like a damaged one.
package exchangetest
