package archive

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/journal"
	"mailbrick/archive/seal"
)

// The key that this machine signs its records with lies beside the catalog, for its owner only:
//
//	offset  size  field
//	0       4     magic "MBSK"
//	4       32    salt
//	36      48    the Ed25519 seed of 32 bytes, sealed under the root key (purpose "signer key", number 0, no associated data)
//
// It is made when first needed. When it is lost or cannot be opened another one is made, and announced in the journal.
const (
	signerFile    = "signer"
	signerMagic   = "MBSK"
	signerPurpose = "signer key"
	signerSize    = 4 + 32 + ed25519.SeedSize + seal.Overhead
)

// signerKey reads this machine's key, or makes it. Without a catalog it is one for this process.
func (o *Options) signerKey(root seal.Key) (ed25519.PrivateKey, error) {
	if o.Catalog == "" {
		return o.newSignerKey()
	}
	file := o.fs.PathJoin(o.Catalog, signerFile)
	if key, err := o.readSignerKey(root, file); err == nil || !errors.Is(err, os.ErrNotExist) && !errors.Is(err, seal.ErrDamaged) {
		return key, err
	}
	key, err := o.newSignerKey()
	if err != nil {
		return nil, err
	}
	if err := o.keepSignerKey(root, file, key); err != nil {
		return nil, fmt.Errorf("keep the key to sign with: %w", err)
	}
	return o.readSignerKey(root, file)
}

func (o *Options) newSignerKey() (ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(o.Random, seed); err != nil {
		return nil, fmt.Errorf("make a key to sign with: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func (o *Options) readSignerKey(root seal.Key, file string) (ed25519.PrivateKey, error) {
	f, err := o.fs.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the key to sign with: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, signerSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the key to sign with: %w", err)
	}
	if len(data) != signerSize || string(data[:4]) != signerMagic {
		return nil, fmt.Errorf("read the key to sign with: %w", seal.ErrDamaged)
	}
	s, err := root.Sealer(signerPurpose, data[4:36])
	if err != nil {
		return nil, err
	}
	seed, err := s.Open(nil, data[36:], nil, 0)
	if err != nil {
		return nil, fmt.Errorf("read the key to sign with: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// keepSignerKey writes the key beside its place and moves it there when it is whole and durable.
func (o *Options) keepSignerKey(root seal.Key, file string, key ed25519.PrivateKey) error {
	data := append([]byte(signerMagic), make([]byte, 32)...)
	if _, err := io.ReadFull(o.Random, data[4:]); err != nil {
		return err
	}
	s, err := root.Sealer(signerPurpose, data[4:])
	if err != nil {
		return err
	}
	data = s.Seal(data, key.Seed(), nil, 0)
	if err := o.fs.MkdirAll(o.Catalog, 0o700); err != nil {
		return err
	}
	fresh := fmt.Sprintf("%s.%s", file, hex.EncodeToString(data[4:12]))
	if err := writeDurably(o.fs, fresh, data); err != nil {
		return errors.Join(err, o.fs.RemoveAll(fresh))
	}
	if err := o.fs.Rename(fresh, file); err != nil {
		return err
	}
	dir, err := o.fs.OpenDir(o.Catalog)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeDurably(fs vfs.FS, name string, data []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if fs == vfs.Default {
		err = os.Chmod(name, 0o600)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Fingerprint is how people tell the keys of writers apart: the first 8 bytes of its SHA-256, in hexadecimal.
func Fingerprint(key [32]byte) string {
	sum := sha256.Sum256(key[:])
	return hex.EncodeToString(sum[:8])
}

// append signs a record and puts it behind the journal's head. The first of this machine announces it.
func (a *Archive) append(ctx context.Context, body *journal.Body, inline []byte) (journal.Head, error) {
	key, err := a.signer()
	if err != nil {
		return journal.Head{}, err
	}
	known, err := a.announced(key)
	if err != nil {
		return journal.Head{}, err
	}
	if !known {
		body.Writer = a.opts.announcement(key)
	}
	return a.journal.Append(ctx, key, a.cat.headNow(), body, inline, a.opts.Clock())
}

// announced tells whether the journal knows a key.
func (a *Archive) announced(key ed25519.PrivateKey) (bool, error) {
	row, err := a.cat.get(append([]byte{keySigner}, key.Public().(ed25519.PublicKey)...))
	return row != nil, err
}

// announcement is what a machine's first record says of who signs it.
func (o *Options) announcement(key ed25519.PrivateKey) *journal.Writer {
	return &journal.Writer{Key: [32]byte(key.Public().(ed25519.PublicKey)), Name: o.Machine}
}
