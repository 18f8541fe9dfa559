package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mailbrick/archive/blob"
)

// copySuffix is what the name of a small object's copy ends with. What nothing can be read without lies there twice: one bit
// that turned must not cost the archive.
const copySuffix = ".copy"

// putTwice stores a small object and its copy. One that is there already with the same bytes, of a call that was broken off,
// is left.
func putTwice(ctx context.Context, b blob.Bucket, name string, data []byte) error {
	for _, name := range []string{name, name + copySuffix} {
		if err := putSame(ctx, b, name, data); err != nil {
			return err
		}
	}
	return nil
}

// putSame stores an object, unless it is there already with the same bytes.
func putSame(ctx context.Context, b blob.Bucket, name string, data []byte) error {
	err := blob.Put(ctx, b, name, data)
	if errors.Is(err, blob.ErrExist) {
		if there, readErr := fetch(ctx, b, name, int64(len(data))); readErr == nil && bytes.Equal(there, data) {
			return nil
		}
	}
	return err
}

// fetchTwice reads a small object, or its copy where it is missing or cannot be read. The error is the object's, unless only
// its copy is there. Where the bucket is out of reach, so is the copy.
func fetchTwice[T any](ctx context.Context, b blob.Bucket, name string, limit int64, parse func([]byte) (T, error)) (T, error) {
	read := func(name string) (T, error) {
		data, err := fetch(ctx, b, name, limit)
		if err != nil {
			var none T
			return none, err
		}
		return parse(data)
	}
	got, err := read(name)
	if err == nil || errors.Is(err, blob.ErrUnavailable) || ctx.Err() != nil {
		return got, err
	}
	second, copyErr := read(name + copySuffix)
	if copyErr == nil || errors.Is(err, blob.ErrNotExist) {
		return second, copyErr
	}
	return got, err
}

// listTwice gives the names of small objects with a prefix, each once, also where only its copy is there.
func listTwice(ctx context.Context, b blob.Bucket, prefix string) ([]string, error) {
	var names []string
	for info, err := range b.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		names = append(names, strings.TrimSuffix(info.Name, copySuffix))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func fetch(ctx context.Context, b blob.Bucket, name string, limit int64) ([]byte, error) {
	r, err := b.Open(ctx, name, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", name, limit)
	}
	return data, err
}
