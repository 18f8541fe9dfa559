package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch/exchangetest"
)

type simulateOptions struct {
	*common
	listen    string
	users     []string
	mailboxes []string
	archives  []string
	public    string
	faults    string
	throttle  string
	made      []string
	apps      []string
	tokenLife time.Duration
	tls       string
	discover  string
	redirects []string
}

func newSimulateCommand() *cli.Command {
	return &cli.Command{
		Name:      "simulate",
		Usage:     "run a simulated Exchange on this machine, for trials and tests",
		UsageText: "mailbrick simulate --listen ADDR --user U:P --mailbox ADDRESS=DIR...",
		Description: "Serves mailboxes over Exchange Web Services and Microsoft Graph until it is interrupted. Each is loaded from a tree of .eml files,\n" +
			"folders as folders. Prints one line of JSON when it is ready. It is for loopback: it keeps everything in memory.\n\n" +
			"Example:\n  mailbrick simulate --listen 127.0.0.1:8080 --user backup:secret --mailbox ann@example.com=testdata/mail/ann",
		Flags: append(talkFlags(),
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:0", Usage: "`ADDR` to listen on; port 0 takes a free one"},
			&cli.StringSliceFlag{Name: "user", Usage: "an account, `NAME:PASSWORD`; again for more"},
			&cli.StringSliceFlag{Name: "mailbox", Usage: "a mailbox, `ADDRESS=DIR`; again for more"},
			&cli.StringSliceFlag{Name: "archive-mailbox", Usage: "the in-place archive of a mailbox, `ADDRESS=DIR`; again for more"},
			&cli.StringFlag{Name: "public-folders", Usage: "public folders, loaded from `DIR`"},
			&cli.StringSliceFlag{Name: "make", Usage: "items that are made when they are asked for, `ADDRESS=FOLDERS,ITEMS[,BYTES]`: so many folders of so many items"},
			&cli.StringSliceFlag{Name: "app", Usage: "an application that may have tokens, `ID:SECRET` or ID:CERTIFICATE.pem; again for more"},
			&cli.DurationFlag{Name: "token-life", Usage: "`TIME` after which tokens expire; an hour unless said"},
			&cli.StringFlag{Name: "tls", Usage: "serve https with the certificate and key in the PEM `FILE`"},
			&cli.StringFlag{Name: "autodiscover", Value: "json", Usage: "which `FORM` of Autodiscover there is: json (and xml) or xml alone, as on old servers"},
			&cli.StringSliceFlag{Name: "redirect", Usage: "where the xml form of Autodiscover sends who asks for an address, `ADDRESS=ADDRESS` or ADDRESS=URL; again for more"},
			&cli.StringFlag{Name: "faults", Usage: "faults to order, a JSON `FILE`"},
			&cli.StringFlag{Name: "throttle", Value: "off", Usage: "budgets: off, standard (those of Exchange) or a JSON `FILE`; GET /stats tells what they did"}),
		Action: func(c *cli.Context) error {
			return runSimulate(c.Context, &simulateOptions{common: commonOf(c), listen: c.String("listen"),
				users: c.StringSlice("user"), mailboxes: c.StringSlice("mailbox"), faults: c.String("faults"),
				archives: c.StringSlice("archive-mailbox"), public: c.String("public-folders"), throttle: c.String("throttle"), made: c.StringSlice("make"),
				apps: c.StringSlice("app"), tokenLife: c.Duration("token-life"),
				tls: c.String("tls"), discover: c.String("autodiscover"), redirects: c.StringSlice("redirect")})
		},
	}
}

func runSimulate(ctx context.Context, o *simulateOptions) (err error) {
	s, err := o.server()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	l, err := o.listener()
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	if err := o.print(struct {
		EWS       string `json:"ews"`
		Graph     string `json:"graph"`
		Authority string `json:"authority"`
	}{o.url(l, exchangetest.Path), o.url(l, exchangetest.GraphPath), o.url(l, exchangetest.AuthorityPath())}); err != nil {
		return errors.Join(err, l.Close())
	}
	return serve(ctx, l, s.HTTPServer())
}

// listener is that of the address, with TLS where there is a certificate.
func (o *simulateOptions) listener() (net.Listener, error) {
	if o.tls == "" {
		return net.Listen("tcp", o.listen)
	}
	pair, err := tls.LoadX509KeyPair(o.tls, o.tls)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", o.listen, &tls.Config{Certificates: []tls.Certificate{pair}})
}

func (o *simulateOptions) url(l net.Listener, path string) string {
	if o.tls != "" {
		return "https://" + l.Addr().String() + path
	}
	return "http://" + l.Addr().String() + path
}

func ewsURL(l net.Listener) string { return "http://" + l.Addr().String() + exchangetest.Path }

