package exchangetest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// found is an item of a listing with the content it had when the mailbox was locked.
type found struct {
	it  *item
	rev *revision
}

func (c *call) findItem(unit *etree.Element) (content, *failure) {
	s, f := readShape(child(c.body, "ItemShape"))
	if f != nil {
		return nil, f
	}
	for _, name := range []string{"GroupBy", "DistinguishedGroupBy", "QueryString", "SeekToConditionPageItemView", "ContactsView"} {
		if child(c.body, name) != nil {
			return nil, fail("ErrorUnsupportedQueryFilter") // todo: EWS FindItem, groups, views and queries
		}
	}
	list, f := c.listItems(unit)
	if f != nil {
		return nil, f
	}
	if e := child(c.body, "CalendarView"); e != nil {
		if list, f = calendarView(list, e); f != nil {
			return nil, f
		}
	}
	if e := child(c.body, "Restriction"); e != nil {
		if list, f = restrict(list, e.ChildElements()); f != nil {
			return nil, f
		}
	}
	if e := child(c.body, "SortOrder"); e != nil {
		if f := sortItems(list, e); f != nil {
			return nil, f
		}
	}
	view := child(c.body, "IndexedPageItemView")
	if view == nil {
		view = child(c.body, "FractionalPageItemView")
	}
	p, f := c.readPage(view, len(list))
	if f != nil {
		return nil, f
	}
	views := c.viewAll(list[p.from:p.to])
	return rootFolder(p, "t:Items", len(views), func(x *xmlWriter, i int) error {
		return writeItem(x, views[i], s, listing)
	}), nil
}

func (c *call) viewAll(list []found) []itemView {
	c.mailbox.mu.RLock()
	defer c.mailbox.mu.RUnlock()
	var views []itemView
	for _, e := range list {
		views = append(views, c.mailbox.viewItem(e.it))
	}
	return views
}

// listItems lists a folder, the last that came first. SoftDeleted finds nothing since Exchange 2010.
func (c *call) listItems(unit *etree.Element) ([]found, *failure) {
	m := c.mailbox
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, f := c.folderOf(unit, "ErrorFolderNotFound")
	if f != nil {
		return nil, f
	}
	traversal := attr(c.body, "Traversal")
	if traversal == "SoftDeleted" {
		return nil, nil
	}
	items := slices.Clip(m.itemsOf(at))
	if at.search {
		m.special["msgfolderroot"].walk(func(f *folder) { items = append(items, m.itemsOf(f)...) })
	}
	var list []found
	for _, it := range slices.Backward(items) {
		if it.associated == (traversal == "Associated") {
			list = append(list, found{it, it.rev})
		}
	}
	return list, nil
}

// sortItems orders by the fields that listings are sorted by.
func sortItems(list []found, order *etree.Element) *failure {
	var compare []func(a, b found) int
	for e := range order.ChildElementsSeq() {
		by, f := comparer(e.ChildElements()[0])
		if f != nil {
			return f
		}
		if attr(e, "Order") == "Descending" {
			up := by
			by = func(a, b found) int { return up(b, a) }
		}
		compare = append(compare, by)
	}
	slices.SortStableFunc(list, func(a, b found) int {
		for _, by := range compare {
			if n := by(a, b); n != 0 {
				return n
			}
		}
		return 0
	})
	return nil
}

// comparer compares by a property: those of listings by what is kept of an item, others by reading it.
func comparer(path *etree.Element) (func(a, b found) int, *failure) {
	if by, known := comparers()[attr(path, "FieldURI")]; known {
		return by, nil
	}
	get, f := readOperand(path)
	if f != nil {
		return nil, fail("ErrorUnsupportedPathForSortGroup")
	}
	texts := map[*revision]string{}
	value := func(e found) string {
		text, known := texts[e.rev]
		if !known {
			if m, err := e.rev.source.message(64 << 10); err == nil {
				text, _ = get(e, m)
			}
			texts[e.rev] = text
		}
		return text
	}
	return func(a, b found) int { return compareTexts(value(a), value(b)) }, nil
}

// calendarView keeps what takes place in a span, in its order. Series are left out: their instances are not modelled.
func calendarView(list []found, view *etree.Element) ([]found, *failure) {
	from, err := parseTime(attr(view, "StartDate"))
	to, wrong := parseTime(attr(view, "EndDate"))
	if err != nil || wrong != nil || to.Before(from) {
		return nil, fail("ErrorCalendarOutOfRange")
	}
	starts := map[*revision]time.Time{}
	list = slices.DeleteFunc(list, func(e found) bool {
		m, err := e.rev.source.message(64 << 10)
		if err != nil || itemElement(e.rev.class) != "t:CalendarItem" || recurrenceOf(m) != nil {
			return true
		}
		start, ok := appointment(lidStart).time(m)
		end, _ := appointment(lidEnd).time(m)
		starts[e.rev] = start
		return !ok || !start.Before(to) || end.Before(from) || end.Equal(from) && start.Before(from)
	})
	slices.SortStableFunc(list, func(a, b found) int { return starts[a.rev].Compare(starts[b.rev]) })
	if most := number(view, "MaxEntriesReturned"); hasAttr(view, "MaxEntriesReturned") {
		list = list[:min(len(list), max(most, 0))]
	}
	return list, nil
}

func comparers() map[string]func(a, b found) int {
	facts := func(e found) *facts {
		f, _ := e.rev.summary() // what cannot be read sorts as empty
		return f
	}
	fold := func(of func(found) string) func(a, b found) int {
		return func(a, b found) int { return cmp.Compare(strings.ToLower(of(a)), strings.ToLower(of(b))) }
	}
	return map[string]func(a, b found) int{
		"item:DateTimeReceived":     func(a, b found) int { return facts(a).Received.Compare(facts(b).Received) },
		"item:DateTimeSent":         func(a, b found) int { return facts(a).Sent.Compare(facts(b).Sent) },
		"item:DateTimeCreated":      func(a, b found) int { return cmp.Compare(a.it.counter, b.it.counter) },
		"item:LastModifiedTime":     func(a, b found) int { return facts(a).modified.Compare(facts(b).modified) },
		"item:Size":                 func(a, b found) int { return cmp.Compare(a.rev.length, b.rev.length) },
		"item:Subject":              fold(func(e found) string { return facts(e).Subject }),
		"item:ItemClass":            fold(func(e found) string { return e.rev.class }),
		"message:From":              fold(func(e found) string { return facts(e).From }),
		"message:InternetMessageId": fold(func(e found) string { return facts(e).MessageID }),
		"message:IsRead":            func(a, b found) int { return cmp.Compare(boolText(a.rev.read), boolText(b.rev.read)) },
	}
}
