package main

import (
	stdbytes "bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/urfave/cli/v2"
)

// config is the file of --config. docs/config.md tells of each key.
type config struct {
	Archive            string `toml:"archive"`
	Cache              string `toml:"cache"`
	PasswordFile       string `toml:"password_file"`
	PasswordCredential string `toml:"password_credential"`
	IdentityFile       string `toml:"identity_file"`
	IdentityCredential string `toml:"identity_credential"`
	Index              *bool  `toml:"index"`
	Parallel           int    `toml:"parallel"`

	Watch   watchConfig    `toml:"watch"`
	Log     logConfig      `toml:"log"`
	Metrics metricsConfig  `toml:"metrics"`
	Sources []sourceConfig `toml:"source"`

	file string
}

type watchConfig struct {
	Poll      span      `toml:"poll"`
	PollMost  span      `toml:"poll_most"`
	Settle    span      `toml:"settle"`
	Retry     span      `toml:"retry"`
	RetryMost span      `toml:"retry_most"`
	FullCheck weekClock `toml:"full_check"`
	Notify    *bool     `toml:"notifications"`
}

type logConfig struct {
	Format string `toml:"format"`
	Level  string `toml:"level"`
}

type metricsConfig struct {
	Listen   string `toml:"listen"`
	Anywhere bool   `toml:"anywhere"`
}

// span is a time that passes, as "90s" or "15m".
type span struct{ time.Duration }

func (s *span) UnmarshalText(text []byte) (err error) {
	s.Duration, err = time.ParseDuration(string(text))
	if err == nil && (s.Duration < 10*time.Millisecond || s.Duration > 30*24*time.Hour) {
		err = fmt.Errorf("%s: from 10ms to 720h", text)
	}
	return err
}

// weekClock is a time of day, of each day or of one of the week.
type weekClock struct {
	never     bool
	day       int // 0: Sunday; -1: each day
	hour, min int
	said      bool
}

func (w *weekClock) UnmarshalText(text []byte) error {
	w.said = true
	if w.never = string(text) == "never"; w.never {
		return nil
	}
	day, clock, named := strings.Cut(string(text), " ")
	if !named {
		day, clock = "", day
	}
	w.day = slices.Index([]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}, day)
	t, err := time.Parse("15:04", clock)
	if err != nil || named && w.day < 0 {
		return fmt.Errorf("%q: write \"03:00\", \"Sun 03:00\" or \"never\"", text)
	}
	w.hour, w.min = t.Hour(), t.Minute()
	return nil
}

// next is the first such time after another, by its clock.
func (w weekClock) next(after time.Time) time.Time {
	if w.never {
		return after.AddDate(100, 0, 0)
	}
	for days := 0; ; days++ {
		t := time.Date(after.Year(), after.Month(), after.Day()+days, w.hour, w.min, 0, 0, after.Location())
		if t.After(after) && (w.day < 0 || int(t.Weekday()) == w.day) {
			return t
		}
	}
}

// maxConfig is longer than any configuration.
const maxConfig = 4 << 20

// readConfig reads and checks a configuration. What is said of it names the file and the line.
func readConfig(file string) (*config, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxConfig {
		err = errors.New("too long for a configuration")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, usagef("--config %s: %w", file, err)
	}
	c := &config{file: file}
	if err := toml.NewDecoder(stdbytes.NewReader(text)).DisallowUnknownFields().Decode(c); err != nil {
		return nil, usagef("%s:%w", file, configError(err))
	}
	c.defaults()
	if err := c.check(); err != nil {
		return nil, usagef("%s: %w", file, err)
	}
	return c, nil
}

// configError says where a mistake is and what.
func configError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		line, _ := strict.Errors[0].Position()
		return fmt.Errorf("%d: %s is not known (docs/config.md lists the keys)", line, strings.Join(strict.Errors[0].Key(), "."))
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, _ := at.Position()
		return fmt.Errorf("%d: %s", line, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return fmt.Errorf(" %s", strings.TrimPrefix(err.Error(), "toml: "))
}

func (c *config) defaults() {
	if !c.Watch.FullCheck.said {
		c.Watch.FullCheck = weekClock{hour: 3} // Sunday
	}
	if c.Log.Format == "" {
		c.Log.Format = "text"
	}
	for _, p := range []*string{&c.PasswordFile, &c.IdentityFile, &c.Cache} {
		*p = c.path(*p)
	}
	if !strings.HasPrefix(c.Archive, inStore) {
		c.Archive = c.path(c.Archive)
	}
	for i := range c.Sources {
		c.Sources[i].place(c)
	}
}

// path takes a relative path as one beside the configuration.
func (c *config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(c.file), p)
}

func (c *config) check() error {
	switch {
	case c.PasswordFile != "" && c.PasswordCredential != "":
		return errors.New("password_file and password_credential: give one of them")
	case c.IdentityFile != "" && c.IdentityCredential != "":
		return errors.New("identity_file and identity_credential: give one of them")
	case c.Parallel < 0 || c.Parallel > 64:
		return errors.New("parallel: 1 to 64")
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return fmt.Errorf("log.format %q: text or json", c.Log.Format)
	case !slices.Contains([]string{"", "debug", "info", "warn", "error"}, c.Log.Level):
		return fmt.Errorf("log.level %q: debug, info, warn or error", c.Log.Level)
	}
	if err := c.Metrics.check(); err != nil {
		return err
	}
	names := map[string]bool{}
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Name == "" {
			s.Name = fmt.Sprintf("source %d", i+1)
		}
		if names[s.Name] {
			return fmt.Errorf("two sources have the name %q", s.Name)
		}
		names[s.Name] = true
	}
	return nil
}

// withConfig fills in flags that were not given from the configuration.
func withConfig(c *cli.Context) error {
	if c.String("config") == "" {
		return nil
	}
	cfg, err := readConfig(c.String("config"))
	if err != nil {
		return err
	}
	values := map[string]string{"archive": cfg.Archive, "cache": cfg.Cache}
	if values["identity"], err = given(cfg.IdentityFile, cfg.IdentityCredential); err != nil {
		return err
	}
	if os.Getenv("MAILBRICK_PASSWORD") == "" {
		if values["password-file"], err = given(cfg.PasswordFile, cfg.PasswordCredential); err != nil {
			return err
		}
	}
	for flag, value := range values {
		if value != "" && !c.IsSet(flag) {
			if err := c.Set(flag, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// given is the file of a secret: one that is named, or the one that the service manager passed on.
func given(file, credential string) (string, error) {
	if credential == "" {
		return file, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case credential != filepath.Base(credential) || credential == "." || credential == "..":
		return "", usagef("credential %q: it is a name, not a path", credential)
	case dir == "":
		return "", usagef("credential %q: the service manager passed none on (CREDENTIALS_DIRECTORY is not set)", credential)
	}
	return filepath.Join(dir, credential), nil
}
