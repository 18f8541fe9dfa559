package mapi

import "mailbrick/fetch/mapi/codepage"

// CharsetOf is the MIME name of a code page, "" when it is not known.
func CharsetOf(codePage int) string { return codepage.Name(codePage) }

// CodePageOf is the code page of a MIME charset, 0 when it is not known.
func CodePageOf(name string) int { return codepage.Number(name) }

// DecodeCodePage reads b in a Windows code page. Bytes that the code page does
// not know become U+FFFD; a code page not known is read as Windows-1252.
func DecodeCodePage(codePage int, b []byte) string { return codepage.Decode(codePage, b) }
