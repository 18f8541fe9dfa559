package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch/graph"
)

// sourceConfig is a source of mailboxes in the configuration: the flags of `backup`, written down.
type sourceConfig struct {
	Name  string `toml:"name"`
	EWS   string `toml:"ews"`
	Graph string `toml:"graph"`
	From  string `toml:"from"`

	Auth        string `toml:"auth"`
	User        string `toml:"user"`
	Impersonate bool   `toml:"impersonate"`

	UserPasswordFile       string `toml:"user_password_file"`
	UserPasswordEnv        string `toml:"user_password_env"`
	UserPasswordCredential string `toml:"user_password_credential"`

	Tenant                 string `toml:"tenant"`
	ClientID               string `toml:"client_id"`
	Authority              string `toml:"authority"`
	ClientSecretFile       string `toml:"client_secret_file"`
	ClientSecretEnv        string `toml:"client_secret_env"`
	ClientSecretCredential string `toml:"client_secret_credential"`
	ClientCertFile         string `toml:"client_cert_file"`
	ClientCertCredential   string `toml:"client_cert_credential"`

	Mailboxes     []string `toml:"mailboxes"`
	MailboxesFile string   `toml:"mailboxes_file"`
	Include       []string `toml:"include"`
	Exclude       []string `toml:"exclude"`

	ArchiveMailbox   bool `toml:"archive_mailbox"`
	RecoverableItems bool `toml:"recoverable_items"`
	Associated       bool `toml:"associated"`
	PublicFolders    bool `toml:"public_folders"`
}

func (s *sourceConfig) place(c *config) {
	for _, p := range []*string{&s.From, &s.UserPasswordFile, &s.ClientSecretFile, &s.ClientCertFile, &s.MailboxesFile} {
		*p = c.path(*p)
	}
	if s.Graph == "default" {
		s.Graph = graph.DefaultURL
	}
}

// args are the flags of `backup` that say the same.
func (s *sourceConfig) args() (args []string, err error) {
	add := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	for flag, value := range map[string]string{"ews": s.EWS, "graph": s.Graph, "from": s.From, "auth": s.Auth, "user": s.User, "tenant": s.Tenant,
		"client-id": s.ClientID, "authority": s.Authority, "mailboxes": s.MailboxesFile,
		"user-password-env": s.UserPasswordEnv, "client-secret-env": s.ClientSecretEnv} {
		add(flag, value)
	}
	for _, secret := range []struct{ flag, file, env, credential string }{
		{"user-password-file", s.UserPasswordFile, s.UserPasswordEnv, s.UserPasswordCredential},
		{"client-secret-file", s.ClientSecretFile, s.ClientSecretEnv, s.ClientSecretCredential},
		{"client-cert", s.ClientCertFile, "", s.ClientCertCredential},
	} {
		if len(slices.DeleteFunc([]string{secret.file, secret.env, secret.credential}, func(v string) bool { return v == "" })) > 1 {
			return nil, fmt.Errorf("%s: give it in one way", secret.flag)
		}
		file, err := given(secret.file, secret.credential)
		if err != nil {
			return nil, err
		}
		add(secret.flag, file)
	}
	for flag, on := range map[string]bool{"impersonate": s.Impersonate, "archive-mailbox": s.ArchiveMailbox, "recoverable-items": s.RecoverableItems,
		"associated": s.Associated, "public-folders": s.PublicFolders} {
		if on {
			args = append(args, "--"+flag)
		}
	}
	for flag, list := range map[string][]string{"mailbox": s.Mailboxes, "include": s.Include, "exclude": s.Exclude} {
		for _, value := range list {
			add(flag, value)
		}
	}
	return args, nil
}

