package seal_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"

	"mailbrick/archive/seal"
)

const cheap = 1 // work factor of tests

var when = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

func newRing(t testing.TB) seal.Ring {
	t.Helper()
	ring, err := seal.NewRing(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func rotated(t testing.TB, ring seal.Ring, number uint32) seal.Ring {
	t.Helper()
	ring, err := ring.Rotate(number, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newFile(t testing.TB, ring seal.Ring, to seal.Recipient) *seal.File {
	t.Helper()
	f, err := seal.NewFile(ring, to, "Ann of Accounts", when, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// party is somebody with a secret.
type party struct {
	name    string
	kind    seal.Kind
	to      seal.Recipient
	secrets seal.Secrets
}

func passphrase(t testing.TB, text string) party {
	t.Helper()
	to, err := seal.PassphraseRecipient(text, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return party{"passphrase", seal.Passphrase, to, seal.Secrets{Passphrase: text}}
}

// keyed is somebody with a key pair, as the texts of its halves.
func keyed(t testing.TB, kind seal.Kind, public, secret string) party {
	t.Helper()
	to, err := seal.ParseRecipient(public, seal.Talk{})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	identities, err := seal.ParseIdentities([]byte(secret), seal.Talk{})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return party{string(kind), kind, to, seal.Secrets{Identities: identities}}
}

// parties has one of each kind.
func parties(t testing.TB) []party {
	t.Helper()
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	public, secret := sshPair(t, newEd25519(t), "")
	rsaPublic, rsaSecret := sshPair(t, newRSA(t), "")
	token, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(token.String())
	return []party{
		{"plain", seal.Plain, seal.PlainRecipient(), seal.Secrets{}},
		passphrase(t, "correct horse"),
		x25519(t),
		keyed(t, seal.Hybrid, hybrid.Recipient().String(), hybrid.String()),
		keyed(t, seal.SSHEd25519, public, secret),
		keyed(t, seal.SSHRSA, rsaPublic, rsaSecret),
		keyed(t, seal.Plugin, plugin.EncodeRecipient(pluginGood, data), plugin.EncodeIdentity(pluginGood, data)),
	}
}

func x25519(t testing.TB) party {
	t.Helper()
	identity, text, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	to, err := identity.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	return keyed(t, seal.X25519, to.Text(), "\ufeff# made by hand\r\n\n"+string(text))
}

func newEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sshPair is a key as OpenSSH writes its two files, the secret one with a passphrase if there is any.
func sshPair(t testing.TB, key crypto.Signer, passphrase string) (public, secret string) {
	t.Helper()
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "ann@laptop")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "ann@laptop", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))) + " ann@laptop", string(pem.EncodeToMemory(block))
}
