package exchangetest

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Pages of lists and deltas.
const (
	graphPage    = 10
	graphMaxPage = 1000
)

// graphQuery is the query of a request. [OData-URL] 5.1
type graphQuery struct {
	fields  []string // $select; nil: all
	filter  *filter
	top     int // 0: not given
	skip    int
	order   []orderKey
	count   bool
	single  []extendedField // $expand
	multi   []extendedField
	below   *graphQuery // $expand=childFolders
	other   url.Values  // options that are the operation's own
	pageMax int         // Prefer: odata.maxpagesize; 0: not given
}

type orderKey struct {
	field      string
	descending bool
}

// readQuery reads the options of the query, each at most once and none that the operation does not have.
func (c *graphCall) readQuery() *failure {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return fail("BadRequest").say("The query is not well-formed.")
	}
	c.query = graphQuery{other: url.Values{}, pageMax: maxPageSize(c.r.Header.Values("Prefer"))}
	for name, list := range values {
		if !slices.Contains(strings.Fields(c.route.options), name) {
			return badQuery("The query parameter '" + clipped(name) + "' is not supported.")
		}
		if len(list) > 1 {
			return badQuery("Query option '" + name + "' was specified more than once, but it must be specified at most once.")
		}
		if f := c.query.read(name, list[0]); f != nil {
			return f
		}
	}
	if c.query.below != nil && strings.Contains(c.route.path, "/items") {
		return badSyntax("Could not find a property named 'childFolders'.")
	}
	return nil
}

func badQuery(text string) *failure  { return fail("ErrorInvalidUrlQuery").say(text) }
func badSyntax(text string) *failure { return fail("RequestBroker--ParseUri").say(text) }

func (q *graphQuery) read(name, value string) (f *failure) {
	switch name {
	case "$select":
		q.fields, f = readSelect(value)
	case "$filter":
		q.filter, f = parseFilter(value)
	case "$top":
		q.top, f = readNumber(name, value, 1, graphMaxPage)
	case "$skip":
		q.skip, f = readNumber(name, value, 0, 1<<31-1)
	case "$orderby":
		q.order, f = readOrder(value)
	case "$count":
		if value != "true" && value != "false" {
			return badQuery("Invalid value '" + clipped(value) + "' for $count query option found.")
		}
		q.count = value == "true"
	case "$expand":
		f = q.readExpand(value)
	default:
		q.other.Set(name, value)
	}
	return f
}

func readNumber(name, value string, low, high int) (int, *failure) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, badQuery("Invalid value '" + clipped(value) + "' for " + name + " query option found.")
	}
	return n, nil
}

// graphFields are the properties of folders and items.
func graphFields() []string {
	return []string{"id", "displayName", "parentFolderId", "parentMailboxUrl", "childFolderCount", "totalItemCount", "wellKnownName",
		"type", "changeKey", "createdDateTime", "lastModifiedDateTime", "categories", "size"}
}

func knownField(name string) *failure {
	if slices.Contains(graphFields(), name) {
		return nil
	}
	return badSyntax("Could not find a property named '" + clipped(name) + "'.")
}

func readSelect(value string) (list []string, f *failure) {
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if f := knownField(name); f != nil {
			return nil, f
		}
		list = append(list, name)
	}
	return list, nil
}

func readOrder(value string) (list []orderKey, f *failure) {
	for part := range strings.SplitSeq(value, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
			return nil, badSyntax("Syntax error in '$orderby'.")
		}
		if f := knownField(words[0]); f != nil && words[0] != "receivedDateTime" {
			return nil, f
		}
		list = append(list, orderKey{words[0], len(words) == 2 && words[1] == "desc"})
	}
	return list, nil
}

// maxPageSize is what Prefer says of it. Preferences that are not known, and
// values that are none, count for nothing. RFC 7240 2
func maxPageSize(headers []string) int {
	for _, h := range headers {
		for p := range strings.SplitSeq(h, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && n > 0 && strings.EqualFold(name, "odata.maxpagesize") {
				return n
			}
		}
	}
	return 0
}

// pageSize is how many entries an answer has at most.
func (c *graphCall) pageSize() int {
	size := graphPage
	if c.query.pageMax > 0 {
		size = min(c.query.pageMax, graphMaxPage)
		c.w.Header().Set("Preference-Applied", "odata.maxpagesize="+strconv.Itoa(size))
	}
	if c.query.top > 0 {
		size = c.query.top
	}
	return size
}

// selected takes from an entity what $select leaves out. The id stays.
func (q *graphQuery) selected(o object) object {
	if q.fields == nil {
		return o
	}
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool {
		return m.name != "id" && !strings.Contains(m.name, "@") && !strings.HasSuffix(m.name, "ExtendedProperties") && !slices.Contains(q.fields, m.name)
	})
}

// arrange filters and orders a list of entities.
func (q *graphQuery) arrange(list []entity) []entity {
	if q.filter != nil {
		list = slices.DeleteFunc(list, func(e entity) bool { return !q.filter.holds(e) })
	}
	if len(q.order) > 0 {
		slices.SortStableFunc(list, q.compare)
	}
	return list
}

func (q *graphQuery) compare(a, b entity) int {
	for _, k := range q.order {
		n := compareValues(a.value(k.field), b.value(k.field))
		if k.descending {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// compareValues orders texts without regard to case, numbers, and nothing before all.
func compareValues(a, b any) int {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(strings.ToLower(x), strings.ToLower(y))
		}
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(rank(a), rank(b))
}

func rank(v any) int {
	if v == nil {
		return 0
	}
	return 1
}

// received says whether the query is about receivedDateTime, which only deltas know.
func (q *graphQuery) received() bool {
	return q.filter.mentions("receivedDateTime") || slices.ContainsFunc(q.order, func(k orderKey) bool { return k.field == "receivedDateTime" })
}

// page writes a list: at most as many entries as a page has, and the address of the next.
func (c *graphCall) page(context string, list []entity) *failure {
	q := &c.query
	if q.received() {
		return badSyntax("Could not find a property named 'receivedDateTime'.")
	}
	list = q.arrange(list)
	total := len(list)
	from := min(q.skip, total)
	to := min(from+c.pageSize(), total)
	o := object{{"@odata.context", c.context(context)}}
	if q.count {
		o = append(o, member{"@odata.count", total})
	}
	values := make([]object, 0, to-from)
	for _, e := range list[from:to] {
		values = append(values, c.entityObject(e))
	}
	o = append(o, member{"value", values})
	if to < total {
		next, _ := url.ParseQuery(c.r.URL.RawQuery)
		next.Set("$skip", strconv.Itoa(to))
		o = append(o, member{"@odata.nextLink", c.link(next.Encode())})
	}
	return c.answer(200, o)
}
