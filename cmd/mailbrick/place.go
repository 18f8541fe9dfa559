package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/dir"
	"mailbrick/archive/blob/s3"
)

// inStore begins the name of an archive that lies in an object store.
const inStore = "s3://"

// bucket is what the archive lies in. It sets where this machine's catalog and index of it are.
func (o *common) bucket(ctx context.Context) (blob.Bucket, error) {
	switch {
	case o.archive == "":
		return nil, usagef("no archive named: give --archive DIR or --archive s3://BUCKET/PREFIX, or set MAILBRICK_ARCHIVE")
	case strings.HasPrefix(o.archive, inStore):
		return o.store(ctx)
	}
	o.local = o.archive
	return dir.Open(o.archive)
}

// store is a bucket in an object store. Who asks it and where it is come from the environment, as with other programs.
func (o *common) store(ctx context.Context) (blob.Bucket, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(o.archive, inStore), "/")
	switch {
	case name == "":
		return nil, usagef("--archive %s names no bucket: write s3://BUCKET/PREFIX", o.archive)
	case strings.Contains(name, "@"):
		return nil, usagef("keys do not belong into the archive's name: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	opts, err := o.storeOptions()
	if err != nil {
		return nil, err
	}
	b, err := s3.Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	o.local, err = o.cacheOf(opts)
	return b, err
}

func (o *common) storeOptions() (s3.Options, error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(o.archive, inStore), "/")
	// A server that never answered is waited for like an archive in use; zero would be the default.
	return s3.FromEnvironment(s3.Options{Bucket: name, Prefix: strings.TrimSuffix(prefix, "/"), Contact: max(o.wait, time.Millisecond)}, os.Getenv)
}

// place is where this machine's catalog and index of the archive are. It asks nobody.
func (o *common) place() (string, error) {
	if !strings.HasPrefix(o.archive, inStore) {
		return o.archive, nil
	}
	opts, err := o.storeOptions()
	if err != nil {
		return "", err
	}
	return o.cacheOf(opts)
}

// cacheOf is where catalog and index of an archive in a store lie on this machine. It goes by where the archive is and not by
// what it says it is: another one, put in its place, is noticed.
func (o *common) cacheOf(opts s3.Options) (string, error) {
	root := o.cache
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", usagef("no folder for catalog and index: give --cache DIR or set MAILBRICK_CACHE: %w", err)
		}
		root = filepath.Join(user, "mailbrick")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{opts.Endpoint, opts.Bucket, opts.Prefix}, "\n")))
	return filepath.Join(root, fmt.Sprintf("%s-%x", opts.Bucket, sum[:8])), nil
}

// forget takes catalog and index away that an archive has left which lay in a store where a new one has just been made.
func (o *common) forget() error {
	if !strings.HasPrefix(o.archive, inStore) {
		return nil // the folder was empty
	}
	if err := os.RemoveAll(o.local); err != nil {
		return fmt.Errorf("remove the catalog of an archive that is gone: %w", err)
	}
	return nil
}
