package seal_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"mailbrick/archive/seal"
)

// TestEveryKindOpens its own file and no other's, and goes on to later generations without its secret.
func TestEveryKindOpens(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	next := rotated(t, ring, 2)
	all := parties(t)
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := reread(t, newFile(t, ring, p.to))
			wantOpen(t, f, p.secrets, ring)
			renewed, err := f.Renew(next, seal.Talk{}, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			renewed = reread(t, renewed)
			wantOpen(t, renewed, p.secrets, next)
			if renewed.Holder != f.Holder || renewed.Kind != p.kind || f.Kind != p.kind || renewed.Generation != 2 {
				t.Errorf("%+v became %+v", f, renewed)
			}
			for _, other := range all {
				if other.kind == p.kind || p.kind == seal.Plain {
					continue
				}
				if _, _, err := seal.Open([]*seal.File{f}, other.secrets); !errors.Is(err, seal.ErrWrongKey) {
					t.Errorf("by %s: %v", other.name, err)
				}
			}
		})
	}
}

func reread(t *testing.T, f *seal.File) *seal.File {
	t.Helper()
	again, err := seal.ParseFile(f.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func wantOpen(t *testing.T, f *seal.File, s seal.Secrets, ring seal.Ring) {
	t.Helper()
	got, by, err := seal.Open([]*seal.File{f}, s)
	n, k := got.Newest()
	wantN, wantK := ring.Newest()
	if err != nil || by != f || n != wantN || k != wantK || got.Root() != ring.Root() {
		t.Errorf("open: %v", err)
	}
	about, err := f.About(got)
	if err != nil || about.Name != "Ann of Accounts" || !about.Created.Equal(when) {
		t.Errorf("about %+v, %v", about, err)
	}
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	ann, bob := passphrase(t, "right"), x25519(t)
	files := []*seal.File{newFile(t, ring, ann.to), newFile(t, ring, bob.to)}
	for _, tt := range []struct {
		name    string
		files   []*seal.File
		secrets seal.Secrets
		want    error
	}{
		{"nothing at hand", files, seal.Secrets{}, seal.ErrWrongKey},
		{"no files", nil, ann.secrets, seal.ErrWrongKey},
		{"another passphrase", files, seal.Secrets{Passphrase: "Right"}, seal.ErrWrongKey},
		{"another identity", files, x25519(t).secrets, seal.ErrWrongKey},
		{"neither", files, seal.Secrets{Identities: x25519(t).secrets.Identities, Passphrase: "wrong"}, seal.ErrWrongKey},
		{"the second identity", files, seal.Secrets{Identities: append(x25519(t).secrets.Identities, bob.secrets.Identities...)}, nil},
		{"a wrong passphrase beside the identity", files, seal.Secrets{Identities: bob.secrets.Identities, Passphrase: "wrong"}, nil},
		{"a wrong identity beside the passphrase", files, seal.Secrets{Identities: x25519(t).secrets.Identities, Passphrase: "right"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := seal.Open(tt.files, tt.secrets)
			if !errors.Is(err, tt.want) || (err == nil) != (got.Root() == ring.Root()) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestCheapFirst: an identity opens although a passphrase file that costs gigabytes stands before it, and is never tried.
func TestCheapFirst(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	dear, host := dearFile(t, ring, "22"), x25519(t)
	good := newFile(t, ring, host.to)
	s := host.secrets
	s.Passphrase = "right"
	if _, by, err := seal.Open([]*seal.File{dear, good}, s); err != nil || by != good {
		t.Errorf("got %v", err)
	}
	ann := passphrase(t, "right")
	cheapOne := newFile(t, ring, ann.to)
	if _, by, err := seal.Open([]*seal.File{dear, cheapOne}, ann.secrets); err != nil || by != cheapOne {
		t.Errorf("got %v", err)
	}
}

// TestWorkFactor: what demands too much is refused by name before it costs anything, and hinders nobody else.
func TestWorkFactor(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	ann := passphrase(t, "right")
	for _, logN := range []string{"23", "64", "4294967295", "99999999999"} {
		absurd := dearFile(t, ring, logN)
		if _, _, err := seal.Open([]*seal.File{absurd}, ann.secrets); !errors.Is(err, seal.ErrWorkFactor) || errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("%s: %v", logN, err)
		}
		if _, _, err := seal.Open([]*seal.File{absurd, newFile(t, ring, ann.to)}, ann.secrets); err != nil {
			t.Errorf("%s beside a good one: %v", logN, err)
		}
		if _, _, err := seal.Open([]*seal.File{absurd, newFile(t, ring, passphrase(t, "other").to)}, ann.secrets); !errors.Is(err, seal.ErrWrongKey) || !errors.Is(err, seal.ErrWorkFactor) {
			t.Errorf("%s beside another's: %v", logN, err)
		}
	}
	if _, _, err := seal.Open([]*seal.File{dearFile(t, ring, "+1")}, ann.secrets); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("no number: %v", err)
	}
	for _, logN := range []int{-1, 23} {
		if _, err := seal.PassphraseRecipient("x", logN); !errors.Is(err, seal.ErrWorkFactor) {
			t.Errorf("make one with %d: %v", logN, err)
		}
	}
	if _, err := seal.PassphraseRecipient("", 0); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("make one of nothing: %v", err)
	}
}

func TestDefaultWorkFactor(t *testing.T) {
	t.Parallel()
	to, err := seal.PassphraseRecipient("secret", 0)
	if err != nil {
		t.Fatal(err)
	}
	header := strings.Split(string(field(t, newFile(t, newRing(t), to), "identity")), "\n")
	if !strings.HasPrefix(header[1], "-> scrypt ") || !strings.HasSuffix(header[1], " 16") {
		t.Errorf("stanza %q", header[1])
	}
}

// TestParseRecipient reads what people paste.
func TestParseRecipient(t *testing.T) {
	t.Parallel()
	host := x25519(t)
	public, secret := sshPair(t, newEd25519(t), "")
	for _, tt := range []struct {
		name, text string
		want       seal.Kind
	}{
		{"age", " " + host.to.Text() + "\n", seal.X25519},
		{"ssh with a comment", public, seal.SSHEd25519},
		{"nothing", "", ""},
		{"age, one letter changed", host.to.Text()[:20] + "b" + host.to.Text()[21:], ""},
		{"two lines", host.to.Text() + "\n" + host.to.Text(), ""},
		{"secret of age", "AGE-SECRET-KEY-1QQQQ", ""},
		{"secret of ssh", secret, ""},
		{"ssh of another kind", "ssh-dss AAAAB3NzaC1kc3MAAACB", ""},
		{"ssh without a key", "ssh-ed25519", ""},
		{"ssh with a broken key", "ssh-ed25519 AAAA", ""},
		{"plugin of a bad name", "age1../../x1qqqq", ""},
		{"long", "age1" + strings.Repeat("q", 1<<20), ""},
		{"file name", "/etc/passwd", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to, err := seal.ParseRecipient(tt.text, seal.Talk{})
			if to.Kind() != tt.want || (tt.want == "") != errors.Is(err, seal.ErrRecipient) {
				t.Errorf("%q, %v", to.Kind(), err)
			}
			if err != nil && len(tt.text) > 15 && strings.Contains(err.Error(), tt.text) {
				t.Errorf("the text is in the error: %v", err)
			}
			if strings.Contains(to.Text(), "laptop") {
				t.Errorf("comment kept: %q", to.Text())
			}
		})
	}
}

func TestParseIdentities(t *testing.T) {
	t.Parallel()
	_, good, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"one", string(good), 1},
		{"two", string(good) + "\n# second\n" + string(good), 2},
		{"nothing", "", 0},
		{"comments", "# AGE-SECRET-KEY-1\n", 0},
		{"a recipient", strings.Split(string(good), ": ")[1], 0},
		{"a good and a bad line", string(good) + "AGE-SECRET-KEY-1QQ\n", 0},
		{"a broken pem", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0},
		{"an age file", "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n", 0},
		{"long", strings.Repeat("#\n", 1<<16), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := seal.ParseIdentities([]byte(tt.text), seal.Talk{})
			if len(got) != tt.want || (tt.want == 0) != errors.Is(err, seal.ErrIdentity) {
				t.Errorf("%d identities, %v", len(got), err)
			}
			if err != nil && strings.Contains(err.Error(), "QQ") {
				t.Errorf("a secret is in the error: %v", err)
			}
		})
	}
}

