package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"mailbrick/archive"
)

// Log is the part of an archive that an index follows.
type Log interface {
	// Head is the position of the last change.
	Head() uint64
	// Changes gives the changes after a position, in order.
	Changes(ctx context.Context, after uint64) iter.Seq2[archive.Change, error]
	// OpenBlob opens the bytes of a version.
	OpenBlob(ctx context.Context, v *archive.Version) (io.ReadCloser, error)
}

var (
	// ErrDamaged says that the index cannot be used any more. Nothing is lost: it is made again from the archive.
	ErrDamaged = errors.New("the index is damaged, run `mailbrick rebuild --index`")
	// ErrFull says that there is no room for the index. It goes on when there is.
	ErrFull = errors.New("no space left for the index")
	// ErrVersion says that the index is of another format; it is to be made again from the archive.
	ErrVersion = errors.New("the index is of another version, run `mailbrick rebuild --index`")
	// ErrInUse says that another process has the index open.
	ErrInUse = errors.New("the index is in use by another process")
)

// Options for Open. The zero value works.
type Options struct {
	Clock func() time.Time // for dates like today; time.Now by default
	Zone  *time.Location   // of dates in queries that name none; UTC by default
	Wait  time.Duration    // for an index in use; 10 s by default

	BatchBytes     int // of text in a batch; 1 MiB by default: memory is some 50 times that
	BatchDocuments int // 500 by default
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Wait == 0 {
		o.Wait = 10 * time.Second
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 1 << 20
	}
	if o.BatchDocuments == 0 {
		o.BatchDocuments = 500
	}
	return o
}

// Index answers queries and follows an archive. Searches may run side by side and beside one Follow.
type Index struct {
	dir     string
	options Options
	words   *wordIndex
	rows    *rows
	closed  atomic.Bool

	// fault stands between the two commits of a batch; tests fail there.
	fault func() error
}

// Open opens the index in a folder, or makes an empty one there.
func Open(dir string, o Options) (x *Index, err error) {
	defer guarded(func(e error) { x, err = nil, fmt.Errorf("open index %s: %w", dir, e) })()
	o = o.withDefaults()
	err = checkFormat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(dir, o.Wait); err == nil {
			err = checkFormat(dir)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w", dir, err)
	}
	x = &Index{dir: dir, options: o}
	if err := x.open(); err != nil {
		return nil, fmt.Errorf("open index %s: %w", dir, err)
	}
	return x, nil
}

// open opens both parts. What they say about their files beyond "in use" and "no right to" is damage.
func (x *Index) open() (err error) {
	if x.rows, err = openRows(filepath.Join(x.dir, fileRows), x.options.Wait); err != nil {
		return damage(err)
	}
	if x.words, err = openWords(filepath.Join(x.dir, folderWords), x.options.Wait); err != nil {
		return errors.Join(damage(err), x.rows.db.Close())
	}
	if _, err = x.words.position(); err != nil {
		return errors.Join(damage(err), x.Close())
	}
	return nil
}