// serve answers until the context ends.
func serve(ctx context.Context, l net.Listener, server *http.Server) error {
	server.ReadHeaderTimeout = 30 * time.Second
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	err := server.Close()
	<-done // ErrServerClosed, as asked for
	return err
}

func (o *simulateOptions) server() (*exchangetest.Server, error) {
	opts := exchangetest.Options{TokenLife: o.tokenLife}
	if o.verbose {
		opts.Log = slog.New(slog.NewTextHandler(o.talk, nil))
	}
	if o.faults != "" {
		var err error
		if opts.Faults, err = readFaults(o.faults); err != nil {
			return nil, usagef("--faults %s: %s", o.faults, err)
		}
	}
	switch o.discover {
	case "xml":
		opts.OldAutodiscover = true
	case "json":
	default:
		return nil, usagef("--autodiscover %q: json or xml is wanted", o.discover)
	}
	var err error
	if opts.Throttle, err = readThrottle(o.throttle); err != nil {
		return nil, usagef("--throttle %s: %s", o.throttle, err)
	}
	s := exchangetest.New(opts)
	for _, u := range o.users {
		name, password, ok := strings.Cut(u, ":")
		if !ok || name == "" {
			return nil, errors.Join(usagef("--user wants NAME:PASSWORD"), s.Close())
		}
		s.AddAccount(name, password)
	}
	if err := o.fill(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func readThrottle(name string) (exchangetest.Policy, error) {
	switch name {
	case "off":
		return exchangetest.Policy{}, nil
	case "standard":
		return exchangetest.StandardPolicy(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return exchangetest.Policy{}, err
	}
	defer f.Close()
	return exchangetest.ReadPolicy(f)
}

func readFaults(file string) ([]exchangetest.Fault, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return exchangetest.ReadFaults(f)
}

// fill loads mailboxes, archives and public folders.
func (o *simulateOptions) fill(s *exchangetest.Server) error {
	for _, m := range o.mailboxes {
		if err := o.load(s, m, s.Load); err != nil {
			return err
		}
	}
	for _, m := range o.archives {
		if err := o.load(s, m, s.LoadArchive); err != nil {
			return err
		}
	}
	for _, a := range o.apps {
		app, err := readApp(a)
		if err != nil {
			return usagef("--app: %s", err)
		}
		s.AddApp(app)
	}
	for _, m := range o.made {
		if err := makeItems(s, m); err != nil {
			return err
		}
	}
	for _, r := range o.redirects {
		addr, where, _ := strings.Cut(r, "=")
		if !strings.Contains(addr, "@") || !strings.Contains(where, "@") && !strings.HasPrefix(where, "https://") {
			return usagef("--redirect %q: ADDRESS=ADDRESS or ADDRESS=URL with https is wanted", r)
		}
		s.Redirect(addr, where)
	}
	if o.public == "" {
		return nil
	}
	return s.LoadPublicFolders(o.public)
}

// readApp reads an application: what stands behind its id is a secret unless it is the name of a certificate.
func readApp(given string) (exchangetest.App, error) {
	id, secret, ok := strings.Cut(given, ":")
	if !ok || id == "" || secret == "" {
		return exchangetest.App{}, errors.New("ID:SECRET or ID:CERTIFICATE.pem is wanted")
	}
	if !strings.HasSuffix(secret, ".pem") {
		return exchangetest.App{ID: id, Secret: secret}, nil
	}
	data, err := os.ReadFile(secret)
	if err != nil {
		return exchangetest.App{}, err
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			return exchangetest.App{ID: id, Certificate: c}, err
		}
	}
	return exchangetest.App{}, fmt.Errorf("%s holds no certificate", secret)
}

// makeItems fills a mailbox with items that nobody holds.
func makeItems(s *exchangetest.Server, given string) error {
	addr, numbers, ok := strings.Cut(given, "=")
	var folders, items int
	var size int64
	n, _ := fmt.Sscanf(numbers+",0", "%d,%d,%d", &folders, &items, &size)
	if !ok || addr == "" || n != 3 {
		return usagef("--make %q: ADDRESS=FOLDERS,ITEMS or ADDRESS=FOLDERS,ITEMS,BYTES is wanted", given)
	}
	if err := s.Make(addr, folders, items, size); err != nil {
		return usagef("--make %q: %s", given, err)
	}
	return nil
}

// load fills a mailbox. Files that are not mail are named and passed over.
func (o *simulateOptions) load(s *exchangetest.Server, mailbox string, load func(address, dir string) error) error {
	addr, dir, ok := strings.Cut(mailbox, "=")
	if !ok || addr == "" || dir == "" {
		return usagef("--mailbox %q: ADDRESS=DIR is wanted", mailbox)
	}
	if err := load(addr, dir); err != nil {
		return fmt.Errorf("load mailbox %s: %w", addr, err)
	}
	for _, err := range s.AddMailbox(addr).Skipped() {
		o.say("%s: passed over: %s", addr, err)
	}
	return nil
}
