package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
	"mailbrick/archive/seal"
)

const (
	keyPrefix  = "keys/"
	maxHolders = 256

	readsAtOnce = 8

	// sealsByGeneration is set when packs and records say which generation of the key they are sealed under. Until then all of
	// them are under the first, and a rotation would promise what it does not keep.
	sealsByGeneration = false
)

var (
	// ErrLastHolder says that nobody could open the archive any more.
	ErrLastHolder = errors.New("nobody else can open the archive")
	// ErrNotEncrypted says that an archive is one without encryption.
	ErrNotEncrypted = errors.New("the archive is not encrypted")
)

// keyName is what the name of a key file says.
type keyName struct {
	kind       seal.Kind
	holder     string
	generation uint32
}

func (k keyName) object() string {
	return fmt.Sprintf("%s%s.%s.%06d", keyPrefix, k.kind, k.holder, k.generation)
}

func parseKeyObject(name string) (keyName, bool) {
	parts := strings.Split(strings.TrimPrefix(name, keyPrefix), ".")
	if len(parts) != 3 {
		return keyName{}, false
	}
	n, err := strconv.ParseUint(parts[2], 10, 32)
	k := keyName{seal.Kind(parts[0]), parts[1], uint32(n)}
	return k, err == nil && k.object() == name
}

func nameOf(f *seal.File) keyName { return keyName{f.Kind, f.Holder, f.Generation} }

