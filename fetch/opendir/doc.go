// Package opendir reads and makes the files of one directory, thousands of them, at the price of the system's own calls.
//
// An os.Root keeps whatever names and links say inside of a tree, and pays for it: it opens each directory of a path anew,
// and what it opens is offered to the poller, which takes no plain file (eleven calls for one file in a subdirectory on Linux,
// where two are needed). A Dir is a root whose directory is held open. A plain name, one that has no separator, is
// opened in it without following links, so it cannot lead anywhere else; any other name takes the root's way, and so does
// every name on systems without openat.
//
// The package knows no mail and no archive.
package opendir
