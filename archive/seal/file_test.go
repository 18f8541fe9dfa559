package seal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"mailbrick/archive/seal"
)

// field is what a line of a key file holds.
func field(t testing.TB, f *seal.File, name string) []byte {
	t.Helper()
	for line := range strings.Lines(string(f.Bytes())) {
		if value, is := strings.CutPrefix(line, name+" "); is {
			data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// changed is a key file with another line, and the digest for it.
func changed(file []byte, from, to string) []byte {
	text := strings.Replace(string(file), from, to, 1)
	return digested(text[:strings.LastIndex(text, "sha256 ")])
}

func digested(text string) []byte {
	return fmt.Appendf(nil, "%ssha256 %x\n", text, sha256.Sum256([]byte(text)))
}

// dearFile demands another work factor of who tries the passphrase.
func dearFile(t testing.TB, ring seal.Ring, logN string) *seal.File {
	t.Helper()
	f := newFile(t, ring, passphrase(t, "right").to)
	identity := field(t, f, "identity")
	lines := strings.SplitN(string(identity), "\n", 3)
	lines[1] = strings.TrimSuffix(lines[1], "1") + logN
	dear, err := seal.ParseFile(changed(f.Bytes(), base64.StdEncoding.EncodeToString(identity), base64.StdEncoding.EncodeToString([]byte(strings.Join(lines, "\n")))))
	if err != nil {
		t.Fatal(err)
	}
	return dear
}

// TestFormat holds what the package doc promises, read with nothing but age.
func TestFormat(t *testing.T) {
	t.Parallel()
	ring := rotated(t, newRing(t), 2)
	f := newFile(t, ring, passphrase(t, "secret").to)
	shape := regexp.MustCompile(`^mailbrick-key 1
kind passphrase
holder [0-9a-f]{16}
generation 2
salt [0-9a-f]{32}
about [A-Za-z0-9+/]+=*
ring [A-Za-z0-9+/]+=*
identity [A-Za-z0-9+/]+=*
sha256 [0-9a-f]{64}
$`)
	if !shape.Match(f.Bytes()) {
		t.Errorf("got\n%s", f.Bytes())
	}
	by, err := age.NewScryptIdentity("secret")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := age.ParseIdentities(bytes.NewReader(aged(t, field(t, f, "identity"), by)))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := ring.Of(1)
	second, _ := ring.Of(2)
	want := fmt.Sprintf("mailbrick-ring 1\n1 %s\n2 %s\n", hex.EncodeToString(first[:]), hex.EncodeToString(second[:]))
	if got := string(aged(t, field(t, f, "ring"), pair[0])); got != want {
		t.Errorf("ring %q, want %q", got, want)
	}
	plain := newFile(t, ring, seal.PlainRecipient())
	if got := string(field(t, plain, "ring")); got != want {
		t.Errorf("plain ring %q", got)
	}
}

func aged(t *testing.T, file []byte, by age.Identity) []byte {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(file), by)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestNothingLeaks: neither keys nor who the holder is stand in a file.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	root := ring.Root()
	for _, p := range parties(t)[1:] {
		data := newFile(t, ring, p.to).Bytes()
		for _, part := range []string{"about", "ring", "identity"} {
			if part != "identity" || p.kind == seal.Passphrase {
				data = append(data, field(t, newFile(t, ring, p.to), part)...)
			}
		}
		for what, secret := range map[string]string{"key": string(root[:8]), "key as digits": hex.EncodeToString(root[:8]), "name": "Ann of Accounts", "time": when.Format("2006-01-02"), "recipient": p.to.Text()} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s: %s in the clear", p.name, what)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	ring, to := newRing(t), seal.PlainRecipient()
	for name, want := range map[string]error{"Änne's laptop (2026)": nil, "": seal.ErrName, "a\nb": seal.ErrName, "a\x1b[2J": seal.ErrName, "\xff": seal.ErrName,
		strings.Repeat("x", seal.MaxName): nil, strings.Repeat("x", seal.MaxName+1): seal.ErrName} {
		if _, err := seal.NewFile(ring, to, name, when, rand.Reader); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := seal.NewFile(ring, to, "x", when, strings.NewReader("0123456789")); err == nil {
		t.Error("a source of randomness that ends")
	}
}

func TestParseFileRefuses(t *testing.T) {
	t.Parallel()
	f := newFile(t, newRing(t), passphrase(t, "secret").to)
	good := f.Bytes()
	text := string(good)
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"as it is", good, nil},
		{"empty", nil, seal.ErrDamaged},
		{"something else", []byte("hello\n"), seal.ErrDamaged},
		{"later format", []byte("mailbrick-key 2\nwhatever"), seal.ErrVersion},
		{"format no number", changed(good, "mailbrick-key 1", "mailbrick-key one"), seal.ErrDamaged},
		{"kind unknown", changed(good, "kind passphrase", "kind stone"), seal.ErrDamaged},
		{"kind another", changed(good, "kind passphrase", "kind x25519"), seal.ErrDamaged},
		{"holder in capitals", changed(good, f.Holder, "ABCDEF0123456789"), seal.ErrDamaged},
		{"holder short", changed(good, f.Holder, f.Holder[2:]), seal.ErrDamaged},
		{"generation 0", changed(good, "generation 1", "generation 0"), seal.ErrDamaged},
		{"generation 01", changed(good, "generation 1", "generation 01"), seal.ErrDamaged},
		{"generation enormous", changed(good, "generation 1", "generation 99999999999999999999"), seal.ErrDamaged},
		{"no salt", changed(good, "salt ", "pepper "), seal.ErrDamaged},
		{"another line", changed(good, "salt ", "more x\nsalt "), seal.ErrDamaged},
		{"a line twice", changed(good, "kind passphrase\n", "kind passphrase\nkind passphrase\n"), seal.ErrDamaged},
		{"carriage return", changed(good, "\nring ", "\r\nring "), seal.ErrDamaged},
		{"base64 broken", changed(good, "ring ", "ring *"), seal.ErrDamaged},
		{"text behind", append([]byte(text), "more\n"...), seal.ErrDamaged},
		{"cut", good[:len(good)-1], seal.ErrDamaged},
		{"too long", append([]byte(text), bytes.Repeat([]byte("x"), seal.MaxFile)...), seal.ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := seal.ParseFile(tt.file); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := seal.ParseFile(bad); err == nil {
			t.Errorf("byte %d changed and nobody noticed", i)
		}
	}
}

// TestForged: a file with a good digest and something wrong in it is damage, not a wrong key, and opens nothing.
func TestForged(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	ann, bob := passphrase(t, "secret"), x25519(t)
	annFile, bobFile := newFile(t, ring, ann.to), newFile(t, ring, bob.to)
	text := func(f *seal.File, name string) string {
		return name + " " + base64.StdEncoding.EncodeToString(field(t, f, name)) + "\n"
	}
	holding := func(ring string) []byte {
		f := newFile(t, newRing(t), seal.PlainRecipient())
		return changed(f.Bytes(), text(f, "ring"), "ring "+base64.StdEncoding.EncodeToString([]byte(ring))+"\n")
	}
	key := strings.Repeat("ab", 32)
	for _, tt := range []struct {
		name    string
		file    []byte
		secrets seal.Secrets
		want    error
	}{
		{"another holder", changed(bobFile.Bytes(), bobFile.Holder, annFile.Holder), bob.secrets, seal.ErrDamaged},
		{"another generation", changed(bobFile.Bytes(), "generation 1", "generation 2"), bob.secrets, seal.ErrDamaged},
		{"another's about", changed(bobFile.Bytes(), text(bobFile, "about"), text(annFile, "about")), bob.secrets, seal.ErrDamaged},
		{"another's ring behind the passphrase", changed(annFile.Bytes(), text(annFile, "ring"), text(bobFile, "ring")), ann.secrets, seal.ErrDamaged},
		{"no age file", changed(bobFile.Bytes(), text(bobFile, "ring"), "ring aGVsbG8=\n"), bob.secrets, seal.ErrDamaged},
		{"no identity behind the passphrase", changed(annFile.Bytes(), text(annFile, "identity"), "identity "+base64.StdEncoding.EncodeToString(scrypted(t, "hello"))+"\n"), ann.secrets, seal.ErrDamaged},
		{"ring of a later format", holding("mailbrick-ring 2\n"), seal.Secrets{}, seal.ErrVersion},
		{"empty ring", holding("mailbrick-ring 1\n"), seal.Secrets{}, seal.ErrDamaged},
		{"ring without generation 1", holding("mailbrick-ring 1\n2 " + key + "\n"), seal.Secrets{}, seal.ErrDamaged},
		{"generations out of order", holding("mailbrick-ring 1\n2 " + key + "\n1 " + key + "\n"), seal.Secrets{}, seal.ErrDamaged},
		{"short key", holding("mailbrick-ring 1\n1 abab\n"), seal.Secrets{}, seal.ErrDamaged},
		{"line not ended", holding("mailbrick-ring 1\n1 " + key), seal.Secrets{}, seal.ErrDamaged},
		{"another key than sealed the rest", holding("mailbrick-ring 1\n1 " + key + "\n"), seal.Secrets{}, seal.ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := seal.ParseFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := seal.Open([]*seal.File{f}, tt.secrets); !errors.Is(err, tt.want) || errors.Is(err, seal.ErrWrongKey) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRenewRefuses what those who can open the archive did not write.
func TestRenewRefuses(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	planted := newFile(t, newRing(t), x25519(t).to)
	if _, err := planted.Renew(rotated(t, ring, 2), seal.Talk{}, rand.Reader); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func scrypted(t testing.TB, plain string) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient("secret")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(cheap)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, plain)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzParseFile gives what it makes the right digest, so that it comes past it.
func FuzzParseFile(f *testing.F) {
	ring := newRing(f)
	host := x25519(f)
	secrets := host.secrets
	secrets.Passphrase = "secret"
	for _, to := range []seal.Recipient{seal.PlainRecipient(), host.to, passphrase(f, "secret").to} {
		text := string(newFile(f, ring, to).Bytes())
		f.Add(text[:strings.LastIndex(text, "sha256 ")])
	}
	f.Add("mailbrick-key 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		data := digested(text)
		file, err := seal.ParseFile(data)
		if err != nil {
			return
		}
		if !bytes.Equal(file.Bytes(), data) {
			t.Errorf("read %q, would write %q", data, file.Bytes())
		}
		if bytes.Contains(data, []byte("kind passphrase")) && !bytes.Contains(field(t, file, "identity"), []byte(" 1\n")) {
			return // scrypt may cost what it says
		}
		if got, _, err := seal.Open([]*seal.File{file}, secrets); err == nil {
			if _, err := file.About(got); err != nil {
				t.Errorf("opened, and its ring did not seal it: %v", err)
			}
		}
	})
}

// FuzzParseIdentities and the recipients beside them: nothing panics, and nothing of a secret is in an error.
func FuzzParseIdentities(f *testing.F) {
	_, text, err := seal.NewIdentity()
	if err != nil {
		f.Fatal(err)
	}
	public, secret := sshPair(f, newEd25519(f), "")
	for _, s := range []string{string(text), secret, public, "age1pq1qq", "age1yubikey1qq", "AGE-PLUGIN-X-1QQ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := seal.ParseIdentities([]byte(text), seal.Talk{}); err != nil && !errors.Is(err, seal.ErrIdentity) {
			t.Errorf("identities: %v", err)
		}
		to, err := seal.ParseRecipient(text, seal.Talk{})
		if (err == nil) == (to.Kind() == "") || err != nil && !errors.Is(err, seal.ErrRecipient) {
			t.Errorf("recipient %q: %v", to.Kind(), err)
		}
	})
}
