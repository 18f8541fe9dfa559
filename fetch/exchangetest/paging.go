package exchangetest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// maxPage is the find count limit: no page is longer, whatever was asked for.
const maxPage = 1000

// maxRestricted is that limit for lists with a restriction, where there are budgets.
const maxRestricted = 250

// page is the part of a list that an answer holds.
type page struct {
	from, to int
	attrs    []string // of RootFolder
}

// readPage cuts a list of total entries as the request's view says. EWS:
// IndexedPageView counts from the beginning or the end, FractionalPageView
// begins at a fraction; no view is the whole list, as far as it goes.
func (c *call) readPage(view *etree.Element, total int) (page, *failure) {
	if view == nil {
		most, f := c.rows(maxPage, total)
		return newPage(0, most, total, nil), f
	}
	most := maxPage
	if hasAttr(view, "MaxEntriesReturned") {
		if most = number(view, "MaxEntriesReturned"); most < 1 {
			return page{}, fail("ErrorInvalidPagingMaxRows")
		}
	}
	most, f := c.rows(most, total)
	if f != nil {
		return page{}, f
	}
	if strings.HasPrefix(view.Tag, "Fractional") {
		return fractionalPage(view, total, most)
	}
	offset := number(view, "Offset")
	if offset < 0 {
		return page{}, fail("ErrorInvalidIndexedPagingParameters")
	}
	if attr(view, "BasePoint") == "End" {
		return pageFromEnd(offset, most, total), nil
	}
	p := newPage(offset, most, total, nil)
	p.attrs = append([]string{"IndexedPagingOffset", strconv.Itoa(p.to)}, p.attrs...)
	return p, nil
}

// rows is how many rows the page may have. They count against what all listings
// of the budget may hold at once; the page is cut to what is left. EWS 14
func (c *call) rows(most, total int) (int, *failure) {
	most = min(most, maxPage)
	if c.ticket.limits.FindCount == 0 || total == 0 {
		return most, nil
	}
	if child(c.body, "Restriction") != nil || child(c.body, "QueryString") != nil {
		most = min(most, maxRestricted)
	}
	granted := c.ticket.find(min(most, total))
	if granted > 0 {
		return granted, nil
	}
	if c.version < slices.Index(versions(), "Exchange2010_SP1") {
		return 0, fail("ErrorServerBusy") // the older schema has no code for it
	}
	return 0, fail("ErrorExceededFindCountLimit")
}

func fractionalPage(view *etree.Element, total, most int) (page, *failure) {
	n, d := number(view, "Numerator"), number(view, "Denominator")
	if n < 0 || d < 1 || n > d {
		return page{}, fail("ErrorInvalidFractionalPagingParameters")
	}
	p := newPage(int(int64(total)*int64(n)/int64(d)), most, total, nil)
	p.attrs = append([]string{"NumeratorOffset", strconv.Itoa(p.to), "AbsoluteDenominator", strconv.Itoa(max(total, 1))}, p.attrs...)
	return p, nil
}

// pageFromEnd is the page before the last offset entries; its range ends at the beginning of the list.
func pageFromEnd(offset, most, total int) page {
	to := max(total-offset, 0)
	from := max(to-most, 0)
	p := page{from: from, to: to}
	p.attrs = []string{"IndexedPagingOffset", strconv.Itoa(total - from), "TotalItemsInView", strconv.Itoa(total),
		"IncludesLastItemInRange", boolText(from == 0)}
	return p
}

func newPage(from, most, total int, attrs []string) page {
	from = min(from, total)
	to := min(from+most, total)
	return page{from, to, append(attrs, "TotalItemsInView", strconv.Itoa(total), "IncludesLastItemInRange", boolText(to == total))}
}

func number(e *etree.Element, name string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(attr(e, name))) // the schema saw to it
	return n
}
