package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"mailbrick/fetch/wire"
)

// Import is an item to bring back: bytes that an export gave.
type Import struct {
	FolderID string
	Update   ItemRef // the item to write over, which must be in the folder in this very state; a new item if it has no id
	Size     int64   // of the bytes; 0 if not known, then the request has no Content-Length
	Open     func() (io.ReadCloser, error)
}

// session is where imports go for a while. The URL is a secret: it lets anybody write into the mailbox.
type session struct {
	url     string
	expires time.Time // zero: the server did not say
}

// skew is how long before its end a session is not used any more.
const skew = 2 * time.Minute

// ImportItem brings an item back. It is never sent twice when the server may have taken it: then the error is
// ErrUnknownOutcome, and the caller looks into the folder before he sends it again; by then the server had time to finish.
func (c *Client) ImportItem(ctx context.Context, im Import) (ItemRef, error) {
	if im.FolderID == "" || im.Open == nil {
		return ItemRef{}, &Error{Operation: "import", class: Bug, Text: "no folder or bytes"}
	}
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return ItemRef{}, err
	}
	item, err := c.importBody(im)
	if err != nil {
		return ItemRef{}, err
	}
	ref, err := c.importInto(ctx, mailbox, item)
	if other := c.elsewhere(err); other != "" {
		ref, err = c.importInto(ctx, other, item)
	}
	return ref, err
}

// importInto sends an item with the session that there is, and once more with a new one should that be refused.
func (c *Client) importInto(ctx context.Context, mailbox string, item *wire.Body) (ref ItemRef, err error) {
	for _, renew := range []bool{false, true} {
		s, err := c.session(ctx, mailbox, renew)
		if err != nil {
			return ref, err
		}
		op := &operation{name: "import", method: http.MethodPost, url: s.url, item: item, once: true}
		op.read = func(s *scanner) (err error) {
			ref, err = s.imported()
			return err
		}
		err = c.call(ctx, op)
		if err != nil && op.unsure {
			c.settle(ctx, op, err)
			err = unknown(err)
		}
		var e *Error
		if !renew && errors.As(err, &e) && !op.unsure && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) {
			continue
		}
		return ref, err
	}
	return ref, err
}

// unknown says of an import that nobody knows what became of it.
func unknown(why error) error {
	var e *Error
	if !errors.As(why, &e) {
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, why) // the context has ended
	}
	return &Error{Operation: "import", Status: e.Status, class: Item, cause: fmt.Errorf("%w: %w", ErrUnknownOutcome, why)}
}

// importBody makes the body. Its members are written in Pascal case, unlike all others of Graph.
func (c *Client) importBody(im Import) (*wire.Body, error) {
	fields := map[string]string{"FolderId": im.FolderID, "Mode": "create"}
	if im.Update.ID != "" {
		fields["Mode"], fields["ItemId"], fields["ChangeKey"] = "update", im.Update.ID, im.Update.ChangeKey
	}
	head, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	pieces := [][]byte{append(bytes.TrimSuffix(head, []byte("}")), `,"Data":"`...), []byte(`"}`)}
	return &wire.Body{Pieces: pieces, Uploads: []wire.Upload{{Size: im.Size, Open: im.Open}}, Count: &c.bytesOut}, nil
}

func (s *scanner) imported() (ref ItemRef, err error) {
	err = s.object(func(name string) (err error) {
		switch strings.ToLower(name) {
		case "itemid":
			ref.ID, err = s.text()
		case "changekey":
			ref.ChangeKey, err = s.text()
		default:
			err = s.skip()
		}
		return err
	})
	if err == nil && ref.ID == "" {
		err = s.syntax("no id in the answer")
	}
	return ref, err
}

// session gives a place for imports, a new one if it must. Of imports at once one asks.
func (c *Client) session(ctx context.Context, mailbox string, renew bool) (session, error) {
	select {
	case c.renewing <- struct{}{}:
		defer func() { <-c.renewing }()
	case <-ctx.Done():
		return session{}, ctx.Err()
	}
	c.mu.Lock()
	s, ok := c.sessions[mailbox]
	c.mu.Unlock()
	if ok && !renew && (s.expires.IsZero() || c.opts.Clock().Add(skew).Before(s.expires)) {
		return s, nil
	}
	err := c.call(ctx, &operation{
		name: "createImportSession", method: http.MethodPost, url: c.at(in(mailbox, "createImportSession")), json: []byte("{}"),
		read: func(sc *scanner) (err error) {
			s, err = c.readSession(sc)
			return err
		},
	})
	if err != nil {
		return session{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[mailbox] = s
	return s, nil
}

func (c *Client) readSession(sc *scanner) (s session, err error) {
	err = sc.object(func(name string) (err error) {
		switch name {
		case "importUrl":
			s.url, err = sc.text()
		case "expirationDateTime":
			var text string
			text, err = sc.text()
			s.expires, _ = time.Parse(time.RFC3339Nano, text) // one that cannot be read is as good as none: a refusal renews it
		default:
			err = sc.skip()
		}
		return err
	})
	if err == nil && s.url == "" {
		err = &Error{class: Permanent, Text: "no import URL in the answer"}
	}
	if err == nil {
		err = c.importHost(s.url)
	}
	return s, err
}

var mailboxID = regexp.MustCompile(`MBX:[0-9A-Za-z-]+@[0-9A-Za-z-]+`)

// elsewhere gives the mailbox that a refused import belongs to: folders of an archive may lie in another one.
func (c *Client) elsewhere(err error) string {
	var e *Error
	if !c.opts.Archive || !errors.As(err, &e) || e.Status != http.StatusConflict {
		return ""
	}
	return mailboxID.FindString(e.target)
}
