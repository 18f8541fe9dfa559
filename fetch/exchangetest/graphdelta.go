package exchangetest

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Scopes of Graph's tokens, see changelog.go. The token that goes on within a
// round is another than the one that ends it.
const (
	scopeGraphItems byte = 0x10 + iota
	scopeGraphFolders
	scopeWithin byte = 0x80
)

// deltaRound is what a token stands for: where a client is, and what it asked for when it began.
type deltaRound struct {
	point syncPoint
	since uint64
	query string // options of the first request
}

// token is the opaque text of a state and a query.
func (r deltaRound) token(l changeLog, number uint64) string {
	state := base64.StdEncoding.EncodeToString(r.point.mark(l, number))
	return base64.RawURLEncoding.EncodeToString([]byte(state + "\n" + r.query))
}

// resume reads the token that the query has, or begins a round. The mailbox is locked.
func (c *graphCall) resume(point syncPoint, l changeLog) (deltaRound, *failure) {
	r := deltaRound{point: point}
	token := c.query.other.Get("$deltatoken")
	if skip := c.query.other.Get("$skiptoken"); skip != "" {
		token, r.point.scope = skip, point.scope|scopeWithin
	}
	if token == "" {
		r.query = c.keptQuery().Encode()
		return r, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	state, query, whole := strings.Cut(string(raw), "\n")
	if err != nil || !whole {
		return r, fail("SyncStateInvalid").say("The sync state is invalid: badly formed token.")
	}
	var f *failure
	if r.since, f = r.point.number(l, state); f != nil {
		return r, fail("syncStateNotFound").say("The sync state generation is not found; a full synchronization is required.")
	}
	r.point.scope, r.query = point.scope, query
	return r, c.restore(query)
}

// keptQuery are the options that a round keeps: clients do not send them again.
func (c *graphCall) keptQuery() url.Values {
	kept := url.Values{}
	given := c.r.URL.Query()
	for _, name := range []string{"$select", "$filter", "$top", "$orderby"} {
		if given.Has(name) {
			kept.Set(name, given.Get(name))
		}
	}
	return kept
}

// restore puts back the options that the round began with.
func (c *graphCall) restore(query string) *failure {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fail("SyncStateInvalid")
	}
	for name, list := range values {
		if f := c.query.read(name, list[0]); f != nil {
			return f
		}
	}
	return nil
}

// deltaLink is the address to go on at: now, or when the client wants to know more.
func (c *graphCall) deltaLink(r deltaRound, l changeLog, upTo uint64, last bool) member {
	if last {
		return member{"@odata.deltaLink", c.link("$deltatoken=" + r.token(l, upTo))}
	}
	r.point.scope |= scopeWithin
	return member{"@odata.nextLink", c.link("$skiptoken=" + r.token(l, upTo))}
}

// itemDelta tells the changes of a folder's items since the token, or all its items.
func (c *graphCall) itemDelta() *failure {
	if f := c.checkDelta(); f != nil {
		return f
	}
	list, link, f := c.itemPage()
	if f != nil {
		return f
	}
	values := make([]object, 0, len(list))
	for _, t := range list {
		if o, ok := c.toldItem(t); ok {
			values = append(values, o)
		}
	}
	if c.struck(ActionRepeat) && len(values) > 0 {
		values = append(values, values[0])
	}
	return c.answer(http.StatusOK, object{
		{"@odata.context", c.context("Collection(mailboxItem)")}, link, {"value", values}})
}

// checkDelta refuses what a delta does not filter or order by.
func (c *graphCall) checkDelta() *failure {
	q := &c.query
	if q.filter != nil && (q.filter.field != "receivedDateTime" || q.filter.op != "ge" && q.filter.op != "gt") {
		return badQuery("The $filter of a delta is receivedDateTime ge or gt.")
	}
	if q.order != nil && (len(q.order) != 1 || q.order[0] != orderKey{"receivedDateTime", true}) {
		return badQuery("The $orderby of a delta is receivedDateTime desc.")
	}
	if q.other.Has("$deltatoken") && q.other.Has("$skiptoken") {
		return badQuery("A delta has one token.")
	}
	return nil
}

