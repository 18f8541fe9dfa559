package archive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/seal"
)

const (
	keyPrefix  = "keys/"
	maxHolders = 256

	readsAtOnce = 8
)

var (
	// ErrLastHolder says that nobody could open the archive any more.
	ErrLastHolder = errors.New("nobody else can open the archive")
	// ErrNotEncrypted says that an archive is one without encryption.
	ErrNotEncrypted = errors.New("the archive is not encrypted")
	// ErrKeysChanged says that somebody else changed who can open the archive at the same time.
	ErrKeysChanged = errors.New("somebody else is changing the keys")

	errStale = errors.New("it is of before the key was rotated, and opens nothing that came since")
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
	f, err := fetchTwice(ctx, o.Bucket, object, seal.MaxFile, func(data []byte) (*seal.File, error) { return parseKey(object, data) })
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	return f, nil
}

// parseKey reads a key file, which must be the one that its name says.
func parseKey(object string, data []byte) (*seal.File, error) {
	f, err := seal.ParseFile(data)
	if err == nil && nameOf(f).object() != object {
		err = fmt.Errorf("it is the file of holder %s: %w", f.Holder, seal.ErrDamaged)
	}
	return f, err
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

// unlock reads config, which says how the bucket is to be read, and opens the key. What files there are is asked together with config.
func (o *Options) unlock(ctx context.Context) (c config, ring seal.Ring, err error) {
	var names []keyName
	var listErr error
	var list sync.WaitGroup
	list.Go(func() { names, listErr = o.keyNames(ctx) })
	c, err = readConfig(ctx, o.Bucket)
	list.Wait()
	if err == nil {
		o.cover(c)
		err = listErr
	}
	if err == nil && c.Encrypted && o.Secrets != nil {
		err = o.Secrets(ctx, o)
	}
	if err == nil {
		ring, err = o.openListed(ctx, c.Encrypted, names, math.MaxUint32)
	}
	return c, ring, err
}

// openListed opens the key with the files of these names up to a generation.
func (o *Options) openListed(ctx context.Context, encrypted bool, names []keyName, newest uint32) (ring seal.Ring, err error) {
	err = o.whileListed(ctx, names, func(names []keyName) (err error) {
		ring, err = o.openRing(ctx, encrypted, upTo(names, newest))
		return err
	})
	return ring, err
}

// whileListed does something with the key files of these names, and again with those that are there then when one of them is gone: a
// rotation takes files away.
func (o *Options) whileListed(ctx context.Context, names []keyName, do func([]keyName) error) error {
	for {
		err := do(slices.Clone(names))
		if !errors.Is(err, blob.ErrNotExist) {
			return err
		}
		now, listErr := o.keyNames(ctx)
		if listErr != nil || slices.Equal(now, names) {
			return errors.Join(err, listErr)
		}
		names = now
	}
}

// keyring is a key that was opened, and can be again.
func (o *Options) keyring(ring seal.Ring, encrypted bool) *keyring {
	return &keyring{ring: ring, read: func(ctx context.Context, newest uint32) (seal.Ring, error) {
		names, err := o.keyNames(ctx)
		if err != nil {
			return seal.Ring{}, err
		}
		return o.openListed(ctx, encrypted, names, newest)
	}}
}

// upTo are the files of generations up to one.
func upTo(names []keyName, generation uint32) []keyName {
	return slices.DeleteFunc(names, func(n keyName) bool { return n.generation > generation })
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
//
// Each change is a record of the journal, so that two cannot happen at once: who finds that another came between gives up. A
// holder's file is there before the record that he came, and goes after the record that he went. A rotation happens with its
// record: before it nothing is sealed under the new generation, and after it nothing under the old one.
type Keys struct {
	*source
	opts Options
	keys *keyring
	head journal.Head // as far as the journal was read
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
	k := &Keys{opts: o, keys: o.keyring(ring, true)}
	if k.source, err = o.newSource(k.keys); err == nil {
		err = k.seek(ctx)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// seek goes to the journal's end without reading what lies before: which generation is in use the last record knows.
func (k *Keys) seek(ctx context.Context) error {
	last, err := k.opts.lastObject(ctx)
	if err != nil || last == 0 {
		return err
	}
	rec, err := again(ctx, k.source, func(r reading) (*journal.Record, error) {
		generation, err := r.journal.Generation(ctx, last)
		if err == nil {
			err = k.keys.need(ctx, generation)
		}
		if err != nil {
			return nil, err
		}
		return r.journal.Read(ctx, last)
	})
	if err == nil {
		err = k.keys.rotated(ctx, rec)
	}
	if err != nil {
		return journalError(err)
	}
	k.head = rec.Head
	_, err = k.follow(ctx)
	return err
}

// ring is the key as it is in use.
func (k *Keys) ring() seal.Ring { return k.keys.sealing(k.head) }

// follow reads on to the journal's end, and tells whether the keys were changed meanwhile.
func (k *Keys) follow(ctx context.Context) (changed bool, err error) {
	for rec, err := range k.records(ctx, k.head) {
		if err == nil {
			err = k.keys.rotated(ctx, rec)
		}
		if err != nil {
			return changed, journalError(err)
		}
		k.head, changed = rec.Head, changed || rec.Body.Key != nil
	}
	return changed, nil
}

// record makes a change part of the journal. ErrKeysChanged tells that another came before it since the head was read.
func (k *Keys) record(ctx context.Context, c journal.KeyChange) error {
	key, err := k.opts.signerKey(k.ring().Root())
	if err != nil {
		return err
	}
	body := &journal.Body{Key: &c, Writer: k.opts.announcement(key)} // again and again: whether it is known only a catalog says
	for {
		head, err := k.journal.Append(ctx, key, k.head, body, nil, k.opts.Clock())
		if err == nil {
			k.head = head
			return nil
		}
		if !errors.Is(err, journal.ErrTaken) {
			return journalError(err)
		}
		changed, err := k.follow(ctx)
		if changed {
			return ErrKeysChanged
		}
		if err != nil {
			return err
		}
	}
}

// holderFiles reads the file of each holder: the newest, but for what a rotation that was broken off has left.
func (k *Keys) holderFiles(ctx context.Context) ([]holderFile, error) {
	names, err := k.opts.keyNames(ctx)
	if err != nil {
		return nil, err
	}
	var held []holderFile
	err = k.opts.whileListed(ctx, names, func(names []keyName) (err error) {
		if _, err = k.follow(ctx); err == nil {
			held, err = k.opts.holderFiles(ctx, upTo(names, k.head.Sealing()), func(seal.Kind) bool { return true })
		}
		for i := range held {
			if err == nil && errors.Is(held[i].err, blob.ErrNotExist) {
				return held[i].err
			}
		}
		return err
	})
	if errors.Is(err, blob.ErrNotExist) && len(held) > 0 {
		err = nil // it is listed and not there: that is said of its holder
	}
	for i := range held {
		if h := &held[i]; h.err == nil && h.generation < k.head.Sealing() {
			h.err = errStale
		}
	}
	return held, err
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
	files, err := k.holderFiles(ctx)
	if err != nil {
		return nil, err
	}
	var out []Holder
	for _, f := range files {
		h := Holder{ID: f.holder, Kind: f.kind, Generation: f.generation, Err: f.err}
		if h.Err == nil {
			h.About, h.Err = f.file.About(k.ring())
		}
		out = append(out, h)
	}
	return out, nil
}

// Add lets a holder open the archive. The name says who it is; only those who can open the archive read it. Where one before was broken
// off, so that his file is there, or one of the two, and no record of it, it ends that.
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
			return k.complete(ctx, h)
		}
	}
	ring := k.ring()
	f, err := seal.NewFile(ring, to, name, k.opts.Clock(), k.opts.Random)
	if err != nil {
		return Holder{}, fmt.Errorf("add a holder: %w", err)
	}
	about, err := f.About(ring)
	if err != nil {
		return Holder{}, fmt.Errorf("add a holder: %w", err)
	}
	return k.admit(ctx, f, about)
}

// admit makes a file and its holder part of the archive.
func (k *Keys) admit(ctx context.Context, f *seal.File, about seal.About) (Holder, error) {
	if err := k.opts.putKey(ctx, f); err != nil {
		return Holder{}, err
	}
	err := k.record(ctx, journal.KeyChange{Action: journal.KeyAdded, Generation: f.Generation, Holder: f.Holder, Kind: string(f.Kind), Fingerprint: about.Fingerprint()})
	if errors.Is(err, ErrKeysChanged) {
		err = errors.Join(err, k.dismiss(ctx, f.Holder))
	}
	return Holder{ID: f.Holder, Kind: f.Kind, Generation: f.Generation, About: about}, err
}

// dismiss takes the files of a holder away whom no record has added: he was left out of a rotation, it may be. Another process may have
// ended the same broken one meanwhile; then they are his.
func (k *Keys) dismiss(ctx context.Context, holder string) error {
	said, err := k.said(ctx)
	if err != nil || said.added(holder) {
		return err
	}
	return k.removeFiles(ctx, func(n keyName) bool { return n.holder == holder })
}

// complete adds a holder who has a file already, unless the journal says that he was added, or he came with the archive: with a password.
func (k *Keys) complete(ctx context.Context, h Holder) (Holder, error) {
	said, err := k.said(ctx)
	if err != nil {
		return Holder{}, err
	}
	if said.added(h.ID) || h.Kind == seal.Passphrase {
		return Holder{}, fmt.Errorf("%w: holder %s is the same", ErrExists, h.ID)
	}
	f, err := k.opts.readKey(ctx, keyName{h.Kind, h.ID, h.Generation}.object())
	if err != nil {
		return Holder{}, err
	}
	return k.admit(ctx, f, h.About)
}

// Remove takes a holder's files away; the last holder whose file is sound stays. Whoever was the holder and has copies still
// reads what was sealed under the generations that he knew.
func (k *Keys) Remove(ctx context.Context, id string) error {
	holders, err := k.Holders(ctx)
	if err != nil {
		return err
	}
	var gone *Holder
	others := 0
	for i, h := range holders {
		if h.ID == id {
			gone = &holders[i]
		} else if h.Err == nil {
			others++
		}
	}
	switch {
	case gone == nil:
		return k.removeLost(ctx, id)
	case others == 0:
		return fmt.Errorf("holder %s: %w", id, ErrLastHolder)
	}
	err = k.record(ctx, journal.KeyChange{Action: journal.KeyRemoved, Generation: k.head.Sealing(), Holder: id, Kind: string(gone.Kind), Fingerprint: gone.Fingerprint()})
	if err != nil {
		return err
	}
	return k.removeFiles(ctx, func(n keyName) bool { return n.holder == id })
}

// removeLost has the journal say that a holder is none any more whose files were lost.
func (k *Keys) removeLost(ctx context.Context, id string) error {
	said, err := k.said(ctx)
	if err != nil {
		return err
	}
	if !said.added(id) {
		return fmt.Errorf("holder %s: %w", id, ErrNotFound)
	}
	c := *said[id]
	c.Action, c.Generation = journal.KeyRemoved, k.head.Sealing()
	return k.record(ctx, c)
}

// removeFiles removes what can be removed, and then tells of a file that a lock keeps.
func (k *Keys) removeFiles(ctx context.Context, which func(keyName) bool) error {
	names, err := k.opts.keyNames(ctx)
	if err != nil {
		return err
	}
	var locked error
	for _, n := range names {
		if !which(n) {
			continue
		}
		for _, object := range []string{n.object(), n.object() + copySuffix} {
			err := k.opts.Bucket.Remove(ctx, object)
			switch {
			case err == nil, errors.Is(err, blob.ErrNotExist):
			case errors.Is(err, blob.ErrLocked):
				locked = fmt.Errorf("remove key: %w", err)
			default:
				return fmt.Errorf("remove key: %w", err)
			}
		}
	}
	return locked
}

// Rotate makes a new generation of the key for all holders that are left, and returns its number; ErrUnexplained when there is one more
// than the journal knows of. All new files are there
// before the record, and the old ones until after it: one broken off leaves each holder what he needs. The number is above that
// of any file, so what a broken one left is never taken up.
func (k *Keys) Rotate(ctx context.Context) (uint32, error) {
	held, err := k.holderFiles(ctx)
	if err != nil {
		return 0, err
	}
	if err := k.explained(ctx, held); err != nil {
		return 0, err
	}
	number, err := k.highest(ctx)
	if err != nil {
		return 0, err
	}
	ring, err := k.ring().Rotate(number+1, k.opts.Random)
	if err != nil {
		return 0, err
	}
	files, err := k.renewed(held, ring)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if err := k.opts.putKey(ctx, f); errors.Is(err, blob.ErrExist) {
			return 0, fmt.Errorf("%w: %w", ErrKeysChanged, err) // whose those are that are there the record will say, or the next rotation
		} else if err != nil {
			return 0, err
		}
	}
	_, key := ring.Newest()
	err = k.record(ctx, journal.KeyChange{Action: journal.KeyRotated, Generation: number + 1, Digest: generationDigest(key)})
	if errors.Is(err, ErrKeysChanged) {
		err = errors.Join(err, k.removeFiles(ctx, func(n keyName) bool { return n.generation == number+1 }))
	}
	if err != nil {
		return 0, err
	}
	k.keys.set(ring)
	err = k.removeFiles(ctx, func(n keyName) bool {
		return n.generation <= number && slices.ContainsFunc(files, func(f *seal.File) bool { return f.Holder == n.holder })
	})
	if errors.Is(err, blob.ErrLocked) {
		err = nil // what stays says no more than its holder knows, and nobody takes it for his newest
	}
	return number + 1, err
}

// highest is the highest number of a generation that there is, used or not.
func (k *Keys) highest(ctx context.Context) (uint32, error) {
	number := k.head.Sealing()
	names, err := k.opts.keyNames(ctx)
	for _, n := range names {
		number = max(number, n.generation)
	}
	return number, err
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
