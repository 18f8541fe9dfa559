package restore

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strings"

	"mailbrick/fetch/opendir"
)

// Files beside those of items.
const (
	manifestName   = "manifest.sha256"
	exceptionsName = "exceptions.jsonl"
)

// output is a folder that files are written into, whole or not at all, and the list of their digests. Nothing is written
// outside of it, whatever names or links say: all goes through an os.Root.
type output struct {
	root    *os.Root
	whole   *os.File // the folder, locked
	top     *opendir.Dir
	err     error                   // of writing: the folder is of no use any more
	held    map[string]*opendir.Dir // folders held open
	folders map[string]bool

	manifest   *listing
	exceptions *listing
	buffer     *bufio.Writer // of the file being written
}

// mostHeld bounds the folders held open. Files come in the order of storage: one after another is in another folder, since what is
// alike in many mailboxes lies together.
const mostHeld = 512

// pathKey tells paths apart as the pickiest file system does: without regard to case.
type pathKey [16]byte

func keyOf(path string) pathKey {
	sum := sha256.Sum256([]byte(strings.ToLower(path)))
	return pathKey(sum[:16])
}

var errBusy = errors.New("another restore is writing into it")

// openOutput makes the folder: one restore at a time writes into it.
func openOutput(folder string) (*output, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	o := &output{root: root, folders: map[string]bool{".": true}, held: map[string]*opendir.Dir{}, buffer: bufio.NewWriterSize(nil, 128<<10)}
	if err := o.begin(); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *output) begin() (err error) {
	if o.whole, err = o.root.Open("."); err != nil {
		return err
	}
	if err = lock(o.whole); err != nil { // before sweep, which would take away what another writes
		return err
	}
	if o.top, err = opendir.Open(o.root, "."); err != nil {
		return err
	}
	if err = o.sweep("."); err != nil {
		return err
	}
	if o.manifest, err = newListing(o.top); err != nil {
		return err
	}
	o.exceptions, err = newListing(o.top)
	return err
}

// close lets go of all that is open; lists without a name are gone.
func (o *output) close() error {
	err := errors.Join(o.manifest.drop(), o.exceptions.drop(), o.leave(len(o.held)))
	if o.top != nil {
		err = errors.Join(err, o.top.Close())
	}
	if o.whole != nil {
		err = errors.Join(err, o.whole.Close())
	}
	return errors.Join(err, o.root.Close())
}