// options makes of a source what the same flags would make.
func (s *sourceConfig) options(c *cli.Context, o *common) (*backupOptions, error) {
	args, err := s.args()
	if err != nil {
		return nil, err
	}
	set := flag.NewFlagSet(s.Name, flag.ContinueOnError)
	for _, f := range append(sourceFlags(), secretEnvFlags()...) {
		if err := f.Apply(set); err != nil {
			return nil, err
		}
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	made := &backupOptions{common: o}
	flags := cli.NewContext(c.App, set, nil)
	flags.Context = c.Context
	if err := made.source(flags); err != nil {
		return nil, err
	}
	made.mark, err = s.fingerprint(flags)
	return made, err
}

// fingerprint is the same for two sources that ask the same server in the same way, with the same secrets, for the same parts.
func (s *sourceConfig) fingerprint(flags *cli.Context) (sum [32]byte, err error) {
	alike := *s
	alike.MailboxesFile, alike.Include, alike.Exclude = "", nil, nil
	if !s.PublicFolders { // they are read by the first mailbox
		alike.Mailboxes = nil
	}
	secrets := []string{os.Getenv(s.UserPasswordEnv), os.Getenv(s.ClientSecretEnv)}
	for _, flag := range []string{"user-password-file", "client-secret-file", "client-cert"} {
		var text []byte
		if file := flags.String(flag); file != "" {
			if text, err = readShort(file); err != nil {
				return sum, err
			}
		}
		secrets = append(secrets, string(text))
	}
	text, err := json.Marshal([]any{alike, secrets})
	return sha256.Sum256(text), err
}

// inherit takes over the servers of sources that are what they were. They may be closed by both: that only lets connections go.
func (s *sources) inherit(old *sources) {
	for _, o := range s.all {
		for _, was := range old.all {
			if _, ok := o.from.(hearing); ok && o.mark == was.mark {
				o.from = was.from
			} else if _, ok := o.from.(*graphServer); ok && o.mark == was.mark {
				o.from = was.from
			}
		}
	}
}

// secretEnvFlags name variables of the environment. They are for the configuration: on a command line, the variable that
// the program looks for itself does.
func secretEnvFlags() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "user-password-env"}, &cli.StringFlag{Name: "client-secret-env"}}
}

// envSecret reads a secret from the variable that a flag names; named is false where none is.
func envSecret(c *cli.Context, flag string) (secret string, named bool, err error) {
	name := c.String(flag)
	if name == "" {
		return "", false, nil
	}
	if secret = os.Getenv(name); secret == "" {
		err = usagef("the variable %s of the environment is not set", name)
	}
	return secret, true, err
}

// sources are all sources of a configuration together.
type sources struct {
	of  map[string]*backupOptions // by mailbox
	all []*backupOptions
}

// configured takes sources and mailboxes from the configuration.
func (o *backupOptions) configured(c *cli.Context) error {
	cfg := o.config
	if len(cfg.Sources) == 0 {
		return usagef("%s has no [[source]]", cfg.file)
	}
	all := &sources{of: map[string]*backupOptions{}}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		one, err := s.options(c, o.common)
		if err != nil {
			return errors.Join(usagef("%s: source %s: %w", cfg.file, s.Name, err), all.close())
		}
		all.all = append(all.all, one)
		for _, name := range one.mailboxes {
			if all.of[name] != nil {
				return errors.Join(usagef("%s: source %s: mailbox %s is in another source too", cfg.file, s.Name, name), all.close())
			}
			all.of[name] = one
		}
		o.mailboxes = append(o.mailboxes, one.mailboxes...)
	}
	o.from = all
	return nil
}

func (s *sources) open(ctx context.Context, mailbox string) (*opened, error) {
	of := s.of[mailbox]
	if of == nil {
		return nil, usagef("%s is in no source any more", mailbox)
	}
	m, err := of.from.open(ctx, mailbox)
	if err == nil {
		m.include, m.exclude = of.include, of.exclude
	}
	return m, err
}

func (s *sources) close() error {
	var err error
	for _, o := range s.all {
		err = errors.Join(err, o.from.close())
	}
	return err
}
