package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"mailbrick/archive/blob"
	"mailbrick/archive/blob/blobtest"
	"mailbrick/archive/journal"
	"mailbrick/archive/seal"
)

// sealedArchive is an empty archive that the password "secret" opens.
func sealedArchive(t *testing.T) (*blobtest.Memory, Options) {
	t.Helper()
	m := new(blobtest.Memory)
	o := Options{Bucket: m, Passphrase: "secret", WorkFactor: 1, Clock: new(clock).now}
	wantErr(t, "init", Init(t.Context(), o), nil)
	return m, o
}

// host makes an identity and the options that open with nothing else.
func host(t *testing.T, b blob.Bucket) (seal.Recipient, Options) {
	t.Helper()
	identity, _, err := seal.NewIdentity()
	wantErr(t, "identity", err, nil)
	to, err := identity.Recipient()
	wantErr(t, "recipient", err, nil)
	return to, Options{Bucket: b, Identities: []seal.Identity{identity}, Clock: new(clock).now}
}

func openKeys(t *testing.T, o Options) *Keys {
	t.Helper()
	k, err := OpenKeys(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantOpens(t *testing.T, what string, o Options, want error) {
	t.Helper()
	o.Catalog, o.fs = "catalog", vfs.NewMem()
	a, err := Open(t.Context(), o)
	wantErr(t, what, err, want)
	if err == nil {
		wantErr(t, what+": close", a.Close(), nil)
	}
}

func TestHolders(t *testing.T) {
	t.Parallel()
	m, byPassword := sealedArchive(t)
	k := openKeys(t, byPassword)
	to, byHost := host(t, m)
	wantOpens(t, "before it is a holder", byHost, ErrWrongKey)
	added, err := k.Add(t.Context(), to, "server 1")
	wantErr(t, "add", err, nil)
	wantOpens(t, "as a holder", byHost, nil)
	wantErr(t, "add it again", third(k.Add(t.Context(), to, "server 2")), ErrExists)
	wantErr(t, "add nobody", third(k.Add(t.Context(), seal.PlainRecipient(), "all")), seal.ErrRecipient)

	holders, err := openKeys(t, byHost).Holders(t.Context())
	if err != nil || len(holders) != 2 {
		t.Fatalf("%d holders, %v", len(holders), err)
	}
	first, second := holders[0], holders[1]
	if first.Kind != seal.Passphrase || first.Name != "first password" || second.ID != added.ID || second.Name != "server 1" || second.Recipient != to.Text() || second.Created.IsZero() {
		t.Errorf("holders %+v", holders)
	}
	wantErr(t, "remove nobody", k.Remove(t.Context(), "0123"), ErrNotFound)
	wantErr(t, "remove", k.Remove(t.Context(), first.ID), nil)
	wantOpens(t, "the password that was removed", byPassword, ErrWrongKey)
	before := strings.Join(m.Names(), " ")
	wantErr(t, "remove the last", k.Remove(t.Context(), second.ID), ErrLastHolder)
	if after := strings.Join(m.Names(), " "); after != before {
		t.Errorf("a refusal left %s", after)
	}
	wantOpens(t, "the last", byHost, nil)
}

func third(_ Holder, err error) error { return err }

// TestPlanted: what somebody without the key puts among the files opens nothing, is told, and does not count as a holder.
func TestPlanted(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	ring, err := seal.NewRing(rand.Reader)
	wantErr(t, "ring", err, nil)
	strange, byStranger := host(t, m)
	for _, to := range []seal.Recipient{seal.PlainRecipient(), strange} {
		f, err := seal.NewFile(ring, to, "me too", o.Clock(), rand.Reader)
		wantErr(t, "file", err, nil)
		m.Put(nameOf(f).object(), f.Bytes())
	}
	m.Put("keys/passphrase.0123456789abcdef.000001", []byte("nonsense"))
	m.Put("keys/readme", []byte("not a key"))
	k := openKeys(t, o)
	holders, err := k.Holders(t.Context())
	wantErr(t, "list", err, nil)
	sound := ""
	for _, h := range holders {
		if h.Err == nil {
			sound += h.ID
		} else if !errors.Is(h.Err, seal.ErrDamaged) || h.Name != "" {
			t.Errorf("%+v", h)
		}
	}
	wantErr(t, "remove the only one", k.Remove(t.Context(), sound), ErrLastHolder)
	if _, err := k.Rotate(t.Context()); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("rotate for a stranger: %v", err)
	}
	for _, h := range holders {
		if h.Err != nil {
			wantErr(t, "remove "+h.ID, k.Remove(t.Context(), h.ID), nil)
		}
	}
	wantOpens(t, "as ever", o, nil)
	wantOpens(t, "the stranger", byStranger, ErrWrongKey)
}

func TestNoEncryptionNoHolders(t *testing.T) {
	t.Parallel()
	if _, err := OpenKeys(t.Context(), Options{Bucket: initialised(t)}); !errors.Is(err, ErrNotEncrypted) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenKeys(t.Context(), Options{Bucket: new(blobtest.Memory)}); !errors.Is(err, ErrNoArchive) {
		t.Errorf("got %v", err)
	}
}

// TestSmallObjectsLieTwice: one of the two may be lost or damaged in any way.
func TestSmallObjectsLieTwice(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	names := m.Names()
	if len(names) != 4 {
		t.Fatalf("%q", names)
	}
	for _, name := range names {
		good := m.Bytes(name)
		wantErr(t, "lose "+name, m.Remove(t.Context(), name), nil)
		wantOpens(t, "without "+name, o, nil)
		step := rounds(37, 1)
		for at := 0; at < len(good); at += step {
			undo := flip{name, at, 1}
			m.Put(name, good)
			restore := undo.do(m)
			wantOpens(t, fmt.Sprintf("%s, byte %d changed", name, at), o, nil)
			restore()
		}
		m.Put(name, good[:len(good)/2])
		wantOpens(t, name+" cut", o, nil)
		m.Put(name, good)
	}
	key := strings.TrimSuffix(names[2], copySuffix)
	for _, tt := range []struct {
		name, object string
		spoil        func(name string)
		want         error
	}{
		{"damaged", key, func(n string) { b := bytes.Clone(m.Bytes(n)); b[len(b)/2] ^= 1; m.Put(n, b) }, ErrNoKey},
		{"lost", key, func(n string) { wantErr(t, "lose", m.Remove(t.Context(), n), nil) }, ErrNoKey},
		{"later version", key, func(n string) { m.Put(n, []byte("mailbrick-key 2\n")) }, ErrVersion},
		{"damaged", configObject, func(n string) { m.Put(n, bytes.Replace(m.Bytes(n), []byte("true"), []byte("false"), 1)) }, ErrDamaged},
	} {
		good := m.Bytes(tt.object)
		tt.spoil(tt.object)
		tt.spoil(tt.object + copySuffix)
		wantOpens(t, tt.name+" both: "+tt.object, o, tt.want)
		m.Put(tt.object, good)
		m.Put(tt.object+copySuffix, good)
	}
}

// TestWrongKeyTouchesNothing in the bucket, and makes no catalog.
func TestWrongKeyTouchesNothing(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	faulty := blobtest.NewFaulty(m)
	o.Bucket, o.Passphrase, o.Catalog, o.fs = faulty, "wrong", "catalog", vfs.NewMem()
	wantErr(t, "open", second(Open(t.Context(), o)), ErrWrongKey)
	_, err := OpenKeys(t.Context(), o)
	wantErr(t, "open keys", err, ErrWrongKey)
	if n := faulty.Calls(blobtest.Create) + faulty.Calls(blobtest.Remove); n > 0 {
		t.Errorf("%d calls that write", n)
	}
	if left, err := o.fs.List("/"); err == nil && len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	m, byPassword := sealedArchive(t)
	k := openKeys(t, byPassword)
	to, byHost := host(t, m)
	wantErr(t, "add", third(k.Add(t.Context(), to, "server")), nil)
	if n, err := k.Rotate(t.Context()); n != 2 || err != nil {
		t.Fatalf("generation %d, %v", n, err)
	}
	for what, o := range map[string]Options{"password": byPassword, "host": byHost} {
		again := openKeys(t, o)
		if n, key := again.ring().Newest(); n != 2 || again.ring().Root() == key || again.ring().Root() != k.ring().Root() {
			t.Errorf("%s: generation %d", what, n)
		}
	}
	for _, name := range keyFiles(m) {
		if strings.Contains(name, ".000001") {
			t.Errorf("%s is left", name)
		}
	}
}

// TestRotateBreaksOff at every call: all holders open all the same, and the next rotation is done.
func TestRotateBreaksOff(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		m, byPassword := sealedArchive(t)
		to, byHost := host(t, m)
		wantErr(t, "add", third(openKeys(t, byPassword).Add(t.Context(), to, "server")), nil)
		faulty := blobtest.NewFaulty(m)
		breaking := byHost
		breaking.Bucket = faulty
		k := openKeys(t, breaking)
		root := k.ring().Root()
		faulty.Reset()
		faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
		_, err := k.Rotate(t.Context())
		done := faulty.Calls(blobtest.Any) < n
		if done != (err == nil) {
			t.Errorf("death at call %d: %v", n, err)
		}
		for what, o := range map[string]Options{"password": byPassword, "host": byHost} {
			if again := openKeys(t, o); again.ring().Root() != root {
				t.Errorf("death at call %d: %s has another key", n, what)
			}
		}
		after := openKeys(t, byPassword)
		number, err := after.Rotate(t.Context())
		wantErr(t, fmt.Sprintf("death at call %d: rotate again", n), err, nil)
		holders, err := after.Holders(t.Context())
		wantErr(t, "list", err, nil)
		for _, h := range holders {
			if h.Err != nil || h.Generation != number || h.Name == "" {
				t.Errorf("death at call %d: %+v", n, h)
			}
		}
		if left := keyFiles(m); len(left) != 4 { // two holders, twice
			t.Errorf("death at call %d: left %q", n, left)
		}
		if done {
			return
		}
	}
}

