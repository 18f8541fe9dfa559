package opendir

import (
	"crypto/rand"
	"errors"
	"io"
	"math"
	"os"
	"strings"
)

// Draft is a file that is being made: whole under its name, once it is published, or not there at all. Until then it has no
// name, where the system knows such files, or one that IsDraft tells.
type Draft struct {
	*os.File
	in   *Dir
	name string // "" for none
}

const draftStart = ".mailbrick-"

// IsDraft tells the names of drafts: what lies under one that nobody writes was left by a kill.
func IsDraft(name string) bool { return strings.HasPrefix(name, draftStart) }

// Draft makes a file for its owner alone. It lies in the directory from the beginning: file systems keep a directory's files
// together, and look long for room where all were made in one.
func (d *Dir) Draft() (*Draft, error) {
	if !d.names {
		if f, err := unnamed(d.at); err == nil {
			return &Draft{File: f, in: d}, nil
		}
		d.names = true // asked once: the file system has no such files
	}
	name := draftStart + rand.Text()
	f, err := d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return &Draft{f, d, name}, nil
}

// Publish closes the draft and gives it its name, in place of what has it.
func (f *Draft) Publish(name string) error {
	if !plain(name) {
		return errors.Join(&os.PathError{Op: "publish", Path: name, Err: os.ErrInvalid}, f.Close())
	}
	if f.name == "" && link(f.File, f.in.at, name) == nil {
		err := f.File.Close()
		if err != nil {
			_ = f.in.remove(name) // the error of closing is the one to tell
		}
		return err
	}
	err := f.named()
	if err = errors.Join(err, f.File.Close()); err == nil {
		err = f.in.rename(f.name, name)
	}
	if err != nil {
		f.remove()
	}
	return err
}

// named gives a draft a name where the one it is to have is taken, and makes another where the system gives names to no file
// that has none.
func (f *Draft) named() error {
	if f.name != "" {
		return nil
	}
	name := draftStart + rand.Text()
	if link(f.File, f.in.at, name) == nil {
		f.name = name
		return nil
	}
	f.in.names = true
	other, err := f.in.Draft()
	if err != nil {
		return err
	}
	if _, err = io.Copy(other, io.NewSectionReader(f.File, 0, math.MaxInt64)); err == nil {
		err = other.Sync() // the draft may have been
	}
	if err != nil {
		return errors.Join(err, other.Close())
	}
	_ = f.File.Close() // nothing of it is used any more
	*f = *other
	return nil
}

// Close lets go of a draft that is not published.
func (f *Draft) Close() error {
	err := f.File.Close()
	f.remove()
	return err
}

// remove removes a draft's name; where that is in vain it tells what the file is.
func (f *Draft) remove() {
	if f.name != "" {
		_ = f.in.remove(f.name)
	}
}
