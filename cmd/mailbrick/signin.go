package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch/auth"
)

// signIn is who asks a server, and how he proves it.
type signIn struct {
	how            string // basic, ntlm or oauth
	user, password string
	app            *auth.App // of oauth
}

const microsoftOnline = "https://login.microsoftonline.com/"

// signInFlags are the flags of all ways to sign in. No secret is the value of a flag: others could see it in the list of
// processes.
func signInFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "auth", Usage: "how to sign in: `HOW` is basic (the default), ntlm or oauth"},
		&cli.StringFlag{Name: "user", Usage: "sign in as `USER`: name, DOMAIN\\name or address"},
		&cli.StringFlag{Name: "user-password-file", Usage: "read the user's password from `FILE` (or set MAILBRICK_USER_PASSWORD)"},
		&cli.StringFlag{Name: "tenant", Usage: "oauth: the `TENANT`, a domain or an id"},
		&cli.StringFlag{Name: "client-id", Usage: "oauth: the application's `ID`"},
		&cli.StringFlag{Name: "client-secret-file", Usage: "oauth: read the application's secret from `FILE` (or set MAILBRICK_CLIENT_SECRET)"},
		&cli.StringFlag{Name: "client-cert", Usage: "oauth: sign with the certificate and the RSA key in `FILE` (PEM), instead of a secret"},
		&cli.StringFlag{Name: "authority", Usage: "oauth: ask `URL` for tokens (default: " + microsoftOnline + "TENANT)"},
	}
}

// signInOf reads how to sign in at an Exchange Web Services.
func signInOf(c *cli.Context, o *common) (*signIn, error) {
	s := &signIn{how: c.String("auth"), user: c.String("user")}
	if s.how == "" {
		s.how = "basic"
	}
	var err error
	switch s.how {
	case "oauth":
		s.app, err = oauthOf(c)
		return s, err
	case "basic", "ntlm":
	default:
		return nil, usagef("--auth %s: basic, ntlm or oauth", s.how)
	}
	for _, flag := range []string{"tenant", "client-id", "client-secret-file", "client-cert", "authority"} {
		if c.IsSet(flag) {
			return nil, usagef("--%s is of --auth oauth, and --auth is %s", flag, s.how)
		}
	}
	if s.user == "" {
		return nil, usagef("no user: give --user and --user-password-file")
	}
	s.password, err = o.userPassword(c)
	return s, err
}

func (o *common) userPassword(c *cli.Context) (string, error) {
	if file := c.String("user-password-file"); file != "" {
		return readSecret(file)
	}
	if p, named, err := envSecret(c, "user-password-env"); named {
		return p, err
	}
	if p := os.Getenv("MAILBRICK_USER_PASSWORD"); p != "" {
		return p, nil
	}
	return o.ask(c.Context, "password of the user: ", "give --user-password-file F or set MAILBRICK_USER_PASSWORD")
}

// oauthOf reads which application signs in. It asks nobody for a token yet; all that sign in as it share its tokens:
// auth.Bearer(url, app, auth.ScopeGraph, via).
func oauthOf(c *cli.Context) (*auth.App, error) {
	switch how := c.String("auth"); {
	case how != "" && how != "oauth":
		return nil, usagef("--auth %s: oauth is the only way there", how)
	case c.String("user") != "":
		return nil, usagef("--user signs in with a password; with oauth an application signs in: give --client-id")
	case c.String("client-id") == "":
		return nil, usagef("no application: give --client-id and --client-secret-file or --client-cert")
	}
	authority, err := authorityOf(c.String("authority"), c.String("tenant"))
	if err != nil {
		return nil, err
	}
	o := auth.AppOptions{Authority: authority, ClientID: c.String("client-id")}
	if o.Secret, o.Certificate, err = appSecretOf(c); err != nil {
		return nil, err
	}
	app, err := auth.NewApp(o)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return app, nil
}

// authorityOf is where tokens come from. An authority with a path names its tenant itself.
func authorityOf(authority, tenant string) (string, error) {
	if strings.ContainsAny(tenant, "/?#%\\ ") {
		return "", usagef("--tenant %q: a domain or an id", tenant)
	}
	if authority == "" && tenant == "" {
		return "", usagef("no tenant: give --tenant DOMAIN")
	}
	if authority == "" {
		return microsoftOnline + tenant, nil
	}
	u, err := url.Parse(authority)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return "", usagef("--authority: give it as %sTENANT", microsoftOnline)
	case strings.Trim(u.Path, "/") != "":
		return authority, nil
	case tenant == "":
		return "", usagef("no tenant: give --tenant DOMAIN, or --authority with it")
	}
	return strings.TrimSuffix(authority, "/") + "/" + tenant, nil
}

// appSecretOf reads what the application proves itself with.
func appSecretOf(c *cli.Context) (secret string, cert []byte, err error) {
	file, certFile := c.String("client-secret-file"), c.String("client-cert")
	env := os.Getenv("MAILBRICK_CLIENT_SECRET")
	switch {
	case certFile != "" && file != "":
		return "", nil, usagef("--client-secret-file and --client-cert: give one of them")
	case certFile != "":
		cert, err = readShort(certFile)
		return "", cert, err
	case file != "":
		secret, err = readSecret(file)
		return secret, nil, err
	}
	if secret, named, err := envSecret(c, "client-secret-env"); named {
		return secret, nil, err
	}
	if env != "" {
		return env, nil, nil
	}
	return "", nil, usagef("no secret of the application: give --client-secret-file or --client-cert, or set MAILBRICK_CLIENT_SECRET")
}

// readShort reads a file of a certificate and its key.
func readShort(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	defer f.Close()
	const limit = 1 << 20
	data, err := io.ReadAll(io.LimitReader(f, limit))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read certificate: %w", err)
	case len(data) == limit:
		return nil, fmt.Errorf("read certificate: %s is too long for one", file)
	}
	return data, nil
}

// around signs in what via carries to a server; tokens are for the scope.
func (s *signIn) around(targetURL, scope string, via *http.Transport) (http.RoundTripper, error) {
	switch s.how {
	case "oauth":
		return auth.Bearer(targetURL, s.app, scope, via)
	case "ntlm":
		return auth.NTLM(targetURL, s.user, s.password, via)
	}
	return auth.Basic(targetURL, s.user, s.password, via)
}

// hide takes the password, and what it is sent as, out of a text of somebody else's.
func (s *signIn) hide(text string) string {
	if s.password == "" {
		return text
	}
	sent := base64.RawStdEncoding.EncodeToString([]byte(s.user + ":" + s.password)) // in a host there is no padding
	return strings.NewReplacer(sent, "(secret)", s.password, "(secret)").Replace(text)
}
