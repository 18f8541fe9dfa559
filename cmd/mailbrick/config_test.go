package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// loaded reads a configuration from text, beside which there are files.
func loaded(t *testing.T, text string) (*config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readConfig(file)
}

// TestConfigExample: what docs/config.md shows is a configuration, and its sources are sources.
func TestConfigExample(t *testing.T) { // not parallel: it sets the environment
	page, err := os.ReadFile(filepath.Join(root, "docs", "config.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```toml\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("no example")
	}
	c, err := loaded(t, example)
	if err != nil {
		t.Fatal(err)
	}
	credentials := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	t.Setenv("MAILBRICK_CLOUD_SECRET", "s")
	for _, name := range []string{"archive-identity", "exchange-password"} {
		if err := os.WriteFile(filepath.Join(credentials, name), []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := &backupOptions{common: &common{talk: io.Discard}, config: c}
	if err := o.configured(cli.NewContext(newApp(nil, nil, nil), nil, nil)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.mailboxes, []string{"ann@example.com", "bob@example.com", "carla@example.org"}) {
		t.Error(o.mailboxes)
	}
	hq := o.from.(*sources).of["ann@example.com"]
	s := hq.from.(*server)
	if s.sign.how != "ntlm" || s.sign.user != `EXAMPLE\svc-backup` || s.sign.password != "secret" || !s.impersonate || !s.scope.Recoverable || len(hq.exclude) != 2 {
		t.Errorf("%+v %+v", s, s.sign)
	}
	if g := o.from.(*sources).of["carla@example.org"].from.(*graphServer); !g.inside || !strings.HasPrefix(g.url, "https://graph.microsoft.com") {
		t.Errorf("%+v", g)
	}
	// Every key is in the page.
	for _, part := range []any{config{}, watchConfig{}, logConfig{}, metricsConfig{}, sourceConfig{}} {
		for _, key := range tomlKeys(part) {
			if !strings.Contains(string(page), "`"+key+"`") && !strings.Contains(string(page), "["+key+"]") {
				t.Errorf("docs/config.md does not tell of %s", key)
			}
		}
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"unknown":        {"archive = \"a\"\n\n[watch]\npol = \"1m\"\n", "config.toml:4: watch.pol is not known"},
		"in a source":    {"[[source]]\npassword = \"x\"\n", "config.toml:2: source.password is not known"},
		"no TOML":        {"archive = \n", "config.toml:1: "},
		"type":           {"parallel = \"4\"\n", "config.toml:1: "},
		"span":           {"[watch]\npoll = \"5\"\n", "config.toml:2: "},
		"no time at all": {"[watch]\npoll = \"0s\"\n", "from 10ms"},
		"clock":          {"[watch]\nfull_check = \"25:00\"\n", "write \"03:00\""},
		"parallel":       {"parallel = 65\n", "1 to 64"},
		"format":         {"[log]\nformat = \"xml\"\n", "text or json"},
		"open metrics":   {"[metrics]\nlisten = \"0.0.0.0:9\"\n", "anywhere"},
		"no address":     {"[metrics]\nlisten = \":9\"\n", "write"},
		"two passwords":  {"password_file = \"a\"\npassword_credential = \"b\"\n", "one of them"},
		"two names":      {"[[source]]\nname = \"a\"\n[[source]]\nname = \"a\"\n", "two sources"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := loaded(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	c, err := loaded(t, "archive = \"mail\"\npassword_file = \"/etc/pw\"\n")
	if err != nil || c.Archive != filepath.Join(filepath.Dir(c.file), "mail") || c.PasswordFile != "/etc/pw" {
		t.Error(c, err)
	}
}

// TestConfigSources: what the flags would refuse is refused, with the source's name.
func TestConfigSources(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"none":            {"", "no [[source]]"},
		"no server":       {"[[source]]\nname=\"x\"\nmailboxes=[\"a\"]\n", "source x: no source"},
		"no mailbox":      {"[[source]]\news=\"http://127.0.0.1\"\n", "source 1: no mailbox"},
		"two secrets":     {"[[source]]\news=\"http://127.0.0.1\"\nuser=\"u\"\nmailboxes=[\"a\"]\nuser_password_file=\"a\"\nuser_password_env=\"b\"\n", "one way"},
		"variable":        {"[[source]]\news=\"http://127.0.0.1\"\nuser=\"u\"\nmailboxes=[\"a\"]\nuser_password_env=\"NOT_SET_ANYWHERE\"\n", "NOT_SET_ANYWHERE"},
		"credential path": {"[[source]]\news=\"http://127.0.0.1\"\nuser=\"u\"\nmailboxes=[\"a\"]\nuser_password_credential=\"../x\"\n", "a name, not a path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := loaded(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			o := &backupOptions{common: &common{talk: io.Discard}, config: c}
			err = o.configured(cli.NewContext(newApp(nil, nil, nil), nil, nil))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestWeekClock(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		t, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			panic(err)
		}
		return t
	}
	for _, tt := range []struct{ clock, after, want string }{
		{"03:00", "2026-11-22 02:59", "2026-11-22 03:00"},
		{"03:00", "2026-11-22 03:00", "2026-11-23 03:00"},
		{"Sun 03:00", "2026-11-22 03:00", "2026-11-29 03:00"},
		{"Sat 23:30", "2026-11-22 03:00", "2026-11-28 23:30"},
		{"00:00", "2026-12-31 12:00", "2027-01-01 00:00"},
	} {
		var w weekClock
		if err := w.UnmarshalText([]byte(tt.clock)); err != nil {
			t.Fatal(err)
		}
		if got := w.next(at(tt.after)); !got.Equal(at(tt.want)) {
			t.Errorf("%s after %s: %s", tt.clock, tt.after, got)
		}
	}
}

// tomlKeys are the keys of a part of the configuration.
func tomlKeys(part any) (keys []string) {
	v := reflect.TypeOf(part)
	for i := range v.NumField() {
		if key := v.Field(i).Tag.Get("toml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
