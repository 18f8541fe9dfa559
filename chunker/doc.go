// Package chunker cuts a stream of bytes where its content says to (FastCDC with
// a keyed gear table). It must never know what an item is.
package chunker