func damage(err error) error {
	for _, known := range []error{ErrDamaged, ErrInUse, ErrFull, fs.ErrPermission} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.Is(err, syscall.EMFILE) || strings.Contains(err.Error(), syscall.EMFILE.Error()) {
		return err
	}
	// Bleve tells a full disk in words only.
	if errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// Close ends the use of the index. Closing again does nothing.
func (x *Index) Close() error {
	if x.closed.Swap(true) {
		return nil
	}
	return errors.Join(x.words.close(), x.rows.db.Close())
}

// Position is the journal position up to which answers are complete: the lower one of the two parts.
func (x *Index) Position() (uint64, error) {
	rows, err := x.rows.position()
	if err != nil {
		return 0, err
	}
	words, err := x.words.position()
	return min(rows, words), err
}

// Behind tells how many positions the index has yet to follow to a journal's head.
func (x *Index) Behind(head uint64) (uint64, error) {
	p, err := x.Position()
	if err != nil || p >= head {
		return 0, err
	}
	return head - p, nil
}

// Size is the number of bytes of the index on disk.
func (x *Index) Size() (int64, error) {
	var n int64
	err := filepath.WalkDir(x.dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // merged away meanwhile
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n, err
}

// Stats says how much is in the index.
type Stats struct {
	Documents  int // distinct messages
	Rows       int // occurrences: versions of items
	Exceptions int // distinct blobs of which not all text is searched, the damaged ones among them
}

// Stats counts.
func (x *Index) Stats() (s Stats, err error) {
	r, err := x.words.reader()
	if err != nil {
		return s, err
	}
	defer r.Close()
	n, err := r.DocCount()
	if err != nil {
		return s, err
	}
	s.Documents = int(n)
	err = x.rows.db.View(func(tx *bbolt.Tx) error {
		s.Rows = tx.Bucket([]byte(bucketItems)).Stats().KeyN
		s.Exceptions = tx.Bucket([]byte(bucketExceptions)).Stats().KeyN
		return nil
	})
	return s, err
}

// Exceptions gives the blobs of which not all text is searched, by their SHA-256, and why. What was damaged when it was
// followed stays here when the archive is mended: the journal does not tell of that. The cure is an index made anew
// (`mailbrick rebuild --index`); versions of the same blob that come later are read again.
func (x *Index) Exceptions() iter.Seq2[[32]byte, string] {
	return func(yield func([32]byte, string) bool) {
		_ = x.rows.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket([]byte(bucketExceptions)).Cursor()
			for k, v := c.First(); len(k) == 32; k, v = c.Next() {
				if !yield([32]byte(k), string(v)) {
					break
				}
			}
			return nil
		})
	}
}

// Excepts tells whether a blob is one that Exceptions gives.
func (x *Index) Excepts(blob [32]byte) (found bool, err error) {
	err = x.rows.db.View(func(tx *bbolt.Tx) error {
		found = tx.Bucket([]byte(bucketExceptions)).Get(blob[:]) != nil
		return nil
	})
	return found, err
}

// Files of the folder.
const (
	fileFormat  = "FORMAT"
	fileRows    = "rows.bolt"
	folderWords = "words"
	fileRoot    = "root.bolt" // of the word index

	formatName    = "mailbrick index "
	formatVersion = "2"
)

// checkFormat tells whether a folder is an index of this version; fs.ErrNotExist when there is nothing.
func checkFormat(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fs.ErrNotExist
	}
	b, err := os.ReadFile(filepath.Join(dir, fileFormat))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no file %s", ErrDamaged, fileFormat)
	}
	if err != nil {
		return err
	}
	version, ok := strings.CutPrefix(string(b), formatName)
	if !ok || !strings.HasSuffix(version, "\n") {
		return fmt.Errorf("%w: %s does not say what it is", ErrDamaged, fileFormat)
	}
	if version = strings.TrimSuffix(version, "\n"); version != formatVersion {
		return fmt.Errorf("%w: it is %q, this program makes %q", ErrVersion, version, formatVersion)
	}
	for _, f := range []string{fileRows, filepath.Join(folderWords, fileRoot)} {
		if info, err := os.Stat(filepath.Join(dir, f)); err != nil || info.Size() == 0 {
			return fmt.Errorf("%w: the file %s is missing or empty", ErrDamaged, f)
		}
	}
	return nil
}

// create makes an empty index beside its place and renames it there, so that there is a whole one or none.
func create(dir string, wait time.Duration) (err error) {
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-") // 0700
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	if err := createRows(filepath.Join(tmp, fileRows)); err != nil {
		return err
	}
	words, err := openWords(filepath.Join(tmp, folderWords), wait)
	if err != nil {
		return err
	}
	if err := errors.Join(words.commit(nil, 0), words.close()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, fileFormat), []byte(formatName+formatVersion+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder
		return err
	}
	return os.Rename(tmp, dir)
}
