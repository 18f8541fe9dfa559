package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/eml"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/opendir"
)

// directory is a directory as a folder: the files of its own, the messages of a Maildir, or both.
type directory struct {
	root           *os.Root
	path, id       string
	loose, maildir bool
	at             *opendir.Dir // held open from the first message to leave
	file           *os.File     // of the message at hand
}

// content is what lies in a directory.
type content struct {
	dirs    []string // names of those that are not a Maildir's own
	boxes   []entry  // files of many messages
	mails   []entry
	maildir bool
}

// read looks at all files without reading those whose names say what they are.
func (d *directory) read(passedOver func(string, bool)) (content, error) {
	var c content
	err := d.each(d.path, func(e fs.DirEntry) error {
		if e.IsDir() {
			c.dirs = append(c.dirs, e.Name())
			return nil
		}
		is := d.formOf(e)
		if is == formForeign {
			passedOver(path.Join(d.path, e.Name()), !e.Type().IsRegular())
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		it := entry{name: e.Name(), form: is, Ref: Ref{ItemID: join(d.id, e.Name()), ChangeKey: changeKey(info, ""), Size: info.Size()}}
		if is.isBox() {
			c.boxes = append(c.boxes, it)
		} else {
			c.mails = append(c.mails, it)
		}
		return nil
	})
	if slices.Contains(c.dirs, "cur") { // new and tmp are often empty, and lost where copies leave out what is
		c.maildir = true
		c.dirs = slices.DeleteFunc(c.dirs, func(name string) bool { return name == "cur" || name == "new" || name == "tmp" })
	}
	return c, err
}

// formOf tells what a file is; links and special files are foreign.
func (d *directory) formOf(e fs.DirEntry) form {
	if !e.Type().IsRegular() {
		return formForeign
	}
	is := formOf(e.Name())
	if is == formUnknown {
		is = sniffFile(d.root, path.Join(d.path, e.Name()))
	}
	return is
}

// each visits what is in a directory in the order of the names; what goes meanwhile is not there.
func (d *directory) each(dir string, visit func(e fs.DirEntry) error) error {
	f, err := d.root.OpenFile(dir, os.O_RDONLY|opendir.NoWait, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	files, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range files {
		if err := visit(e); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sniffFile tells the form of a file by its first bytes. One that cannot be read is mail until it can: its failure is told.
func sniffFile(root *os.Root, name string) form {
	f, err := plainFile(root, name)
	if err != nil {
		return formMail
	}
	defer f.Close()
	return sniff(f)
}

// plainFile opens a file to read it. What was one when it was listed may be a pipe by now.
func plainFile(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|opendir.NoWait, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no plain file any more")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (d *directory) list(context.Context) ([]entry, error) {
	c, err := d.read(func(string, bool) {})
	if err != nil {
		return nil, err
	}
	return d.entries(c)
}

// entries are the messages of the folder.
func (d *directory) entries(c content) ([]entry, error) {
	var out []entry
	if d.loose {
		out = c.mails
	}
	if !d.maildir {
		return out, nil
	}
	byID := map[string]entry{}
	for _, sub := range []string{"new", "cur"} { // what lies in both is on its way from new to cur
		err := d.each(path.Join(d.path, sub), func(e fs.DirEntry) error {
			if e.Name()[0] == '.' || !e.Type().IsRegular() {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			unique, flags := maildirName(e.Name())
			it := entry{name: sub + "/" + e.Name(), form: formMail, flags: flags}
			it.Ref = Ref{ItemID: d.id + inside + escape(unique), ChangeKey: changeKey(info, flags), Size: info.Size()}
			byID[it.ItemID] = it
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for _, e := range byID {
		out = append(out, e)
	}
	return sorted(out), nil
}

// maildirName parts the unique name of a message from its flags. Systems that take no colon in a name have one of two others.
func maildirName(name string) (unique, flags string) {
	i := strings.LastIndexAny(name, ":;!")
	if i <= 0 || !strings.HasPrefix(name[i+1:], "2,") {
		return name, ""
	}
	for _, f := range "DFS" { // those that say something of the message; the order is that of the format
		if strings.ContainsRune(name[i+3:], f) {
			flags += string(f)
		}
	}
	return name[:i], flags
}

func (d *directory) open(e entry, out *spool) (io.Reader, Ref, error) {
	f, err := d.message(e.name)
	if err != nil {
		return nil, e.Ref, err
	}
	d.file = f
	info, err := f.Stat()
	if err != nil {
		return nil, e.Ref, err
	}
	if !info.Mode().IsRegular() {
		return nil, e.Ref, ErrGone
	}
	got := e.Ref
	got.ChangeKey, got.Size = changeKey(info, e.flags), info.Size()
	if e.form == formExported {
		return &steady{f, info, info.Size()}, got, nil
	}
	m, odd, err := parse(f, info.Size(), e.form)
	if err != nil {
		return nil, got, err
	}
	out.odd = append(out.odd, odd...)
	if strings.HasPrefix(e.name, "cur/") || strings.HasPrefix(e.name, "new/") {
		setFlags(m, e.flags)
	}
	if err := out.encode(m); err != nil {
		return nil, got, err
	}
	return out.reader(), got, unchanged(f, info)
}

// message opens the file of a message.
func (d *directory) message(name string) (f *os.File, err error) {
	if d.at == nil {
		if d.at, err = opendir.Open(d.root, d.path); err != nil {
			d.at = nil
			return nil, err
		}
	}
	return d.at.Open(name)
}

func (d *directory) leave() {
	if d.at != nil {
		_ = d.at.Close() // only read from
		d.at = nil
	}
}

func (d *directory) close() {
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
}

// parse reads a message, and tells what is odd about it. Old mail programs call plain mail .msg too.
func parse(f *os.File, size int64, is form) (m *mapi.Message, odd []string, err error) {
	if is != formOutlook {
		m, err = eml.Read(io.NewSectionReader(f, 0, size))
		return m, nil, err
	}
	m, report, err := msg.ReadReport(f, size)
	if errors.Is(err, msg.ErrNotMsg) {
		if plain, err := eml.Read(io.NewSectionReader(f, 0, size)); err == nil {
			return plain, nil, nil
		}
	}
	return m, report.Warnings, err
}

// setFlags gives a message the flags that its name in a Maildir had.
func setFlags(m *mapi.Message, names string) {
	flags, _ := m.Properties.Int32(mapi.PidTagMessageFlags)
	set := func(name string, flag int32) {
		if flags &^= flag; strings.Contains(names, name) {
			flags |= flag
		}
	}
	set("S", mapi.FlagRead)
	set("D", mapi.FlagUnsent)
	m.Properties.Set(mapi.NewInt32(mapi.PidTagMessageFlags, flags))
	if strings.Contains(names, "F") {
		m.Properties.Set(mapi.NewInt32(mapi.PidTagFlagStatus, followUp))
	}
}

const followUp = 2 // [MS-OXOFLAG] 2.2.1.1

// unchanged says ErrAgain of a file that was written to while it was read.
func unchanged(f *os.File, was fs.FileInfo) error {
	now, err := f.Stat()
	if err == nil && (now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime())) {
		err = fmt.Errorf("%w: the file changed while it was read", ErrAgain)
	}
	return err
}

// steady reads a file that must not change meanwhile: as long as it was, it is not longer, shorter or newer after that.
type steady struct {
	f    *os.File
	was  fs.FileInfo
	left int64
}

func (s *steady) Read(p []byte) (int, error) {
	if s.left <= 0 {
		if err := unchanged(s.f, s.was); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := s.f.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err == io.EOF {
		s.left, err = 0, nil // it is shorter now: the next call tells
	}
	return n, err
}
