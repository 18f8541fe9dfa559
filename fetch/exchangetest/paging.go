package exchangetest

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// maxPage is the find count limit: no page is longer, whatever was asked for.
const maxPage = 1000

// page is the part of a list that an answer holds.
type page struct {
	from, to int
	attrs    []string // of RootFolder
}

// readPage cuts a list of total entries as the request's view says. EWS:
// IndexedPageView counts from the beginning or the end, FractionalPageView
// begins at a fraction; no view is the whole list, as far as it goes.
func readPage(view *etree.Element, total int) (page, *failure) {
	if view == nil {
		return newPage(0, maxPage, total, nil), nil
	}
	most := maxPage
	if hasAttr(view, "MaxEntriesReturned") {
		if most = number(view, "MaxEntriesReturned"); most < 1 {
			return page{}, fail("ErrorInvalidPagingMaxRows")
		}
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
	from := max(to-min(most, maxPage), 0)
	p := page{from: from, to: to}
	p.attrs = []string{"IndexedPagingOffset", strconv.Itoa(total - from), "TotalItemsInView", strconv.Itoa(total),
		"IncludesLastItemInRange", boolText(from == 0)}
	return p
}

func newPage(from, most, total int, attrs []string) page {
	from = min(from, total)
	to := min(from+min(most, maxPage), total)
	return page{from, to, append(attrs, "TotalItemsInView", strconv.Itoa(total), "IncludesLastItemInRange", boolText(to == total))}
}

func number(e *etree.Element, name string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(attr(e, name))) // the schema saw to it
	return n
}
