// Package opendir reads and makes the files of one directory, thousands of them, at the price of the system's own calls.
//
// An os.Root keeps whatever names and links say inside of a tree, and pays for it: it opens each directory of a path anew,
// and what it opens is offered to the poller, which takes no plain file (eleven calls for one file in a subdirectory on Linux,
// where two are needed). A Dir is a directory of a root that is held open, by one descriptor. A plain name, one that has no separator, is
// opened in it without following links, so it cannot lead anywhere else; any other name takes the way of a root, and so does
// every name on systems without openat.
//
// What a Dir makes is a Draft: whole or not at all. On Linux it has no name until it is published (O_TMPFILE, then linkat), so a
// kill leaves nothing of it, and it costs less than a temporary name that becomes another. Where a name is taken, on file
// systems that know no such files, and on other systems it is renamed.
//
// The package knows no mail and no archive.
package opendir
