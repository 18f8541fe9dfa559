package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// MailboxID asks once which mailbox is meant: the user's own, or its archive.
func (c *Client) MailboxID(ctx context.Context) (string, error) {
	c.mu.Lock()
	id := c.mailbox
	c.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var primary, archive string
	err := c.call(ctx, &operation{
		name: "settings", method: http.MethodGet, url: c.at([]string{"users", c.opts.Mailbox, "settings", "exchange"}),
		read: func(s *scanner) error {
			return s.object(func(name string) (err error) {
				switch name {
				case "primaryMailboxId":
					primary, err = s.text()
				case "inPlaceArchiveMailboxId":
					archive, err = s.text()
				default:
					err = s.skip()
				}
				return err
			})
		},
	})
	if err != nil {
		return "", err
	}
	id = primary
	if c.opts.Archive {
		id = archive
	}
	if err := c.checkMailbox(id); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mailbox = id
	return id, nil
}

// forgetMailbox lets the next call ask for the id anew: a mailbox that moves to another organization gets another one.
func (c *Client) forgetMailbox() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mailbox = ""
}

// mailboxUnknown says whether the server knows no mailbox of the id that it was asked with.
func mailboxUnknown(err error) bool {
	var e *Error
	return errors.As(err, &e) && (strings.EqualFold(e.Code, "ErrorNonExistentMailbox") || strings.EqualFold(e.Code, "ResourceNotFound"))
}

// checkMailbox: the id becomes a part of paths.
func (c *Client) checkMailbox(id string) error {
	switch {
	case id == "" && c.opts.Archive:
		return &Error{Operation: "settings", class: Permanent, cause: ErrNoArchive}
	case id == "":
		return &Error{Operation: "settings", class: Permanent, Text: "the user has no mailbox in Exchange Online",
			hint: "use --ews for mailboxes on-premises"}
	case len(id) > 512 || strings.ContainsAny(id, "/?#\\") || strings.Contains(id, ".."):
		return &Error{Operation: "settings", class: Permanent, cause: ErrNotGraph, Text: "an id that is none of a mailbox"}
	}
	return nil
}
