package archive

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/seal"
)

// secretFS keeps the catalog's files encrypted, so that the database may compress what it stores and a stolen disk says
// nothing of it. A file is 16 random bytes and the content in AES-256-CTR from there on, under a key of the archive's own; a
// file is never written twice with the same beginning. It is secret and not authenticated: what a catalog says is checked
// where it counts, by the ids of chunks and the digests of items, and `rebuild` makes it anew from what is authenticated.
type secretFS struct {
	vfs.FS
	block  cipher.Block
	random io.Reader
}

const counterSize = aes.BlockSize

func newSecretFS(fs vfs.FS, key seal.Key, random io.Reader) (vfs.FS, error) {
	secret := key.Derive("catalog")
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		return nil, err
	}
	return &secretFS{fs, block, random}, nil
}

func (fs *secretFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	s := &secretFile{File: f, block: fs.block}
	if _, err := io.ReadFull(fs.random, s.counter[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("a counter for %s: %w", name, err), f.Close())
	}
	s.stream = cipher.NewCTR(fs.block, s.counter[:])
	if _, err := f.Write(append([]byte(nil), s.counter[:]...)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// Open reads what Create wrote. A file that a crash left without its beginning has no content.
func (fs *secretFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	s := &secretFile{File: f, block: fs.block}
	if _, err := f.ReadAt(s.counter[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// ReuseForWrite makes a new file: one written over would use its counter twice.
func (fs *secretFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Remove(oldname); err != nil {
		return nil, err
	}
	return fs.Create(newname, category)
}

// OpenReadWrite is for what this catalog does not use: files that are changed in place.
func (fs *secretFS) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, fmt.Errorf("open %s: the catalog's files are not changed in place", name)
}

func (fs *secretFS) Stat(name string) (vfs.FileInfo, error) { return contentInfo(fs.FS.Stat(name)) }

func (fs *secretFS) Unwrap() vfs.FS { return fs.FS }

// secretFile is a file of a secretFS, for writing from its beginning or for reading.
type secretFile struct {
	vfs.File
	block   cipher.Block
	counter [counterSize]byte
	stream  cipher.Stream // of a file that is written
	at      int64         // where Read goes on
}

// Write may change p, as a vfs.File may.
func (f *secretFile) Write(p []byte) (int, error) {
	f.stream.XORKeyStream(p, p)
	return f.File.Write(p)
}

func (f *secretFile) WriteAt([]byte, int64) (int, error) {
	return 0, errors.New("the catalog's files are not changed in place")
}

func (f *secretFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *secretFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off+counterSize)
	f.from(off).XORKeyStream(p[:n], p[:n])
	return n, err
}

// from is the stream of keys from a place in the content on.
func (f *secretFile) from(off int64) cipher.Stream {
	counter := f.counter
	low := binary.BigEndian.Uint64(counter[8:])
	sum := low + uint64(off)/counterSize
	binary.BigEndian.PutUint64(counter[8:], sum)
	if sum < low {
		binary.BigEndian.PutUint64(counter[:], binary.BigEndian.Uint64(counter[:])+1)
	}
	s := cipher.NewCTR(f.block, counter[:])
	var skip [counterSize]byte
	s.XORKeyStream(skip[:off%counterSize], skip[:off%counterSize])
	return s
}

func (f *secretFile) Stat() (vfs.FileInfo, error) { return contentInfo(f.File.Stat()) }

func (f *secretFile) Preallocate(off, length int64) error {
	return f.File.Preallocate(off+counterSize, length)
}

func (f *secretFile) Prefetch(off, length int64) error {
	return f.File.Prefetch(off+counterSize, length)
}

func (f *secretFile) SyncTo(length int64) (bool, error) { return f.File.SyncTo(length + counterSize) }

// contentInfo tells of a file as it is to those who read its content.
func contentInfo(info vfs.FileInfo, err error) (vfs.FileInfo, error) {
	if err != nil || info.IsDir() {
		return info, err
	}
	return secretInfo{info}, nil
}

type secretInfo struct{ vfs.FileInfo }

func (i secretInfo) Size() int64 { return max(0, i.FileInfo.Size()-counterSize) }