// TestLockedSSHKey asks for the key's own passphrase only when its file is there.
func TestLockedSSHKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		ask          bool
		want         error
	}{{"right", "opensesame", true, nil}, {"wrong", "no", true, seal.ErrWrongKey}, {"nobody there", "", false, seal.ErrWrongKey}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			public, secret := sshPair(t, newEd25519(t), "opensesame")
			asked := 0
			talk := seal.Talk{}
			if tt.ask {
				talk.Ask = func(string) (string, error) { asked++; return tt.answer, nil }
			}
			identities, err := seal.ParseIdentities([]byte(secret), talk)
			to, toErr := seal.ParseRecipient(public, talk)
			if err != nil || toErr != nil {
				t.Fatal(err, toErr)
			}
			s := seal.Secrets{Identities: identities}
			ring, otherPublic := newRing(t), ""
			otherPublic, _ = sshPair(t, newEd25519(t), "")
			other, err := seal.ParseRecipient(otherPublic, talk)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := seal.Open([]*seal.File{newFile(t, ring, other)}, s); !errors.Is(err, seal.ErrWrongKey) || asked > 0 {
				t.Errorf("another's file: asked %d times, %v", asked, err)
			}
			if _, _, err := seal.Open([]*seal.File{newFile(t, ring, to)}, s); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOpenSSHWroteIt reads keys that ssh-keygen made, and prints the fingerprint that it prints.
func TestOpenSSHWroteIt(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	for _, kind := range []string{"ed25519", "rsa"} {
		file := filepath.Join(t.TempDir(), "key")
		if out, err := exec.Command(program, "-q", "-t", kind, "-N", "", "-C", "ann", "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("%s %v", out, err)
		}
		public, pubErr := os.ReadFile(file + ".pub")
		secret, err := os.ReadFile(file)
		printed, printErr := exec.Command(program, "-l", "-f", file+".pub").Output()
		if err := errors.Join(err, pubErr, printErr); err != nil {
			t.Fatal(err)
		}
		p := keyed(t, seal.Kind("ssh-"+kind), string(public), string(secret))
		ring := newRing(t)
		f := newFile(t, ring, p.to)
		wantOpen(t, f, p.secrets, ring)
		if about, err := f.About(ring); err != nil || !slices.Contains(strings.Fields(string(printed)), about.Fingerprint()) {
			t.Errorf("fingerprint %s, ssh-keygen says %s", about.Fingerprint(), printed)
		}
	}
}

// TestPluginTrouble: one that is missing or fails is told by its name, hinders nobody else, and is not called damage.
func TestPluginTrouble(t *testing.T) {
	t.Parallel()
	token, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	data, ring, host := []byte(token.String()), newRing(t), x25519(t)
	good := keyed(t, seal.Plugin, plugin.EncodeRecipient(pluginGood, data), plugin.EncodeIdentity(pluginGood, data))
	for _, name := range []string{pluginBad, "nothere"} {
		p := keyed(t, seal.Plugin, plugin.EncodeRecipient(name, data), plugin.EncodeIdentity(name, data))
		if _, err := seal.NewFile(ring, p.to, "Ann of Accounts", when, rand.Reader); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: make a file: %v", name, err)
		}
		f := newFile(t, ring, good.to)
		if _, _, err := seal.Open([]*seal.File{f}, p.secrets); !errors.Is(err, seal.ErrPlugin) || errors.Is(err, seal.ErrDamaged) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: open: %v", name, err)
		}
		both := seal.Secrets{Identities: append(p.secrets.Identities, host.secrets.Identities...)}
		if _, _, err := seal.Open([]*seal.File{f, newFile(t, ring, host.to)}, both); err != nil {
			t.Errorf("%s beside a host identity: %v", name, err)
		}
	}
}

// BenchmarkOpen is what a command pays for its key before it does anything.
func BenchmarkOpen(b *testing.B) {
	ring := newRing(b)
	all := parties(b)
	to, err := seal.PassphraseRecipient("correct horse", 0)
	if err != nil {
		b.Fatal(err)
	}
	all[1].to = to
	for _, p := range all {
		if p.kind == seal.Plugin {
			continue // what a process costs to start
		}
		f := newFile(b, ring, p.to)
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := seal.Open([]*seal.File{f}, p.secrets); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
