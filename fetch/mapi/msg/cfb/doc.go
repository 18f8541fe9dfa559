// Package cfb reads and writes compound files: storages and streams in one
// file [MS-CFB].
//
// It owns that container in both directions. It must never know what the
// streams mean.
//
// # File
//
// All integers little endian. Sector n begins at (n+1) << shift; the header
// takes the room of sector -1.
//
//	0     signature D0 CF 11 E0 A1 B1 1A E1     44    FAT sectors:u32
//	8     class id:16 = 0                       48    first directory sector:u32
//	24    minor version:u16 = 0x003E            52    transaction:u32
//	26    major version:u16 = 3 or 4            56    mini stream cutoff:u32 = 4096
//	28    byte order:u16 = 0xFFFE               60    first mini FAT sector:u32
//	30    sector shift:u16 = 9 or 12            64    mini FAT sectors:u32
//	32    mini sector shift:u16 = 6             68    first DIFAT sector:u32
//	34    0:6                                   72    DIFAT sectors:u32
//	40    directory sectors:u32 (version 4)     76    first 109 FAT sectors:u32 each
//
// The FAT has a word per sector: the next of its chain, FFFFFFFE at the end of
// one, FFFFFFFF free, FFFFFFFD a FAT sector, FFFFFFFC a DIFAT sector. DIFAT
// sectors name the FAT sectors beyond 109; their last word is the next of them.
// Streams below 4096 bytes lie in mini sectors of 64 bytes inside the chain of
// the root entry; the mini FAT is to them what the FAT is to sectors.
//
// A directory entry takes 128 bytes; entry 0 is the root:
//
//	0    name, UTF-16LE, NUL:64       80   class id:16
//	64   bytes of name with NUL:u16   96   state:u32
//	66   0 free 1 storage             100  created:u64, modified:u64
//	     2 stream 5 root:u8           116  first sector:u32
//	67   colour, 0 red 1 black:u8     120  size:u64 (version 3: u32)
//	68   left, right, child:u32
//
// The children of a storage are a red-black tree in order of the length of the
// name and then of its upper-case form.
//
// # Reading
//
// The tree is walked without regard to its order or colours. A directory entry
// and a sector belong to one place: the first that claims them. So a walk ends,
// and all values together are no longer than the file, whatever it says.
// Damage costs what hangs on it and is told in File.Warnings or by Entry.Open.
//
// Limits: 1048576 directory entries, 256 nested storages.
//
// # Writing
//
// An Image is the whole file as one io.ReaderAt over the contents it is made
// of: nothing is copied but small streams. Equal trees give equal bytes. The
// order is header, FAT, DIFAT, directory, mini FAT, mini stream, streams.
// Version 3 with sectors of 512 bytes is written, but version 4 with sectors of
// 4096 where the file would be larger than 2 GiB, which version 3 cannot be
// [MS-CFB] 2.1; the range lock sector at 0x7FFFFF00 is left out of use
// [MS-CFB] 2.7. Every level of a directory tree is full but the last, whose
// entries are red: a valid red-black tree.
package cfb