// TestKeysChangeDies: who changes the keys dies at any call. The archive is whole then, and the same again ends what was begun.
func TestKeysChangeDies(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(ctx context.Context, k *Keys, to seal.Recipient, holder string) error{
		"add": func(ctx context.Context, k *Keys, to seal.Recipient, _ string) error {
			return third(k.Add(ctx, to, "new"))
		},
		"remove": func(ctx context.Context, k *Keys, _ seal.Recipient, holder string) error {
			return k.Remove(ctx, holder)
		},
		"rotate": func(ctx context.Context, k *Keys, _ seal.Recipient, _ string) error { return errorOf(k.Rotate(ctx)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, whole := 1, false; !whole; n++ {
				m, byPassword := sealedArchive(t)
				server, _ := host(t, m)
				added, err := openKeys(t, byPassword).Add(t.Context(), server, "server")
				wantErr(t, "add", err, nil)
				another, _ := host(t, m)
				faulty := blobtest.NewFaulty(m)
				breaking := byPassword
				breaking.Bucket = faulty
				k := openKeys(t, breaking)
				faulty.Reset()
				faulty.Order(blobtest.Fault{Nth: n, Kind: blobtest.Dead})
				whole = change(t.Context(), k, another, added.ID) == nil
				w := worldOf(m, m, vfs.NewCrashableMem())
				w.opts.Passphrase, w.opts.Clock = byPassword.Passphrase, byPassword.Clock
				w.open(t)
				r, err := w.Check(t.Context(), CheckOptions{})
				wantErr(t, "check", err, nil)
				if len(r.Errors) > 0 {
					t.Errorf("death at call %d: %q", n, r.Errors)
				}
				wantOpens(t, "afterwards", byPassword, nil)
				if err := change(t.Context(), openKeys(t, byPassword), another, added.ID); err != nil && !errors.Is(err, ErrExists) && !errors.Is(err, ErrNotFound) {
					t.Errorf("death at call %d: the same again: %v", n, err)
				}
				_, err = openKeys(t, byPassword).Rotate(t.Context())
				wantErr(t, fmt.Sprintf("death at call %d: rotate", n), err, nil)
				if left := keyFiles(m); len(left) != map[string]int{"add": 6, "remove": 2, "rotate": 4}[name] {
					t.Errorf("death at call %d: %q are left", n, left)
				}
				if r, err = w.Check(t.Context(), CheckOptions{}); err != nil || len(r.Errors) > 0 {
					t.Errorf("death at call %d: at the end: %q, %v", n, r.Errors, err)
				}
				w.close(t)
			}
		})
	}
}

