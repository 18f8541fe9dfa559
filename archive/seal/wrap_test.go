package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"mailbrick/archive/seal"
)

const cheap = 1 // work factor of tests

func wrap(t testing.TB, passphrase string) []byte {
	t.Helper()
	file, err := seal.Wrap(testKey(), passphrase, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, passphrase := range []string{"correct horse", " ", "pässwörd\n", strings.Repeat("long", 1000)} {
		k, err := seal.Unwrap(wrap(t, passphrase), passphrase)
		if err != nil || k != testKey() {
			t.Errorf("passphrase %.20q: %v", passphrase, err)
		}
	}
}

func TestWrapHidesTheKey(t *testing.T) {
	t.Parallel()
	k, file := testKey(), wrap(t, "secret")
	if bytes.Contains(file, k[:4]) || bytes.Contains(file, []byte(hex.EncodeToString(k[:4]))) {
		t.Error("key in the clear")
	}
	if bytes.Equal(file, wrap(t, "secret")) {
		t.Error("two key files of one key are alike")
	}
}

func TestDefaultWorkFactor(t *testing.T) {
	t.Parallel()
	file, err := seal.Wrap(testKey(), "secret", 0)
	if err != nil {
		t.Fatal(err)
	}
	header, err := io.ReadAll(armor.NewReader(bytes.NewReader(file)))
	if err != nil {
		t.Fatal(err)
	}
	stanza := strings.Split(string(header), "\n")[1]
	if !strings.HasPrefix(stanza, "-> scrypt ") || !strings.HasSuffix(stanza, " 16") {
		t.Errorf("stanza %q", stanza)
	}
}

func TestWrapRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, passphrase string
		logN             int
		want             error
	}{
		{"no passphrase", "", cheap, seal.ErrPassphrase},
		{"negative work factor", "x", -1, seal.ErrWorkFactor},
		{"work factor 23", "x", 23, seal.ErrWorkFactor},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := seal.Wrap(testKey(), tt.passphrase, tt.logN); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUnwrapRefuses(t *testing.T) {
	t.Parallel()
	good := string(wrap(t, "secret"))
	body := strings.Index(good, "\n") + 1
	tests := []struct {
		name, passphrase, file string
		want                   error
	}{
		{"wrong passphrase", "Secret", good, seal.ErrWrongKey},
		{"no passphrase", "", good, seal.ErrPassphrase},
		{"empty", "secret", "", seal.ErrDamaged},
		{"no key file", "secret", "hello\n", seal.ErrDamaged},
		{"too long", "secret", good + strings.Repeat("\n", 64<<10), seal.ErrDamaged},
		{"armor cut", "secret", good[:len(good)-40], seal.ErrDamaged},
		{"armor changed", "secret", good[:body] + "!" + good[body+1:], seal.ErrDamaged},
		{"text behind", "secret", good + "more", seal.ErrDamaged},
		{"not armored", "secret", unarmored(t, good), seal.ErrDamaged},
		{"work factor 23", "secret", refactored(t, good, "23"), seal.ErrWorkFactor},
		{"work factor enormous", "secret", refactored(t, good, "99999999999"), seal.ErrWorkFactor},
		{"work factor no number", "secret", refactored(t, good, "+1"), seal.ErrDamaged},
		{"for somebody else", "secret", forRecipient(t, "x"), seal.ErrWrongKey},
		{"later version", "secret", holding(t, "MAILBRICK-KEY-2 zz\n"), seal.ErrVersion},
		{"key too short", "secret", holding(t, "MAILBRICK-KEY-1 0011\n"), seal.ErrDamaged},
		{"key no digits", "secret", holding(t, "MAILBRICK-KEY-1 "+strings.Repeat("zz", 32)+"\n"), seal.ErrDamaged},
		{"line not ended", "secret", holding(t, "MAILBRICK-KEY-1 "+strings.Repeat("00", 32)), seal.ErrDamaged},
		{"nothing in it", "secret", holding(t, ""), seal.ErrDamaged},
		{"something else in it", "secret", holding(t, "hello\n"), seal.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := seal.Unwrap([]byte(tt.file), tt.passphrase)
			if !errors.Is(err, tt.want) || k != (seal.Key{}) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEveryByteOfTheFileCounts(t *testing.T) {
	t.Parallel()
	raw := []byte(unarmored(t, string(wrap(t, "secret"))))
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if k, err := seal.Unwrap([]byte(armored(t, bad)), "secret"); err == nil || k != (seal.Key{}) {
			t.Errorf("byte %d changed and nobody noticed", i)
		}
	}
}

func TestLaterLinesAreLeftAlone(t *testing.T) {
	t.Parallel()
	line := "MAILBRICK-KEY-1 " + strings.Repeat("ab", 32) + "\n"
	k, err := seal.Unwrap([]byte(holding(t, line+"MAILBRICK-GENERATION-1 2 ...\n")), "secret")
	if err != nil || k != seal.Key(bytes.Repeat([]byte{0xAB}, 32)) {
		t.Errorf("got %v", err)
	}
}

// holding is a key file with any plain text.
func holding(t testing.TB, plain string) string {
	t.Helper()
	r, err := age.NewScryptRecipient("secret")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(cheap)
	return encrypted(t, r, plain)
}

func forRecipient(t testing.TB, plain string) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return encrypted(t, id.Recipient(), plain)
}

func encrypted(t testing.TB, r age.Recipient, plain string) string {
	t.Helper()
	var raw bytes.Buffer
	w, err := age.Encrypt(&raw, r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, plain)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return armored(t, raw.Bytes())
}

func armored(t testing.TB, raw []byte) string {
	t.Helper()
	var file bytes.Buffer
	w := armor.NewWriter(&file)
	_, err := w.Write(raw)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

func unarmored(t testing.TB, file string) string {
	t.Helper()
	raw, err := io.ReadAll(armor.NewReader(strings.NewReader(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// refactored has another work factor in its header.
func refactored(t testing.TB, file, logN string) string {
	t.Helper()
	lines := strings.SplitN(unarmored(t, file), "\n", 3)
	lines[1] = strings.TrimSuffix(lines[1], "1") + logN
	return armored(t, []byte(strings.Join(lines, "\n")))
}

func FuzzUnwrap(f *testing.F) {
	f.Add(wrap(f, "secret"))
	f.Add([]byte(armor.Header + "\nYWdlLWVuY3J5cHRpb24ub3JnL3Yx\n" + armor.Footer + "\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if expensive(file) {
			return
		}
		if k, err := seal.Unwrap(file, "Secret"); err == nil || k != (seal.Key{}) {
			t.Errorf("opened: %v", err)
		}
	})
}

// expensive keeps the fuzzer from paying for scrypt.
func expensive(file []byte) bool {
	raw, _ := io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader(file)), 1<<10))
	return bytes.Contains(raw, []byte("scrypt")) && !bytes.Contains(raw, []byte(" 1\n"))
}
