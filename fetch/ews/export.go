package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/beevik/etree"

	"mailbrick/fetch/wire"
)

// ExportItems exports items and calls each once for every item, in order, with either its body or its error (an *Error).
// The body streams what was decoded and lives until each returns; what each leaves of it is read and thrown away. item is
// the one asked for, with the change key of the version that was exported.
//
// Nothing may be kept for good before ExportItems has returned nil: that the answer was whole is only known at its end.
// A body that fails with ErrTruncated is lost alone; if ExportItems itself returns ErrTruncated all of the answer is to
// be asked for again. An error of each ends the call and is returned as it is. If the call fails before the server has
// answered, each is not called at all.
//
// Callers keep to 50 items and about 25 MB of declared size a call, and halve it when the error is one of class Shrink.
func (c *Client) ExportItems(ctx context.Context, items []ItemRef, each func(i int, item ItemRef, body io.Reader, err error) error) error {
	if len(items) == 0 {
		return nil
	}
	x := &export{items: items, each: each}
	x.op = &operation{
		name:   "ExportItems",
		splits: len(items) > 1,
		items:  true,
		build: func(e *etree.Element, _ schema, _ func(int) string) {
			ids := e.CreateElement("m:ItemIds")
			for _, item := range items {
				addItemID(ids, ItemRef{ID: item.ID}) // with a change key the server may refuse, without it never does
			}
		},
		read: x.read,
	}
	return c.call(ctx, x.op)
}

// export reads one answer to ExportItems.
type export struct {
	items []ItemRef
	each  func(i int, item ItemRef, body io.Reader, err error) error
	op    *operation

	next     int     // the item whose message comes next
	exported ItemRef // as the message at hand says
	given    bool    // the message at hand had its body
	lost     error   // a body was cut where the caller did not look
}

func (x *export) read(a *answer) error {
	x.next, x.lost = 0, nil
	err := a.messages(func(m *message, t token) error { return x.field(a, m, t) }, func(m *message) error { return x.end(a, m) })
	if err == nil && x.next == 0 {
		err = a.syntax("no message in the answer")
	}
	var stop *stopError
	if errors.As(err, &stop) || !x.op.delivered {
		return err
	}
	if err := x.missing(a, err); err != nil {
		return err
	}
	return errors.Join(err, x.lost)
}

func (x *export) field(a *answer, m *message, t token) (err error) {
	switch t.Name.Local {
	case "ItemId":
		x.exported, err = a.itemID(t)
		return err
	case "Data":
		if x.given {
			return a.syntax("data given twice")
		}
		return x.body(a, m)
	}
	return a.skip()
}

// body hands out the data that begins here.
func (x *export) body(a *answer, m *message) error {
	if m.index >= len(x.items) {
		return a.syntax("more messages than items")
	}
	item := x.items[m.index]
	if x.exported.ChangeKey != "" {
		item.ChangeKey = x.exported.ChangeKey
	}
	if x.misplaced(item) {
		x.lost = errors.Join(x.lost, fmt.Errorf("%w: items in another order than they were asked for", ErrTruncated))
	}
	b := &body{a: a, d: wire.NewDecoder(a.chunk)}
	if err := x.deliver(item, b, nil); err != nil {
		return err
	}
	x.given = true
	if b.err == nil {
		x.lost = errors.Join(x.lost, drain(b))
	}
	return b.finish()
}

// misplaced: the answer names another item of this request where item should be. Ids that were not asked for say nothing:
// servers are known to give ids of their own.
func (x *export) misplaced(item ItemRef) bool {
	return x.exported.ID != "" && x.exported.ID != item.ID &&
		slices.ContainsFunc(x.items, func(it ItemRef) bool { return it.ID == x.exported.ID })
}

// deliver calls each for the next item.
func (x *export) deliver(item ItemRef, body io.Reader, itemErr error) error {
	x.op.delivered = true
	i := x.next
	x.next++
	if err := x.each(i, item, body, itemErr); err != nil {
		return &stopError{err}
	}
	return nil
}

// end is the end of a message: one without data is the error of its item.
func (x *export) end(a *answer, m *message) error {
	given := x.given
	x.given, x.exported = false, ItemRef{}
	switch {
	case m.index >= len(x.items):
		return a.syntax("more messages than items")
	case given:
		return nil
	}
	e := m.err(a.client)
	if !m.failed() {
		e = &Error{class: Transient, Text: "exported without data"}
	}
	e.Operation, e.Status = x.op.name, 200
	if e.Class() == BackOff && !x.op.delivered {
		return e // the server is busy, not the item at fault: the whole is asked for again
	}
	if e.Class() == BackOff || e.BackOff > 0 {
		a.op.permit.Tell(a.client.signal(e))
	}
	return x.deliver(x.items[m.index], nil, e)
}

// missing gives an error to every item that the answer did not come to.
func (x *export) missing(a *answer, err error) error {
	for x.next < len(x.items) {
		e := &Error{Operation: x.op.name, class: Transient, Text: "the server gave no answer for this item"}
		if err != nil {
			judged := a.judge(err)
			if !errors.As(judged, &e) {
				return err // the context has ended
			}
		}
		if err := x.deliver(x.items[x.next], nil, e); err != nil {
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
	a     *answer
	d     *wire.Decoder
	begun bool
	ended bool // the element is over
	err   error
}

func (b *body) Read(p []byte) (int, error) {
	if !b.begun && b.err == nil {
		b.begun = true
		b.err = b.start()
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.d.Read(p)
	if err == io.EOF && b.d.Decoded() == 0 {
		err = errNoData
	}
	b.err = b.judge(err)
	return n, b.err
}

// start goes to the text of the element; data that are empty are as bad as data that are cut.
func (b *body) start() error {
	t, err := b.a.next()
	switch {
	case err != nil:
		return b.judge(err)
	case t.Kind == startToken:
		return b.judge(b.a.fail(b.a.syntax("an element within data")))
	case t.Kind == endToken:
		b.ended = true
		return b.judge(errNoData)
	}
	return nil
}

func (b *body) judge(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return b.a.judge(err)
}

// finish goes past the end of the element and ends the life of the body.
func (b *body) finish() error {
	whole := b.err == io.EOF
	b.err = errBodyClosed
	switch {
	case b.ended:
		return nil
	case !whole:
		return b.a.skip()
	}
	t, err := b.a.next()
	if err == nil && t.Kind != endToken {
		err = b.a.fail(b.a.syntax("an element within data"))
	}
	return err
}