// TestManyFiles: leftovers of rotations are not holders; too many holders are no archive's.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	name, ok := parseKeyObject(m.Names()[2])
	if !ok {
		t.Fatalf("%q", m.Names())
	}
	good := m.Bytes(name.object())
	for n := range 2 * maxHolders {
		m.Put(keyName{seal.X25519, "0123456789abcdef", uint32(n + 1)}.object(), good)
	}
	wantOpens(t, "leftovers", o, nil)
	for n := range 2 * maxHolders {
		m.Put(keyName{seal.X25519, fmt.Sprintf("%016x", n), 1}.object(), good)
	}
	wantOpens(t, "holders without end", o, ErrDamaged)
}

// TestRemovedIsNotRotated: who was removed and kept a copy of his file does not get the new generation.
func TestRemovedIsNotRotated(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	k := openKeys(t, o)
	to, byHost := host(t, m)
	added, err := k.Add(t.Context(), to, "server")
	wantErr(t, "add", err, nil)
	wantErr(t, "remove", k.Remove(t.Context(), added.ID), nil)
	_, err = k.Rotate(t.Context())
	wantErr(t, "rotate", err, nil)
	_, err = OpenKeys(t.Context(), byHost)
	wantErr(t, "open", err, ErrWrongKey)
}

func keyFiles(m *blobtest.Memory) (names []string) {
	for _, name := range m.Names() {
		if strings.HasPrefix(name, keyPrefix) {
			names = append(names, name)
		}
	}
	return names
}

