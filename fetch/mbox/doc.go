// Package mbox reads the messages of an mbox file one after the other, as tar
// archives are read: in memory that does not grow with them [RFC 4155].
//
// It owns where a message begins and ends and what was done to its lines for
// the sake of that. It must never know what a message is made of, nor stores.
//
// # Format
//
//	mbox    = *( "From " sender [" " date] EOL  message  EOL )
//	message = header [ EOL body ]     lines end in LF or CRLF
//
// There are four dialects and no mark that tells them apart:
//
//	mboxo   a line of a body that begins with "From " gets a ">" in front
//	mboxrd  so does one that begins with any number of ">" and "From "
//	mboxcl  as mboxo, and the header field Content-Length has the bytes of the body
//	mboxcl2 as mboxcl, and lines of bodies are left alone
//
// # Where a message ends
//
// At the Content-Length of its header, when the file ends there or a From line
// follows; any other Content-Length is not believed. Else before the next From
// line, or at the end of the file. A From line stands at the start of the file,
// or is followed by a header field and stands behind an empty line with a time
// of day or with nothing but a sender, or behind any other line with a time of
// day and a year: some writers forget the empty line, many quote nothing, and
// "From there, we" is no message. The empty line before it is not part of the message, nor is the
// one at the end of the file: a message stays as it is when another is appended.
//
// # Quoting
//
// One ">" is taken from lines of a body that begin with ">", ">>" ... and
// "From " (mboxrd, the only dialect that can be undone). A body that was
// measured by Content-Length is given as it is.
package mbox