// sweep removes what a killed run has left in a folder.
func (o *output) sweep(folder string) error {
	entries, err := fs.ReadDir(o.root.FS(), folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if opendir.IsDraft(e.Name()) && e.Type().IsRegular() {
			if err := o.root.Remove(path.Join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// file makes a file of what write writes; sum is the digest of that when write proves it itself, else nil. The error is that of
// write; those of the folder are in err.
func (o *output) file(name string, sum []byte, write func(io.Writer) error) error {
	if o.err != nil {
		return o.err
	}
	in, err := o.enter(path.Dir(name))
	var f *opendir.Draft
	if err == nil {
		f, err = in.Draft()
	}
	if err != nil {
		o.err = err
		return err
	}
	w := &fileWriter{out: o, file: f}
	if sum == nil {
		w.digest = sha256.New()
	}
	o.buffer.Reset(w)
	if err = write(o.buffer); err == nil {
		err = o.buffer.Flush()
	}
	if err == nil && !syncsAll {
		o.note(f.Sync())
	}
	if err != nil || o.err != nil {
		_ = f.Close() // what remains of it is swept by the next run
		return errors.Join(err, o.err)
	}
	if o.note(f.Publish(path.Base(name))); o.err != nil {
		return o.err
	}
	if sum == nil {
		sum = w.digest.Sum(nil)
	}
	o.note(o.manifest.line(hex.EncodeToString(sum), "  ", name))
	return o.err
}

func (o *output) note(err error) {
	if o.err == nil {
		o.err = err
	}
}

// enter opens a folder, made if it is not there. It is held open until too many are.
func (o *output) enter(name string) (*opendir.Dir, error) {
	if in := o.held[name]; in != nil {
		return in, nil
	}
	if err := o.folder(name); err != nil {
		return nil, err
	}
	if len(o.held) == mostHeld {
		if err := o.leave(1); err != nil {
			return nil, err
		}
	}
	in, err := opendir.Open(o.root, name)
	if err == nil {
		o.held[name] = in
	}
	return in, err
}

// leave closes some of the folders held open, any of them.
func (o *output) leave(some int) (err error) {
	for name, in := range o.held {
		if some--; some < 0 {
			break
		}
		err = errors.Join(err, in.Close())
		delete(o.held, name)
	}
	return err
}

func (o *output) folder(name string) error {
	if o.folders[name] {
		return nil
	}
	if err := o.root.MkdirAll(name, 0o777); err != nil {
		return err
	}
	for ; !o.folders[name]; name = path.Dir(name) {
		o.folders[name] = true
		if err := o.sweep(name); err != nil {
			return err
		}
	}
	return nil
}

// fileWriter writes to a file and knows the digest of what it wrote.
type fileWriter struct {
	out    *output
	file   io.Writer
	digest hash.Hash // nil when it is known
}

func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if w.digest != nil {
		w.digest.Write(p[:n])
	}
	w.out.note(err)
	return n, err
}

// exception is an item that is not there.
type exception struct {
	ID      string `json:"id"`
	Version uint32 `json:"version"`
	Mailbox string `json:"mailbox"`
	Folder  string `json:"folder"`
	ItemID  string `json:"item_id"`
	Size    int64  `json:"size"`
	File    string `json:"file"`
	Reason  string `json:"reason"`
}

func (o *output) exception(e exception) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return o.exceptions.line(string(line))
}

// finish gives the lists their names and makes it all durable: the files first, then the list that vouches for them.
func (o *output) finish() error {
	err := o.err
	if err == nil {
		err = o.syncFolders()
	}
	if err == nil {
		err = o.finishLists()
	}
	return errors.Join(err, o.close())
}

func (o *output) finishLists() error {
	sum, err := o.exceptions.publish(exceptionsName)
	if err != nil {
		return err
	}
	if err := o.manifest.line(sum, "  ", exceptionsName); err != nil {
		return err
	}
	if err := o.keepOld(); err != nil {
		return err
	}
	if _, err := o.manifest.publish(manifestName); err != nil {
		return err
	}
	return o.syncFolder(".")
}

// keepOld takes over what an earlier manifest says of files that this run did not write and that are still there.
func (o *output) keepOld() error {
	f, err := o.root.Open(manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	written := map[pathKey]bool{}
	err = o.manifest.visit(func(line string) error {
		_, name, _ := strings.Cut(line, "  ")
		written[keyOf(name)] = true
		return nil
	})
	if err != nil {
		return err
	}
	return visitLines(f, func(line string) error {
		_, name, ok := strings.Cut(line, "  ")
		if !ok || written[keyOf(name)] {
			return nil
		}
		if _, err := o.root.Lstat(name); err != nil {
			return nil
		}
		return o.manifest.line(line)
	})
}

func visitLines(r io.Reader, visit func(string) error) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if err := visit(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// syncFolders makes files and their names durable.
func (o *output) syncFolders() error {
	if syncsAll {
		return syncAll(o.whole)
	}
	for name := range o.folders {
		if err := o.syncFolder(name); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes names durable, where the system has a way to.
func (o *output) syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := o.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// listing is a text file that grows by lines and has no name yet.
type listing struct {
	file   *opendir.Draft // nil once it is published
	out    *bufio.Writer
	digest hash.Hash
}

func newListing(in *opendir.Dir) (*listing, error) {
	f, err := in.Draft()
	if err != nil {
		return nil, err
	}
	l := &listing{file: f, digest: sha256.New()}
	l.out = bufio.NewWriterSize(io.MultiWriter(f, l.digest), 64<<10)
	return l, nil
}

// line adds a line of some parts.
func (l *listing) line(parts ...string) error {
	for _, part := range parts {
		_, _ = l.out.WriteString(part) // an error stays
	}
	return l.out.WriteByte('\n')
}

// visit reads the lines there are.
func (l *listing) visit(each func(string) error) error {
	if err := l.out.Flush(); err != nil {
		return err
	}
	return visitLines(io.NewSectionReader(l.file, 0, math.MaxInt64), each)
}

// publish gives the list its name, and its digest.
func (l *listing) publish(name string) (string, error) {
	err := errors.Join(l.out.Flush(), l.file.Sync())
	if err == nil {
		err = l.file.Publish(name)
		l.file = nil
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return hex.EncodeToString(l.digest.Sum(nil)), nil
}

// drop removes a list that was not published, if there is one.
func (l *listing) drop() error {
	if l == nil || l.file == nil {
		return nil
	}
	return l.file.Close()
}
