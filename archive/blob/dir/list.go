package dir

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"mailbrick/archive/blob"
)

// List implements blob.Bucket. A folder is read when its turn comes.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		l := &lister{fs: b.fs, ctx: ctx, prefix: prefix, yield: yield}
		err := blob.CheckPrefix(prefix)
		if err == nil {
			err = l.walk(folderOf(prefix))
		}
		if err != nil && err != errStop {
			yield(blob.Info{}, wrap("list", prefix, err))
		}
	}
}

// errStop ends a walk whose reader has had enough.
var errStop = errors.New("stop")

type lister struct {
	fs     FS
	ctx    context.Context // of one List, which ends with it
	prefix string
	yield  func(blob.Info, error) bool
}

// walk lists a folder and those below it. What vanishes meanwhile is left out.
func (l *lister) walk(folder string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	entries, err := l.fs.List(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range l.keys(folder, entries) {
		if err := l.visit(key); err != nil {
			return err
		}
	}
	return nil
}

// keys are the full names in order, folders with a slash at the end: every
// name below "a" begins with "a/", so "a-b" comes before them all and "ab" after.
func (l *lister) keys(folder string, entries []Entry) []string {
	keys := make([]string, 0, len(entries))
	for _, e := range entries {
		if hidden(e.Name) {
			continue
		}
		key := join(folder, e.Name)
		if e.Folder {
			key += "/"
		}
		if strings.HasPrefix(key, l.prefix) || e.Folder && strings.HasPrefix(l.prefix, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (l *lister) visit(key string) error {
	if folder, ok := strings.CutSuffix(key, "/"); ok {
		return l.walk(folder)
	}
	size, err := l.fs.Size(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !l.yield(blob.Info{Name: key, Size: size}, nil) {
		return errStop
	}
	return nil
}
