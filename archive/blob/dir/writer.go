package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"mailbrick/archive/blob"
)

// Create implements blob.Bucket: steps 1 and 2 of the package.
func (b *Bucket) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	w := &writer{fs: b.fs, name: name, folder: folderOf(name), ctx: ctx}
	w.publish = w.link
	err := b.begin(w)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody took away a folder that we knew: make it again.
		b.forget()
		err = b.begin(w)
	}
	if err != nil {
		return nil, wrap("create", name, err)
	}
	return w, nil
}

// Replace implements blob.Replacer.
func (b *Bucket) Replace(ctx context.Context, name string) (blob.Writer, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	w := &writer{fs: b.fs, name: name, folder: folderOf(name), ctx: ctx}
	w.publish = w.rename
	_, err := b.fs.Size(name)
	if err == nil {
		err = b.begin(w)
	}
	if err != nil {
		return nil, wrap("replace", name, err)
	}
	return w, nil
}

func (b *Bucket) begin(w *writer) error {
	if err := b.makeFolder(w.folder); err != nil {
		return err
	}
	w.temporary = join(w.folder, "."+strings.ToLower(rand.Text())+".tmp")
	file, err := b.fs.Create(w.temporary)
	w.file = file
	return err
}

// makeFolder makes a folder durable with all above it, once in a process.
func (b *Bucket) makeFolder(folder string) error {
	b.mu.Lock()
	known := b.durable[folder]
	b.mu.Unlock()
	if known {
		return nil
	}
	if folder != "." {
		if err := b.makeFolder(folderOf(folder)); err != nil {
			return err
		}
	}
	if err := b.fs.Mkdir(folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if folder != "." {
		if err := b.fs.SyncDir(folderOf(folder)); err != nil {
			return err
		}
	}
	b.mu.Lock()
	b.durable[folder] = true
	b.mu.Unlock()
	return nil
}

func (b *Bucket) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.durable)
}

func join(folder, name string) string {
	if folder == "." {
		return name
	}
	return folder + "/" + name
}

// writer is an object under its temporary name.
type writer struct {
	fs        FS
	ctx       context.Context // of Create, which governs the writer
	file      File
	name      string
	folder    string
	temporary string
	publish   func() error // gives the temporary file its name
	err       error        // the first failure, blob.ErrDone at the end
}

func (w *writer) Write(p []byte) (int, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.err = wrap("write", w.name, err)
		// Here and not in Abort: a full disk gets its space back at once.
		w.drop()
	}
	return n, w.err
}

// Commit is steps 4 to 8 of the package; their order is what makes the object
// durable and whole.
func (w *writer) Commit() error {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		failed := w.err
		_ = w.Abort()
		return failed
	}
	w.err = w.done()
	err := errors.Join(w.file.Sync(), w.close())
	if err == nil {
		err = w.publish()
	}
	// The name is made or never will be; a temporary one that stays is hidden.
	_ = w.fs.Remove(w.temporary)
	if err == nil || errors.Is(err, fs.ErrExist) {
		// Also for who lost: what it lost to must be durable before it
		// builds on that.
		if failed := w.fs.SyncDir(w.folder); failed != nil {
			err = failed
		}
	}
	return wrap("commit", w.name, err)
}

func (w *writer) link() error {
	err := w.fs.Link(w.temporary, w.name)
	if err != nil && isNoLinks(err) {
		return mark(ErrLinks, err)
	}
	return err
}

// rename puts the file in the place of the one that is there, if it still is:
// what was removed meanwhile is not to come back.
func (w *writer) rename() error {
	if _, err := w.fs.Size(w.name); err != nil {
		return err
	}
	return w.fs.Rename(w.temporary, w.name)
}

// Abort drops the temporary file.
func (w *writer) Abort() error {
	if w.file == nil {
		return nil
	}
	w.err = w.done()
	return wrap("abort", w.name, w.drop())
}

func (w *writer) done() error {
	return fmt.Errorf("%s: %w", w.name, blob.ErrDone)
}

func (w *writer) close() error {
	file := w.file
	if file == nil {
		return nil
	}
	w.file = nil
	return file.Close()
}

// drop closes and removes the temporary file.
func (w *writer) drop() error {
	return errors.Join(w.close(), w.fs.Remove(w.temporary))
}
