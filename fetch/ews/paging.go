package ews

import (
	"context"
	"errors"
	"iter"
	"strconv"

	"mailbrick/fetch/wire"
)

const (
	pageSize = 1000 // what a server gives at most
	minPage  = 10

	// Entries of a page, and events of a notification. Servers give 1,000 of a find, 512 changes and 50 events at most, by their
	// documentation; where an administrator has raised that, a page of five times as much still is one that ends.
	maxListed = 5000
)

// tooMany refuses a page that does not end.
func (a *answer) tooMany() error {
	return &Error{Operation: a.op.name, class: Permanent, Text: "a page of more than " + strconv.Itoa(maxListed) + " entries"}
}

// paging walks through the pages of a find. The server may cut a page short at any place: only IncludesLastItemInRange
// ends the walk, and only its own offset leads on.
type paging struct {
	size, offset int
	last         bool
	trail        wire.Trail

	seen, following int // of the page being read
	ended           bool
}

func newPaging() *paging { return &paging{size: pageSize} }

// next gets the page at offset, whose entries are told then.
func (p *paging) next(ctx context.Context, c *Client, op *operation, entries iter.Seq[string]) error {
	if err := c.shrinking(ctx, &p.size, minPage, op); err != nil {
		return err
	}
	return p.advance(op, entries)
}

func (p *paging) advance(op *operation, entries iter.Seq[string]) error {
	p.last = p.ended
	if p.last {
		return nil
	}
	err := errors.New("its pages do not advance")
	if p.following > p.offset {
		p.offset = p.following
		err = p.trail.Step(strconv.Itoa(p.offset), entries)
	}
	if err != nil {
		return &Error{Operation: op.name, class: Permanent, Text: "the list of the server", cause: err}
	}
	return nil
}

// page reads RootFolder: its attributes say where the page stands, its list holds what was found.
func (a *answer) page(p *paging, list string, each func(t token) error) error {
	found := false
	err := a.only(func(t token) error {
		if t.Name.Local != "RootFolder" {
			return a.skip()
		}
		found = true
		p.ended = t.attr("IncludesLastItemInRange") == "true" || t.attr("IncludesLastItemInRange") == "1"
		offset, err := strconv.Atoi(t.attr("IndexedPagingOffset"))
		p.seen = 0
		if err := a.entries(p, list, each); err != nil {
			return err
		}
		if p.following = offset; err != nil {
			p.following = p.offset + p.seen
		}
		return nil
	})
	if err == nil && !found {
		return a.syntax("a find without a result")
	}
	return err
}

func (a *answer) entries(p *paging, list string, each func(t token) error) error {
	return a.children(func(t token) error {
		if t.Name.Local != list {
			return a.skip()
		}
		return a.children(func(t token) error {
			if p.seen++; p.seen > maxListed {
				return a.tooMany()
			}
			return each(t)
		})
	})
}
