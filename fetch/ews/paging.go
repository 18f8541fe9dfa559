package ews

import (
	"context"
	"strconv"
)

const (
	pageSize = 1000 // what a server gives at most
	minPage  = 10

	maxListed = 5000 // entries of a page: a server may give more than it was asked for, but not without end
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

	seen, following int // of the page being read
	ended           bool
}

func newPaging() *paging { return &paging{size: pageSize} }

// next gets the page at offset.
func (p *paging) next(ctx context.Context, c *Client, op *operation) error {
	if err := c.shrinking(ctx, &p.size, minPage, op); err != nil {
		return err
	}
	return p.advance(op)
}

func (p *paging) advance(op *operation) error {
	p.last = p.ended
	if p.last {
		return nil
	}
	if p.following <= p.offset {
		return &Error{Operation: op.name, class: Permanent, Text: "the server's pages do not advance"}
	}
	p.offset = p.following
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
