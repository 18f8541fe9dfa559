package graph

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// at makes the URL of a path below the base; each part is escaped. query holds names and values by turns.
func (c *Client) at(parts []string, query ...string) string {
	var b strings.Builder
	b.WriteString(c.base.Scheme + "://" + c.base.Host + c.base.EscapedPath())
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	for i := 0; i+1 < len(query); i += 2 {
		b.WriteByte("?&"[min(i, 1)])
		// OData wants %20 for a blank.
		b.WriteString(query[i] + "=" + strings.ReplaceAll(url.QueryEscape(query[i+1]), "+", "%20"))
	}
	return b.String()
}

// in is a path within the mailbox.
func in(mailbox string, parts ...string) []string {
	return append([]string{"admin", "exchange", "mailboxes", mailbox}, parts...)
}

// maxLink bounds links: those of delta hold the state of the server.
const maxLink = 32 << 10

// own checks a link that the server gave: it is used as it is, but only where the token may go and in the same API.
func (c *Client) own(link string) error {
	if len(link) > maxLink {
		return fmt.Errorf("%w: it has %d bytes", ErrOtherHost, len(link))
	}
	u, err := url.Parse(link)
	if err != nil {
		return fmt.Errorf("%w: it cannot be read", ErrOtherHost) // the error would hold the link
	}
	prefix := c.base.EscapedPath() + "/"
	steps := slices.ContainsFunc(strings.Split(u.Path, "/"), func(part string) bool { return part == "." || part == ".." })
	switch {
	case u.Scheme != c.base.Scheme || hostPort(u) != hostPort(c.base):
		return fmt.Errorf("%w: %s", ErrOtherHost, c.scrub(u.Hostname()))
	case u.User != nil || u.Opaque != "" || steps || !strings.HasPrefix(u.EscapedPath(), prefix):
		return fmt.Errorf("%w: outside of %s", ErrOtherHost, prefix)
	}
	return nil
}

// importHost says whether mail may be sent to a URL for imports: it holds a secret of its own and leads to Exchange.
func (c *Client) importHost(link string) error {
	u, err := url.Parse(link)
	if err != nil || len(link) > maxLink || u.User != nil {
		return fmt.Errorf("%w: an import URL that cannot be read", ErrOtherHost)
	}
	host := strings.ToLower(u.Hostname())
	if loopback(c.base.Hostname()) && loopback(host) && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%w: an import URL without https", ErrOtherHost)
	}
	for _, domain := range []string{"office365.com", "office.com", "outlook.com", c.base.Hostname()} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return nil
		}
	}
	return fmt.Errorf("%w: imports to %s", ErrOtherHost, c.scrub(u.Hostname()))
}