func (o *Options) putKey(ctx context.Context, f *seal.File) error {
	if err := putTwice(ctx, o.Bucket, nameOf(f).object(), f.Bytes()); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

func (o *Options) readKey(ctx context.Context, object string) (*seal.File, error) {
	f, err := fetchTwice(ctx, o.Bucket, object, seal.MaxFile, seal.ParseFile)
	if err == nil && nameOf(f).object() != object {
		err = fmt.Errorf("it is the file of holder %s: %w", f.Holder, seal.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	return f, nil
}

// keyNames are the names of all key files, those of one holder by generation.
func (o *Options) keyNames(ctx context.Context) ([]keyName, error) {
	objects, err := listTwice(ctx, o.Bucket, keyPrefix)
	if err != nil {
		return nil, err
	}
	var out []keyName
	for _, object := range objects {
		if k, ok := parseKeyObject(object); ok {
			out = append(out, k)
		}
	}
	return out, nil
}

// holderFile is a holder's newest file, or why it cannot be read.
type holderFile struct {
	keyName
	file *seal.File
	err  error
}

// holderFiles reads the newest file of each holder of the kinds that are wanted, of the names that there are. No files at all
// are an error.
func (o *Options) holderFiles(ctx context.Context, names []keyName, want func(seal.Kind) bool) ([]holderFile, error) {
	var newest []keyName
	for _, k := range names { // a rotation that was broken off leaves older ones
		if n := len(newest); n > 0 && newest[n-1].kind == k.kind && newest[n-1].holder == k.holder {
			newest[n-1] = k
			continue
		}
		newest = append(newest, k)
	}
	switch {
	case len(newest) == 0:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, ErrNoKey)
	case len(newest) > 2*maxHolders: // some may have come at once
		return nil, fmt.Errorf("%w: files of %d holders in %s, at most %d belong there", ErrDamaged, len(newest), keyPrefix, maxHolders)
	}
	newest = slices.DeleteFunc(newest, func(k keyName) bool { return !want(k.kind) })
	out := make([]holderFile, len(newest))
	var g errgroup.Group
	g.SetLimit(readsAtOnce)
	for i, k := range newest {
		g.Go(func() error {
			f, err := o.readKey(ctx, k.object())
			out[i] = holderFile{k, f, err}
			return ctx.Err()
		})
	}
	return out, g.Wait()
}

// allHolderFiles reads the newest file of each holder.
func (o *Options) allHolderFiles(ctx context.Context) ([]holderFile, error) {
	names, err := o.keyNames(ctx)
	if err != nil {
		return nil, err
	}
	return o.holderFiles(ctx, names, func(seal.Kind) bool { return true })
}

// unlock reads config and opens the key. What files there are is asked together with config.
func (o *Options) unlock(ctx context.Context) (c config, ring seal.Ring, err error) {
	var names []keyName
	var listErr error
	var list sync.WaitGroup
	list.Go(func() { names, listErr = o.keyNames(ctx) })
	c, err = readConfig(ctx, o.Bucket)
	list.Wait()
	if err == nil {
		err = listErr
	}
	if err == nil && c.Encrypted && o.Secrets != nil {
		err = o.Secrets(ctx, o)
	}
	if err == nil {
		ring, err = o.openRing(ctx, c.Encrypted, names)
	}
	return c, ring, err
}

// openRing opens the key with what there is to open it with. A plain key in an archive that says it is encrypted was put
// there by somebody, and is not looked at.
func (o *Options) openRing(ctx context.Context, encrypted bool, names []keyName) (seal.Ring, error) {
	secrets := seal.Secrets{}
	if encrypted {
		secrets = seal.Secrets{Identities: o.Identities, Passphrase: o.Passphrase}
	}
	held, err := o.holderFiles(ctx, names, func(k seal.Kind) bool { return (k != seal.Plain) == encrypted && secrets.Fit(k) })
	if err != nil {
		return seal.Ring{}, err
	}
	var files []*seal.File
	var faults []error
	for _, h := range held {
		if h.err != nil {
			faults = append(faults, h.err)
			continue
		}
		files = append(files, h.file)
	}
	ring, _, err := seal.Open(files, secrets)
	if err == nil {
		return ring, nil
	}
	if len(files) == 0 && len(faults) > 0 {
		err = nil // there was nothing to try: no secret was wrong
	}
	return seal.Ring{}, keyError(errors.Join(append([]error{err}, faults...)...))
}

// keyError sorts what seal says into this package's words.
func keyError(err error) error {
	switch {
	case errors.Is(err, seal.ErrWrongKey):
		return err
	case errors.Is(err, seal.ErrVersion):
		return fmt.Errorf("%w: %w", ErrVersion, err)
	case errors.Is(err, seal.ErrDamaged), errors.Is(err, blob.ErrNotExist):
		return fmt.Errorf("%w: %w: %w", ErrDamaged, ErrNoKey, err)
	}
	return err
}

// Keys is who can open an archive. It needs no catalog, and works beside an archive in use.
type Keys struct {
	opts Options
	ring seal.Ring
}

// OpenKeys opens the keys of an encrypted archive.
func OpenKeys(ctx context.Context, o Options) (*Keys, error) {
	o.defaults()
	c, ring, err := o.unlock(ctx)
	if err != nil {
		return nil, err
	}
	if !c.Encrypted {
		return nil, ErrNotEncrypted
	}
	return &Keys{opts: o, ring: ring}, nil
}

// Holder is who can open the archive.
type Holder struct {
	ID         string
	Kind       seal.Kind
	Generation uint32 // the newest that he has
	seal.About
	Err error // why his file cannot be read, or was not made by one who can open the archive
}

// Holders lists who can open the archive.
func (k *Keys) Holders(ctx context.Context) ([]Holder, error) {
	files, err := k.opts.allHolderFiles(ctx)
	if err != nil {
		return nil, err
	}
	var out []Holder
	for _, f := range files {
		h := Holder{ID: f.holder, Kind: f.kind, Generation: f.generation, Err: f.err}
		if h.Err == nil {
			h.About, h.Err = f.file.About(k.ring)
		}
		out = append(out, h)
	}
	return out, nil
}

// Add lets a holder open the archive. The name says who it is; only those who can open the archive read it.
func (k *Keys) Add(ctx context.Context, to seal.Recipient, name string) (Holder, error) {
	holders, err := k.Holders(ctx)
	if err != nil {
		return Holder{}, err
	}
	if to.Kind() == seal.Plain {
		return Holder{}, fmt.Errorf("add a holder: %w", seal.ErrRecipient)
	}
	if len(holders) >= maxHolders {
		return Holder{}, fmt.Errorf("add a holder to %d: %w", len(holders), seal.ErrFull)
	}
	for _, h := range holders {
		if h.Err == nil && h.Recipient == to.Text() {
			return Holder{}, fmt.Errorf("%w: holder %s is the same", ErrExists, h.ID)
		}
	}
	f, err := seal.NewFile(k.ring, to, name, k.opts.Clock(), k.opts.Random)
	if err != nil {
		return Holder{}, fmt.Errorf("add a holder: %w", err)
	}
	if err := k.opts.putKey(ctx, f); err != nil {
		return Holder{}, err
	}
	about, err := f.About(k.ring)
	return Holder{ID: f.Holder, Kind: f.Kind, Generation: f.Generation, About: about}, err
}

// Remove takes a holder's files away; the last holder whose file is sound stays. Whoever was the holder and has copies still
// reads what was sealed under the generations that he knew.
func (k *Keys) Remove(ctx context.Context, id string) error {
	holders, err := k.Holders(ctx)
	if err != nil {
		return err
	}
	there, others := false, 0
	for _, h := range holders {
		if h.ID == id {
			there = true
		} else if h.Err == nil {
			others++
		}
	}
	switch {
	case !there:
		return fmt.Errorf("holder %s: %w", id, ErrNotFound)
	case others == 0:
		return fmt.Errorf("holder %s: %w", id, ErrLastHolder)
	}
	return k.removeFiles(ctx, func(n keyName) bool { return n.holder == id })
}

func (k *Keys) removeFiles(ctx context.Context, which func(keyName) bool) error {
	names, err := k.opts.keyNames(ctx)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !which(n) {
			continue
		}
		for _, object := range []string{n.object(), n.object() + copySuffix} {
			if err := k.opts.Bucket.Remove(ctx, object); err != nil && !errors.Is(err, blob.ErrNotExist) {
				return fmt.Errorf("remove key: %w", err)
			}
		}
	}
	return nil
}

// Rotate makes a new generation of the key for all holders that are left, and returns its number.
func (k *Keys) Rotate(ctx context.Context) (uint32, error) {
	if !sealsByGeneration {
		return 0, errors.New("rotate the key: packs and records do not say yet which generation of the key they are sealed under")
	}
	return k.rotate(ctx)
}

// rotate writes everybody's new file before it takes an old one away, so that one broken off leaves each holder one or the
// other. Its number is above that of any file: what a broken one left is never taken up. Until all files are there nothing
// may be sealed under the new generation; only who rotates has it then.
func (k *Keys) rotate(ctx context.Context) (uint32, error) {
	held, err := k.opts.allHolderFiles(ctx)
	if err != nil {
		return 0, err
	}
	number, _ := k.ring.Newest()
	for _, h := range held {
		number = max(number, h.generation)
	}
	ring, err := k.ring.Rotate(number+1, k.opts.Random)
	if err != nil {
		return 0, err
	}
	files, err := k.renewed(held, ring)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if err := k.opts.putKey(ctx, f); err != nil {
			return 0, err
		}
	}
	k.ring = ring
	return number + 1, k.removeFiles(ctx, func(n keyName) bool { // not of one who was added meanwhile: he has no other
		return n.generation <= number && slices.ContainsFunc(files, func(f *seal.File) bool { return f.Holder == n.holder })
	})
}

// renewed makes everybody's file before any is written: a plugin may be missing.
func (k *Keys) renewed(held []holderFile, ring seal.Ring) ([]*seal.File, error) {
	var out []*seal.File
	for _, h := range held {
		if h.err != nil {
			return nil, fmt.Errorf("holder %s would lose the archive: %w", h.holder, h.err)
		}
		f, err := h.file.Renew(ring, k.opts.Talk, k.opts.Random)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}