// TestRotateWantsToKnowEverybody: who was a holder, kept the key and can write to the bucket puts a file of his own there. A rotation
// does not give him the new generation.
func TestRotateWantsToKnowEverybody(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(t *testing.T, m *blobtest.Memory, ring seal.Ring, to seal.Recipient, was map[string][]byte){
		"the file that he had": func(_ *testing.T, m *blobtest.Memory, _ seal.Ring, _ seal.Recipient, was map[string][]byte) {
			for name, data := range was {
				m.Put(name, data)
			}
		},
		"one of his making": func(t *testing.T, m *blobtest.Memory, ring seal.Ring, to seal.Recipient, _ map[string][]byte) {
			f, err := seal.NewFile(ring, to, "nobody you know", new(clock).now(), rand.Reader)
			wantErr(t, "new file", err, nil)
			m.Put(nameOf(f).object(), f.Bytes())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, o := sealedArchive(t)
			k := openKeys(t, o)
			to, byHost := host(t, m)
			added, err := k.Add(t.Context(), to, "server")
			wantErr(t, "add", err, nil)
			was := map[string][]byte{}
			for _, name := range keyFiles(m) {
				if strings.Contains(name, added.ID) {
					was[name] = m.Bytes(name)
				}
			}
			ring := openKeys(t, byHost).ring()
			wantErr(t, "remove", k.Remove(t.Context(), added.ID), nil)
			plant(t, m, ring, to, was)
			wantErr(t, "rotate", errorOf(k.Rotate(t.Context())), ErrUnexplained)
			holders, err := k.Holders(t.Context())
			wantErr(t, "list", err, nil)
			for _, h := range holders {
				if h.Kind != seal.Passphrase {
					wantErr(t, "remove whom nobody knows", k.Remove(t.Context(), h.ID), nil)
				}
			}
			wantErr(t, "rotate again", errorOf(k.Rotate(t.Context())), nil)
			wantErr(t, "open", errorOf(OpenKeys(t.Context(), byHost)), ErrWrongKey)
			wantErr(t, "open", errorOf(OpenKeys(t.Context(), o)), nil)
		})
	}
}

