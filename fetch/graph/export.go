package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"mailbrick/fetch/wire"
)

const (
	exportMost  = 20 // items that the server takes in one export
	easyExports = 10 // exports that go well before more items are asked for again
)

// ExportItems exports items and calls each once for every item with either its body or its error (an *Error), in the
// order of the answers. The body streams what was decoded and lives until each returns; what each leaves of it is read
// and thrown away. item is the one asked for, with the change key of the version that was exported; where an answer tells
// the key only behind the data, it is the one that was asked with, which is older or the same.
//
// It asks for 20 items at a time, and for 10, 5 or 1 where the server breaks down over so many. One over which it breaks down
// alone has its error, and the others come. Nothing may be kept for
// good before ExportItems has returned nil: that an answer was whole is only known at its end. A body that fails with
// ErrTruncated is lost alone; if ExportItems itself returns ErrTruncated all is to be asked for again. An error of each
// ends the call and is returned as it is.
func (c *Client) ExportItems(ctx context.Context, items []ItemRef, each func(i int, item ItemRef, body io.Reader, err error) error) error {
	if len(items) == 0 {
		return nil
	}
	mailbox, err := c.MailboxID(ctx)
	if err != nil {
		return err
	}
	url := c.at(in(mailbox, "exportItems"))
	for start := 0; start < len(items); {
		n := min(c.batchSize(), len(items)-start)
		x := &export{c: c, items: items[start : start+n], first: start, each: each}
		err := x.run(ctx, url)
		var e *Error
		if n > 1 && errors.As(err, &e) && e.Class() == Shrink && !x.op.delivered {
			c.exported(n, false)
			continue
		}
		if errors.As(err, &e) && e.Unanswered() && !errors.Is(err, ErrTruncated) && len(items) > 1 && !x.op.delivered {
			err = each(start, items[start], nil, err) // those that came and those that follow need not suffer
		}
		if err != nil {
			return err
		}
		c.exported(n, true)
		start += n
	}
	return nil
}

func (c *Client) batchSize() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.batch
}

// exported learns from an export of n items how many to ask for.
func (c *Client) exported(n int, well bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sizes := []int{1, 5, 10, exportMost}
	at := slices.Index(sizes, c.batch)
	if !well {
		for at > 0 && sizes[at] >= n {
			at--
		}
		c.batch, c.easy = sizes[at], 0
		return
	}
	if c.easy++; c.easy >= easyExports && at < len(sizes)-1 {
		c.batch, c.easy = sizes[at+1], 0
	}
}

// export reads the answer to one request.
type export struct {
	c     *Client
	items []ItemRef
	first int // what each calls the first of them
	each  func(i int, item ItemRef, body io.Reader, err error) error
	op    *operation

	done  []bool
	moved map[string][]int // by the link under which they are
	hops  int              // how often the items have moved before
	lost  error            // a body was cut where the caller did not look
}

func (x *export) run(ctx context.Context, url string) error {
	ids := make([]string, len(x.items))
	for i, item := range x.items {
		ids[i] = item.ID
	}
	body, err := json.Marshal(map[string][]string{"itemIds": ids})
	if err != nil {
		return err
	}
	x.op = &operation{name: "exportItems", method: http.MethodPost, url: url, json: body, read: x.read,
		limit: maxExportAnswer, splits: len(x.items) > 1, items: true}
	err = x.c.call(ctx, x.op)
	if err == nil && len(x.moved) > 0 {
		err = x.follow(ctx)
	}
	return err
}

// read reads the collection. What it did not come to has an error each, once something was given.
func (x *export) read(s *scanner) error {
	x.done, x.lost, x.moved = make([]bool, len(x.items)), nil, nil
	position := 0
	_, err := x.c.page(s, func() error {
		err := x.entry(s, position)
		position++
		return err
	})
	var stop *stopError
	if errors.As(err, &stop) {
		return err
	}
	if err != nil && !x.op.delivered {
		return err
	}
	if missing := x.missing(err); missing != nil {
		return missing
	}
	return errors.Join(err, x.lost)
}

