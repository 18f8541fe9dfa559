// Package index makes an archive searchable: it follows the journal and answers queries of the mail dialect of KQL.
//
// It owns the documents, how text becomes words, the files of the index folder and how a query is answered. It must
// never know how items are fetched or how the store keeps them: it sees an archive through Log. Nothing of Bleve or
// bbolt is seen outside. The index is a cache: deleted, it is made again from the archive, and gives the same answers.
//
// # Documents and occurrences
//
// A message that lies in ten mailboxes is one document. Its name is a hash of its content: subject, people, body text,
// time of sending, attachments. What differs from copy to copy (mailbox, folder, received, size, class, read) and over
// time is in occurrences, one for each version of each item. A blob seen before (same SHA-256) is not even read again.
//
// A query is cut into its largest parts that ask for content alone. Each becomes one set of documents, by Boolean
// algebra over bit sets. All else is decided for each occurrence of the documents that can matter: mailbox, visibility in
// a snapshot (From <= n < To), received, size, folder, class, read. So NOT means the same everywhere: every occurrence
// that can be seen holds or does not.
//
// # Words
//
// Text is brought into composed form (NFC); full-width, half-width and joined letters (U+FB00 to U+FFEF) become the
// plain ones; soft hyphens, joiners and variation selectors go. Then words are runs of letters, digits and marks
// (kql.IsWord), in lower case. Everything else parts words, also ' . _ @ - / inside: O'Neil is o neil, W-2 is w 2, a
// query is cut the same way and asks for the words in a row. There are no stop words, no stemming, no folding of
// accents. Runs of scripts without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar) give every pair of neighbours and
// every single letter; queries ask for the pairs. A word is cut at 128 bytes.
//
// People are words too, of name and address. Besides, an address is found as a whole, by its local part, by its domain
// and by every domain above that, and a part of a name with marks inside (O'Neil) as a whole. A value with marks inside
// and no space (contoso.com, ann@contoso.com, o'neil) asks a field of people for a whole, any other for words in a row.
// A word without property asks subject, body, attachment names, from, to, cc and bcc.
//
// # Folder
//
//	FORMAT       "mailbrick index 2\n"; a change of anything on this page is a new number
//	words/       Bleve's scorch: fields subject body attachmentnames from to cc bcc sent marks; nothing stored,
//	             no doc values. Internal key "position": u64
//	rows.bolt    bbolt, buckets:
//	  meta       "position" -> u64; "reach" -> u64, when rows of later positions may be there
//	  rows       document[16] mailbox:u32 item[16] from:u32
//	             -> to:u32 flags:u8 received:i64 sent:i64 size:i64 folder:u32 class:u32 folder key:u64
//	  items      mailbox:u32 item[16] from:u32 -> document[16]
//	  blobs      sha256[32] -> document[16], of what was read undamaged
//	  names      kind:u8 ('m' mailbox, 'f' folder, 'c' class) string -> number:u32, in a row from 0
//	  exceptions sha256[32] -> why not all of its text is searched
//
// folder is the path when the version was added, the folder key the first 8 bytes of the SHA-256 of the folder's id.
// Renaming or moving a folder changes no item, so no row: a query that brings the paths of its snapshot (Query.Folders)
// asks by the key for the path there, and takes the stored path for folders it does not know only.
//
// Integers are big endian. Times are microseconds since 1970, the lowest i64 for none. to is 0xFFFFFFFF while a version
// is the latest. flags: 1 read, 2 associated. Field sent has two terms a document: 'd' and its day, 't' and its time,
// each an i64 with the sign bit turned, so that ranges are ranges of terms. Field marks has "attachment" and
// "no:<field>" for what is empty. The folder is 0700 and holds words in the clear: it belongs on the machine that reads
// the archive, never in the bucket.
//
// # Durability and recovery
//
// Documents may be written at any time, for they are named by their content. Rows are written for whole positions of
// the journal only. Order of a batch: the word index, with the position in the same batch, synced; then rows.bolt, rows
// in transactions of at most 1,000, the last one with the position, each synced. After a crash the two positions differ;
// Position is the lower one, and Follow goes on from there and writes again what is there already, which changes nothing.
// Should the word index be behind the rows that may be there (its last segments could not be opened and it fell back),
// rows are not believed about documents until it has caught up.
//
// An item that is damaged in the archive is indexed by its summary, an exception says so, and its blob is read again
// should another version have it. Mending the archive leaves no trace in the journal, so Follow cannot know of it: the
// cure is `rebuild --index`. An error that is not damage (a disk or a network that fails, too many open files) says
// nothing about the item: Follow ends with it, before the position of the item, and the next call tries again.
//
// A folder that cannot be opened is ErrDamaged or ErrVersion; the cure for both is to delete it and follow from zero.
package index