// TestLostHolder: a holder whose file is gone cannot open the archive any more, which nobody would notice before he tries: verify says so.
func TestLostHolder(t *testing.T) {
	t.Parallel()
	m, byPassword := sealedArchive(t)
	to, byHost := host(t, m)
	added, err := openKeys(t, byPassword).Add(t.Context(), to, "server")
	wantErr(t, "add", err, nil)
	w := worldOf(m, m, vfs.NewCrashableMem())
	w.opts.Passphrase, w.opts.Clock = byPassword.Passphrase, byPassword.Clock
	w.open(t)
	w.wantSound(t)
	for _, name := range keyFiles(m) {
		if strings.Contains(name, added.ID) {
			wantErr(t, "lose", m.Remove(t.Context(), name), nil)
		}
	}
	r, err := w.Check(t.Context(), CheckOptions{})
	if err != nil || len(r.Errors) != 1 || !strings.Contains(r.Errors[0], added.ID) {
		t.Errorf("verify: %q, %v", r.Errors, err)
	}
	wantErr(t, "remove nobody", openKeys(t, byPassword).Remove(t.Context(), "0123"), ErrNotFound)
	wantErr(t, "remove", openKeys(t, byPassword).Remove(t.Context(), added.ID), nil)
	wantErr(t, "remove again", openKeys(t, byPassword).Remove(t.Context(), added.ID), ErrNotFound)
	wantErr(t, "add again", third(openKeys(t, byPassword).Add(t.Context(), to, "server")), nil)
	w.wantSound(t)
	w.close(t)
	wantOpens(t, "the host", byHost, nil)
}

// TestKeysByParity: who can open the archive is told, and changed, though any object of the journal is damaged, as far as parity mends it.
func TestKeysByParity(t *testing.T) {
	t.Parallel()
	m := new(blobtest.Memory)
	o := Options{Bucket: m, Passphrase: "secret", WorkFactor: 1, Parity: true, Clock: new(clock).now}
	wantErr(t, "init", Init(t.Context(), o), nil)
	to, byHost := host(t, m)
	added, err := openKeys(t, o).Add(t.Context(), to, "host")
	wantErr(t, "add", err, nil)
	for _, name := range []string{"one", "two", "three"} {
		to, _ := host(t, m)
		wantErr(t, "add", third(openKeys(t, byHost).Add(t.Context(), to, name)), nil)
	}
	last := 0
	for _, name := range m.Names() {
		if strings.HasPrefix(name, "journal/") {
			last++
		}
	}
	for n := 1; n <= last; n++ {
		for _, at := range []int{0, 9, 20, 60, 300} { // magic, generation, salt, header, body
			copied := m.Clone()
			flip{journal.Object(uint64(n)), at, 0x40}.do(copied)
			by := byHost
			by.Bucket = copied
			k := openKeys(t, by)
			holders, err := k.Holders(t.Context())
			if err != nil || len(holders) != 5 {
				t.Errorf("record %d, byte %d: %d holders, %v", n, at, len(holders), err)
			}
			_, err = k.Rotate(t.Context())
			wantErr(t, fmt.Sprintf("record %d, byte %d: rotate", n, at), err, nil)
			wantErr(t, "remove", openKeys(t, by).Remove(t.Context(), holders[0].ID), nil)
		}
	}
	wantErr(t, "remove", openKeys(t, o).Remove(t.Context(), added.ID), nil)
}

// TestNoRecordNoWrongKey: what lies in the place of the last record says nothing of the key.
func TestNoRecordNoWrongKey(t *testing.T) {
	t.Parallel()
	m, o := sealedArchive(t)
	to, _ := host(t, m)
	wantErr(t, "add", third(openKeys(t, o).Add(t.Context(), to, "host")), nil)
	m.Put(journal.Object(1), bytes.Repeat([]byte("MBPK"), 200))
	_, err := OpenKeys(t.Context(), o)
	wantErr(t, "open", err, ErrDamaged)
}
