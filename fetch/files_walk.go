package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// topID is the id of the mailbox itself.
const topID = "."

// walk finds the folders of a mailbox.
type walk struct {
	root   *os.Root
	o      FilesOptions
	places []place
	seen   map[string]bool // ids of places
	opened []io.Closer
	kept   int // messages in places
}

// mostKept bounds the messages that places keep from the walk to the run. All others are listed again.
const mostKept = 1 << 13

// mailbox finds all folders of a directory, or of one file of it. Only trouble with the top is an error.
func (w *walk) mailbox(ctx context.Context, file string) (err error) {
	top := Folder{ID: topID, Class: noteFolder, Kind: rootFolder}
	if file == "" {
		err = w.directory(ctx, top, ".")
	} else {
		top.Mark = noMark
		w.add(top, nil)
		err = w.alone(file)
	}
	distinguish(w.places)
	return err
}

// alone adds the file that is all of a mailbox.
func (w *walk) alone(file string) error {
	is := formOf(file)
	if is == formUnknown {
		is = sniffFile(w.root, file)
	}
	if !is.isBox() {
		return fmt.Errorf("%s is no file with many messages", file)
	}
	info, err := w.root.Stat(file)
	if err != nil {
		return err
	}
	w.box(topID, entry{name: file, form: is, Ref: Ref{ItemID: escape(file), ChangeKey: changeKey(info, ""), Size: info.Size()}}, ".", true)
	return nil
}

// noMark is the change mark of folders that hold no messages themselves.
const noMark = "none"

func (w *walk) add(f Folder, h holder) {
	w.seen[f.ID] = true
	w.places = append(w.places, place{Folder: f, holder: h})
}

// directory adds a directory and all below it. One that cannot be read is added as such.
func (w *walk) directory(ctx context.Context, f Folder, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h := &directory{root: w.root, path: dir, id: f.ID, loose: true}
	c, err := h.read(w.o.PassedOver)
	if err != nil && f.ID == topID {
		return err
	}
	if err != nil {
		f.Closed = true
		w.add(f, h)
		return nil
	}
	if h.maildir = c.maildir; h.maildir && f.ID == topID {
		// What a Maildir holds itself is its inbox; the top of a mailbox is not.
		h.maildir = false
		w.marked(f, h, c)
		w.marked(Folder{ID: "cur", ParentID: topID, Name: "Inbox", Class: noteFolder}, &directory{root: w.root, path: dir, id: "cur", maildir: true}, c)
	} else {
		w.marked(f, h, c)
	}
	for _, b := range c.boxes {
		w.box(f.ID, b, dir, f.ID == topID && len(c.boxes)+len(c.mails)+len(c.dirs) == 1)
	}
	for _, name := range c.dirs {
		if err := w.below(ctx, f, dir, name); err != nil {
			return err
		}
	}
	return nil
}

// marked adds a directory with its change mark: a digest of what is known of its files without reading them. The time of the
// directory itself says nothing of its files.
func (w *walk) marked(f Folder, h *directory, c content) {
	entries, err := h.entries(c)
	if err == nil {
		f.Mark, f.Total = mark(entries), len(entries)
	}
	w.add(f, h)
	if w.kept+len(entries) <= mostKept {
		w.kept += len(entries)
		w.places[len(w.places)-1].mails = entries
	}
}

// below adds a directory in a directory.
func (w *walk) below(ctx context.Context, f Folder, dir, name string) error {
	at := path.Join(dir, name)
	if name[0] != '.' {
		return w.directory(ctx, Folder{ID: join(f.ID, name), ParentID: f.ID, Name: display(name), Class: noteFolder}, at)
	}
	if !isMaildir(w.root, at) {
		w.o.PassedOver(at, false)
		return nil
	}
	// Maildir++: all folders lie side by side, their names are paths.
	parent := f.ID
	parts := maildirPath(name)
	dots := strings.Split(strings.Trim(name, "."), ".")
	for i := range len(parts) - 1 {
		id := join(f.ID, "."+strings.Join(dots[:i+1], "."))
		if !w.seen[id] {
			w.add(Folder{ID: id, ParentID: parent, Name: display(parts[i]), Class: noteFolder, Mark: noMark}, nil)
		}
		parent = id
	}
	return w.directory(ctx, Folder{ID: join(f.ID, name), ParentID: parent, Name: display(parts[len(parts)-1]), Class: noteFolder}, at)
}

// box adds a file of many messages: as a folder, or as folders in one; those of a PST that is all there is are the mailbox's.
func (w *walk) box(parentID string, b entry, dir string, all bool) {
	f := Folder{ID: b.ItemID, ParentID: parentID, Name: display(stem(b.name)), Class: noteFolder, Mark: b.ChangeKey}
	at := path.Join(dir, b.name)
	switch b.form {
	case formPST:
		w.pst(f, at, all)
	case formCalendar:
		w.bundle(f, at, calendarForm())
	case formCards:
		w.bundle(f, at, cardForm())
	default:
		w.add(f, &mboxFile{root: w.root, path: at, id: f.ID})
	}
}

func (w *walk) bundle(f Folder, at string, form bundleForm) {
	f.Class = form.class
	w.add(f, &bundle{bundleForm: form, root: w.root, path: at, id: f.ID})
}

// stem is the name of a file without the extension that says its form.
func stem(name string) string {
	if formOf(name) == formUnknown {
		return name
	}
	return strings.TrimSuffix(name, path.Ext(name))
}

// isMaildir tells whether a directory is a Maildir. One that cannot be looked into may be.
func isMaildir(root *os.Root, dir string) bool {
	info, err := root.Lstat(path.Join(dir, "cur"))
	return err == nil && info.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// mark is a digest of a list.
func mark(entries []entry) string {
	h := sha256.New()
	var line []byte
	for _, e := range entries {
		line = append(append(append(append(line[:0], e.ItemID...), 0), e.ChangeKey...), '\n')
		h.Write(line)
	}
	return hex.EncodeToString(h.Sum(line[:0])[:16])
}

// changeKey changes when the bytes of a file may have, and with the flags that its name gives it.
func changeKey(info fs.FileInfo, flags string) string {
	t := info.ModTime()
	key := strconv.AppendInt(make([]byte, 0, 48), info.Size(), 10)
	key = append(key, '-')
	key = strconv.AppendInt(key, t.Unix(), 10)
	key = append(key, '.')
	key = strconv.AppendInt(key, int64(t.Nanosecond()), 10)
	if flags != "" {
		key = append(append(key, '-'), flags...)
	}
	return string(key)
}

// join makes an id of a folder's and a name in it.
func join(folderID, name string) string {
	if folderID == topID {
		return escape(name)
	}
	return folderID + "/" + escape(name)
}

// escape makes valid UTF-8 of a name in such a way that different names stay different.
func escape(name string) string {
	if utf8.ValidString(name) && !strings.Contains(name, `\`) {
		return name
	}
	var b strings.Builder
	for i, w := 0, 0; i < len(name); i += w {
		var r rune
		switch r, w = utf8.DecodeRuneInString(name[i:]); {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && w == 1:
			fmt.Fprintf(&b, `\x%02x`, name[i])
		default:
			b.WriteString(name[i : i+w])
		}
	}
	return b.String()
}

// display is a name for people.
func display(name string) string { return strings.ToValidUTF8(name, string(utf8.RuneError)) }

// sorted lists by id, so that equal trees give equal lists.
func sorted(entries []entry) []entry {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.ItemID, b.ItemID) })
	return entries
}
