package restore

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
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
	temporaryStart = ".mailbrick-"
)

// output is a folder that files are written into, whole or not at all, and the list of their digests. Nothing is written
// outside of it, whatever names or links say: all goes through an os.Root.
type output struct {
	root    *os.Root
	err     error                   // of writing: the folder is of no use any more
	held    map[string]*opendir.Dir // folders held open
	folders map[string]bool
	written map[pathKey]bool

	manifest   *listing
	exceptions *listing
	buffer     *bufio.Writer // of the file being written
}

// mostHeld bounds the folders held open: files come in the order of storage, from folder to folder.
const mostHeld = 256

// pathKey tells paths apart as the pickiest file system does: without regard to case.
type pathKey [16]byte

func keyOf(path string) pathKey {
	sum := sha256.Sum256([]byte(strings.ToLower(path)))
	return pathKey(sum[:16])
}

// openOutput makes the folder: one restore at a time writes into it.
func openOutput(folder string) (*output, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	o := &output{root: root, folders: map[string]bool{".": true}, held: map[string]*opendir.Dir{}, written: map[pathKey]bool{}, buffer: bufio.NewWriterSize(nil, 128<<10)}
	if err = o.sweep("."); err == nil {
		o.manifest, err = o.list()
	}
	if err == nil {
		o.exceptions, err = o.list()
	}
	if err != nil {
		_ = errors.Join(o.leave(), root.Close()) // the first error is the one to tell
		return nil, err
	}
	return o, nil
}

// sweep removes what a killed run has left in a folder.
func (o *output) sweep(folder string) error {
	entries, err := fs.ReadDir(o.root.FS(), folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporaryStart) && e.Type().IsRegular() {
			if err := o.root.Remove(path.Join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// temporary makes a file under a name that no item has, in the folder where it will stay: file systems keep a folder's files
// together, and look long for room where all were made in one. Mail is nobody else's business.
func temporary(in *opendir.Dir) (string, *os.File, error) {
	name := temporaryStart + rand.Text()
	f, err := in.Create(name)
	return name, f, err
}

// temporary makes such a file at the top.
func (o *output) temporary() (string, *os.File, error) {
	in, err := o.enter(".")
	if err != nil {
		return "", nil, err
	}
	return temporary(in)
}

// file makes a file of what write writes; sum is the digest of that when write proves it itself, else nil. The error is that of
// write; those of the folder are in err.
func (o *output) file(name string, sum []byte, write func(io.Writer) error) error {
	if o.err != nil {
		return o.err
	}
	in, err := o.enter(path.Dir(name))
	var unnamed string
	var f *os.File
	if err == nil {
		unnamed, f, err = temporary(in)
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
	o.note(f.Close())
	if err == nil && o.err == nil {
		o.note(in.Rename(unnamed, path.Base(name)))
	}
	if err != nil || o.err != nil {
		_ = in.Remove(unnamed) // what remains of it is swept by the next run
		return errors.Join(err, o.err)
	}
	o.written[keyOf(name)] = true
	if sum == nil {
		sum = w.digest.Sum(nil)
	}
	o.note(o.manifest.line(hex.EncodeToString(sum) + "  " + name))
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
		if err := o.leave(); err != nil {
			return nil, err
		}
	}
	in, err := opendir.Open(o.root, name)
	if err == nil {
		o.held[name] = in
	}
	return in, err
}

// leave closes all folders held open.
func (o *output) leave() (err error) {
	for _, in := range o.held {
		err = errors.Join(err, in.Close())
	}
	clear(o.held)
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
	file   *os.File
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
	for _, l := range []*listing{o.manifest, o.exceptions} {
		err = errors.Join(err, l.drop(o))
	}
	return errors.Join(err, o.leave(), o.root.Close())
}

func (o *output) finishLists() error {
	sum, err := o.exceptions.publish(o, exceptionsName)
	if err != nil {
		return err
	}
	o.written[keyOf(exceptionsName)] = true
	if err := o.manifest.line(sum + "  " + exceptionsName); err != nil {
		return err
	}
	if err := o.keepOld(); err != nil {
		return err
	}
	if _, err := o.manifest.publish(o, manifestName); err != nil {
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
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		_, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || o.written[keyOf(name)] {
			continue
		}
		if _, err := o.root.Lstat(name); err != nil {
			continue
		}
		if err := o.manifest.line(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// syncFolders makes files and their names durable.
func (o *output) syncFolders() error {
	if syncsAll {
		return syncAll(o.root)
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

// listing is a text file that grows by lines under a temporary name.
type listing struct {
	name   string
	file   *os.File
	out    *bufio.Writer
	digest hash.Hash // nil when it is known
}

func (o *output) list() (*listing, error) {
	name, f, err := o.temporary()
	if err != nil {
		return nil, err
	}
	l := &listing{name: name, file: f, digest: sha256.New()}
	l.out = bufio.NewWriter(io.MultiWriter(f, l.digest))
	return l, nil
}

func (l *listing) line(text string) error {
	_, err := l.out.WriteString(text + "\n")
	return err
}

// publish gives the list its name, and its digest.
func (l *listing) publish(o *output, name string) (string, error) {
	err := errors.Join(l.out.Flush(), l.file.Sync(), l.file.Close())
	if err == nil {
		err = o.root.Rename(l.name, name)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	l.file = nil
	return hex.EncodeToString(l.digest.Sum(nil)), nil
}

// drop removes a list that was not published.
func (l *listing) drop(o *output) error {
	if l.file == nil {
		return nil
	}
	_ = l.file.Close() // publishing may have closed it
	return o.root.Remove(l.name)
}