// itemPage takes the changes of one page while the mailbox is locked.
func (c *graphCall) itemPage() (list []told, link member, f *failure) {
	m := c.box
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, f := c.graphFolder()
	if f != nil {
		return nil, link, f
	}
	if at.search {
		return nil, link, fail("ErrorInvalidFolderTypeForOperation")
	}
	r, f := c.resume(syncPoint{scopeGraphItems, m.guid, at.counter}, at.changes)
	if f != nil {
		return nil, link, f
	}
	if c.struck(ActionEmptyPage) {
		return nil, c.deltaLink(r, at.changes, r.since, false), nil
	}
	list, upTo := m.itemChanges(at, r.since, c.pageSize(), func(_ uint64, associated bool) bool { return associated })
	return list, c.deltaLink(r, at.changes, upTo, at.changes.after(upTo) == at.changes.len()), nil
}

// toldItem is one change, if the filter lets it through.
func (c *graphCall) toldItem(t told) (object, bool) {
	if t.kind == changeDelete {
		return removed("mailboxItem", t.id), true
	}
	if q := c.query.filter; q != nil {
		f, err := t.item.rev.summary()
		if err != nil || !q.compares(stampText(f.Received)) {
			return nil, false
		}
	}
	return c.entityObject(c.itemEntity(t.item)), true
}

// removed is the entry of what is gone.
func removed(kind, id string) object {
	return object{{"@odata.type", "#microsoft.graph." + kind}, {"id", restID(id)}, {"@removed", object{{"reason", "deleted"}}}}
}

// struck says whether a fault that changes an answer was ordered.
func (c *graphCall) struck(a Action) bool {
	for _, d := range c.due {
		if d.Action == a {
			return true
		}
	}
	return false
}

// folderDelta tells the changes of the folders below one, at any depth, or of all below the root.
func (c *graphCall) folderDelta() *failure {
	if f := c.checkDelta(); f != nil {
		return f
	}
	values, link, f := c.folderPage()
	if f != nil {
		return f
	}
	if c.struck(ActionRepeat) && len(values) > 0 {
		values = append(values, values[0])
	}
	return c.answer(http.StatusOK, object{
		{"@odata.context", c.context("Collection(mailboxFolder)")}, link, {"value", values}})
}

// folderPage takes the changes of one page. They go by number, so that a round
// may end anywhere; of a folder the last change counts.
func (c *graphCall) folderPage() (values []object, link member, f *failure) {
	m := c.box
	m.mu.RLock()
	defer m.mu.RUnlock()
	root := m.top()
	if _, named := c.vars["folder"]; named {
		if root, f = c.graphFolder(); f != nil {
			return nil, link, f
		}
	}
	r, f := c.resume(syncPoint{scopeGraphFolders, m.guid, root.counter}, m.changes)
	if f != nil {
		return nil, link, f
	}
	values = []object{}
	if c.struck(ActionEmptyPage) {
		return values, c.deltaLink(r, m.changes, r.since, false), nil
	}
	list := slices.DeleteFunc(m.folderChanges(root, r.since), func(t told) bool {
		return m.part == partAuxiliary && t.kind != changeDelete && t.folder.home != partAuxiliary
	})
	slices.SortFunc(list, func(a, b told) int { return cmp.Compare(a.number, b.number) })
	upTo, size := m.changes.last(), c.pageSize()
	if len(list) > size {
		list = list[:size]
		upTo = list[size-1].number
	}
	for _, t := range list {
		values = append(values, c.toldFolder(t))
	}
	return values, c.deltaLink(r, m.changes, upTo, upTo == m.changes.last()), nil
}

// toldFolder is one change: without $select, little more than the name.
func (c *graphCall) toldFolder(t told) object {
	if t.kind == changeDelete {
		return removed("mailboxFolder", t.id)
	}
	e := c.folderEntity(t.folder)
	if c.query.fields != nil {
		return c.entityObject(e)
	}
	return slices.DeleteFunc(e.object, func(m member) bool {
		return !slices.Contains([]string{"@odata.type", "id", "displayName", "wellKnownName"}, m.name)
	})
}