// entry is one exportItemResponse. Its members come in any order.
func (x *export) entry(s *scanner, position int) error {
	var id, changeKey string
	var itemErr *Error
	index, given := -1, false
	err := s.object(func(name string) (err error) {
		switch strings.ToLower(name) {
		case "itemid":
			id, err = s.text()
		case "changekey":
			changeKey, err = s.text()
		case "error":
			itemErr, err = x.itemError(s)
		case "data":
			if null, err := s.none(); null || err != nil {
				return err
			}
			if given {
				return s.syntax("data given twice")
			}
			given = true
			if index, err = x.index(s, id, position); err != nil {
				return err
			}
			return x.body(s, index, changeKey)
		default:
			err = s.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	after, err := x.index(s, id, position)
	switch {
	case given && after != index:
		return fmt.Errorf("%w: items in another order than they were asked for", ErrTruncated)
	case given:
		return nil
	case err != nil:
		return err
	}
	return x.failed(after, itemErr)
}

// index finds which item is meant. Servers may give ids of their own: then the position says it.
func (x *export) index(s *scanner, id string, position int) (int, error) {
	at := slices.IndexFunc(x.items, func(it ItemRef) bool { return it.ID == id })
	if at < 0 {
		at = position
	}
	if at >= len(x.items) {
		return 0, s.syntax("more answers than items")
	}
	return at, nil
}

// deliver calls each for an item, which must be the first time.
func (x *export) deliver(i int, item ItemRef, body io.Reader, itemErr error) error {
	if x.done[i] {
		return fmt.Errorf("%w: two answers for one item", ErrTruncated)
	}
	x.done[i], x.op.delivered = true, true
	if err := x.each(x.first+i, item, body, itemErr); err != nil {
		return &stopError{err}
	}
	return nil
}

// body hands out the data that begin here.
func (x *export) body(s *scanner, i int, changeKey string) error {
	if err := s.begin(); err != nil {
		return err
	}
	item := x.items[i]
	if changeKey != "" {
		item.ChangeKey = changeKey
	}
	b := &body{c: x.c, s: s, d: wire.NewDecoder(urlSafe(s.chunk))}
	if err := x.deliver(i, item, b, nil); err != nil {
		return err
	}
	if b.err == nil {
		_, err := io.Copy(io.Discard, b)
		x.lost = errors.Join(x.lost, err)
	}
	b.err = errBodyClosed
	return s.finish()
}

// failed is an answer without data.
func (x *export) failed(i int, e *Error) error {
	if e == nil {
		e = &Error{class: Transient, Text: "exported without data"}
	}
	e.Operation, e.Status = x.op.name, http.StatusOK
	if e.rule() == Moved && x.hops < maxHops && x.c.own(e.target) == nil && x.c.opts.Archive {
		if x.moved == nil {
			x.moved = map[string][]int{}
		}
		x.moved[e.target] = append(x.moved[e.target], i)
		x.done[i], x.op.delivered = true, true
		return nil
	}
	if e.rule() == BackOff {
		if !x.op.delivered {
			return e // the server is busy, not the item at fault: the whole is asked for again
		}
		x.op.permit.Tell(signalOf(e))
	}
	return x.deliver(i, x.items[i], nil, e)
}

func (x *export) itemError(s *scanner) (*Error, error) {
	if null, err := s.none(); null || err != nil {
		return nil, err
	}
	e := &Error{}
	return e, x.c.errorObject(s, e, 0)
}

// missing gives an error to every item that the answer did not come to.
func (x *export) missing(cause error) error {
	for i, done := range x.done {
		if done {
			continue
		}
		e := &Error{Operation: x.op.name, class: Transient, Text: "the server gave no answer for this item"}
		if cause != nil {
			e.cause = ErrTruncated
		}
		if err := x.deliver(i, x.items[i], nil, e); err != nil {
			return err
		}
	}
	return nil
}

// follow exports items from the part of an archive mailbox that they lie in.
func (x *export) follow(ctx context.Context) error {
	for link, indexes := range x.moved {
		items := make([]ItemRef, len(indexes))
		for n, i := range indexes {
			items[n] = x.items[i]
		}
		part := &export{c: x.c, items: items, hops: x.hops + 1, each: func(n int, item ItemRef, body io.Reader, err error) error {
			return x.each(x.first+indexes[n], item, body, err)
		}}
		if err := part.run(ctx, link); err != nil {
			return err
		}
	}
	return nil
}

var (
	errBodyClosed = errors.New("the body is read after its time")
	errNoData     = errors.New("the data are empty")
)

// body is the decoded data of one item.
type body struct {
	c   *Client
	s   *scanner
	d   *wire.Decoder
	err error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.d.Read(p)
	if err == io.EOF && b.d.Decoded() == 0 {
		err = errNoData
	}
	if err != nil && err != io.EOF {
		err = &Error{Operation: "exportItems", Status: http.StatusOK, class: Transient, cause: fmt.Errorf("%w (%w)", ErrTruncated, wire.PlainError(err, b.c.scrub))}
	}
	b.err = err
	return n, err
}

// urlSafe gives base64 of the URL alphabet in the usual one: OData writes streams so, the samples of this API do not.
func urlSafe(chunk func() ([]byte, error)) func() ([]byte, error) {
	return func() ([]byte, error) {
		b, err := chunk()
		for i, c := range b { // the piece is the caller's until the next
			switch c {
			case '-':
				b[i] = '+'
			case '_':
				b[i] = '/'
			}
		}
		return b, err
	}
}
