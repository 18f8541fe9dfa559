package seal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

// The plugins of the tests: one that seals with a key pair of its own, and one that fails. They are this test binary, called
// by other names.
const (
	pluginGood = "sealtest"
	pluginBad  = "sealfail"
)

func TestMain(m *testing.M) {
	if name, is := strings.CutPrefix(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), "age-plugin-"); is {
		os.Exit(runPlugin(name))
	}
	dir, err := os.MkdirTemp("", "seal")
	if err == nil {
		err = errors.Join(installPlugin(dir, pluginGood), installPlugin(dir, pluginBad),
			os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")))
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func installPlugin(dir, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ending := ""
	if runtime.GOOS == "windows" {
		ending = ".exe"
	}
	return os.Symlink(self, filepath.Join(dir, "age-plugin-"+name+ending))
}

// runPlugin is a plugin whose recipients and identities carry the text of an X25519 identity.
func runPlugin(name string) int {
	p, err := plugin.New(name)
	if err != nil {
		return 1
	}
	pair := func(data []byte) (*age.X25519Identity, error) {
		if name == pluginBad {
			return nil, errors.New("no token")
		}
		return age.ParseX25519Identity(string(data))
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) {
		i, err := pair(data)
		if err != nil {
			return nil, err
		}
		return i.Recipient(), nil
	})
	p.HandleIdentity(func(data []byte) (age.Identity, error) { return pair(data) })
	return p.Main()
}
