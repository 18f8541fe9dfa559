package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mailbrick/archive/blob"
	"mailbrick/archive/journal"
	"mailbrick/archive/seal"
)

const (
	configObject = "config"
	configLimit  = 64 << 10
)

// config is the object "config", JSON, so that people can read it.
type config struct {
	Format    int       `json:"format"`
	ID        string    `json:"id"`
	Created   time.Time `json:"created"`
	Encrypted bool      `json:"encrypted"`
	Parity    bool      `json:"parity"` // packs and journal have it
	Sum       string    `json:"sum"`    // of what stands before, so that a changed byte does not pass for a setting
}

func (c config) sum() string {
	text := fmt.Sprintf("%d %s %s %t %t", c.Format, c.ID, c.Created.Format(time.RFC3339), c.Encrypted, c.Parity)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
}

func (c config) bytes() ([]byte, error) {
	data, err := json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}

// Init makes an archive in an empty bucket. An empty passphrase makes one without encryption: its key lies beside it. One
// that was broken off can be done again: the same passphrase takes up the key that it left.
func Init(ctx context.Context, o Options) error {
	o.defaults()
	if _, ok := o.Bucket.(blob.Replacer); o.Parity && !ok {
		return fmt.Errorf("make an archive with parity in a bucket where nothing can be mended: %w", errors.ErrUnsupported)
	}
	encrypted := o.Passphrase != ""
	left, begun, err := leftOf(ctx, o.Bucket)
	if err != nil {
		return err
	}
	if left == "" {
		err = o.writeFirstKey(ctx, encrypted)
	} else {
		err = o.takeUpKey(ctx, left, encrypted)
	}
	if err != nil {
		return err
	}
	if begun {
		return o.takeUpConfig(ctx, encrypted)
	}
	return o.writeConfig(ctx, encrypted)
}

// leftOf is the key of an Init that was broken off, and whether it left a config that has no copy yet. Anything else in the bucket is an
// error.
func leftOf(ctx context.Context, b blob.Bucket) (key string, config bool, err error) {
	for info, err := range b.List(ctx, "") {
		name := strings.TrimSuffix(info.Name, copySuffix)
		_, isKey := parseKeyObject(name)
		switch {
		case err != nil:
			return "", false, fmt.Errorf("list the bucket: %w", err)
		case name == configObject && !config:
			config = true
		case isKey && (key == "" || key == name):
			key = name
		default:
			return "", false, fmt.Errorf("%w: %s", ErrExists, name)
		}
	}
	if config && key == "" {
		return "", false, fmt.Errorf("%w: %s", ErrExists, configObject)
	}
	return key, config, nil
}

// takeUpConfig goes on with the config of an Init that was broken off.
func (o *Options) takeUpConfig(ctx context.Context, encrypted bool) error {
	c, err := readConfig(ctx, o.Bucket)
	if err != nil {
		return err
	}
	if c.Encrypted != encrypted || c.Parity != o.Parity {
		return fmt.Errorf("%w: %s, of an archive that was begun another way", ErrExists, configObject)
	}
	data, err := c.bytes()
	if err != nil {
		return err
	}
	return o.putConfig(ctx, data)
}

func (o *Options) writeFirstKey(ctx context.Context, encrypted bool) error {
	ring, err := seal.NewRing(o.Random)
	if err != nil {
		return err
	}
	to, name := seal.PlainRecipient(), "everybody"
	if encrypted {
		name = "first password"
		if to, err = seal.PassphraseRecipient(o.Passphrase, o.WorkFactor); err != nil {
			return err
		}
	}
	f, err := seal.NewFile(ring, to, name, o.Clock(), o.Random)
	if err != nil {
		return err
	}
	return o.putKey(ctx, f)
}

// takeUpKey goes on with the key of an Init that was broken off. Its copy may be missing.
func (o *Options) takeUpKey(ctx context.Context, name string, encrypted bool) error {
	names, keyErr := o.keyNames(ctx)
	if keyErr == nil {
		_, keyErr = o.openRing(ctx, encrypted, names)
	}
	f, err := o.readKey(ctx, name)
	if keyErr != nil || err != nil {
		return fmt.Errorf("%w: %s, of an archive that was begun another way", ErrExists, name)
	}
	return o.putKey(ctx, f)
}

// writeConfig comes last: without it there is no archive.
func (o *Options) writeConfig(ctx context.Context, encrypted bool) error {
	var id ID
	if _, err := io.ReadFull(o.Random, id[:]); err != nil {
		return fmt.Errorf("name the archive: %w", err)
	}
	c := config{Format: FormatVersion, ID: id.String(), Created: o.Clock().UTC().Truncate(time.Second), Encrypted: encrypted, Parity: o.Parity}
	c.Sum = c.sum()
	data, err := c.bytes()
	if err != nil {
		return err
	}
	return o.putConfig(ctx, data)
}

func (o *Options) putConfig(ctx context.Context, data []byte) error {
	if err := putTwice(ctx, o.Bucket, configObject, data); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

func readConfig(ctx context.Context, b blob.Bucket) (config, error) {
	c, err := fetchTwice(ctx, b, configObject, configLimit, parseConfig)
	if !errors.Is(err, blob.ErrNotExist) {
		if err != nil {
			err = fmt.Errorf("read config: %w", err)
		}
		return c, err
	}
	for info, err := range b.List(ctx, journal.Prefix) {
		if err != nil {
			return c, fmt.Errorf("look for a journal: %w", err)
		}
		return c, fmt.Errorf("%w: its config is missing, %s is there: put a copy of config back", ErrDamaged, info.Name)
	}
	return c, ErrNoArchive
}

func parseConfig(data []byte) (config, error) {
	var c config
	if err := json.Unmarshal(data, &c); err != nil || c.Format == 0 || c.ID == "" {
		return c, fmt.Errorf("%w: its config is not Mailbrick's", ErrNotArchive)
	}
	if c.Format != FormatVersion {
		return c, fmt.Errorf("%w: the archive has %d, this program knows %d", ErrVersion, c.Format, FormatVersion)
	}
	// There is one way to write it, so that no changed byte is overlooked.
	if canonical, err := c.bytes(); err != nil || c.Sum != c.sum() || !bytes.Equal(canonical, data) {
		return c, fmt.Errorf("%w: its config is not what was written", ErrDamaged)
	}
	return c, nil
}
