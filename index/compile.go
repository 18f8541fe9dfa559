package index

import (
	"fmt"
	"slices"
	"strings"

	"mailbrick/index/kql"
)

// condition decides over one occurrence: doc is its document's number in the word index.
type condition interface {
	holds(doc uint64, r *row) bool
	// within gives a set of documents outside which the condition never holds; nil when there is no such set.
	within() *bitset
}

// contentCondition holds for all occurrences of its documents.
type contentCondition struct{ docs *bitset }

func (c contentCondition) holds(doc uint64, _ *row) bool { return c.docs.has(doc) }
func (c contentCondition) within() *bitset               { return c.docs }

// rowCondition looks at the occurrence alone.
type rowCondition func(*row) bool

func (c rowCondition) holds(_ uint64, r *row) bool { return c(r) }
func (c rowCondition) within() *bitset             { return nil }

type andCondition []condition

func (c andCondition) holds(doc uint64, r *row) bool {
	for _, one := range c {
		if !one.holds(doc, r) {
			return false
		}
	}
	return true
}

func (c andCondition) within() *bitset {
	var docs *bitset
	for _, one := range c {
		w := one.within()
		switch {
		case w == nil:
		case docs == nil:
			docs = w.clone()
		default:
			docs.and(w)
		}
	}
	return docs
}

type orCondition []condition

func (c orCondition) holds(doc uint64, r *row) bool {
	for _, one := range c {
		if one.holds(doc, r) {
			return true
		}
	}
	return false
}

func (c orCondition) within() *bitset {
	docs := &bitset{}
	for _, one := range c {
		w := one.within()
		if w == nil {
			return nil
		}
		docs.or(w)
	}
	return docs
}

type notCondition struct{ condition }

func (c notCondition) holds(doc uint64, r *row) bool { return !c.condition.holds(doc, r) }
func (c notCondition) within() *bitset               { return nil }

// isContent tells whether a node asks for nothing that differs from copy to copy.
func isContent(n kql.Node) bool {
	switch n := n.(type) {
	case *kql.And:
		return !slices.ContainsFunc(n.Nodes, func(n kql.Node) bool { return !isContent(n) })
	case *kql.Or:
		return !slices.ContainsFunc(n.Nodes, func(n kql.Node) bool { return !isContent(n) })
	case *kql.Not:
		return isContent(n.Node)
	case *kql.Text:
		return textFields(n.Property) != nil || addressFields(n.Property) != nil
	case *kql.Time:
		return n.Property == kql.Sent
	case *kql.Flag:
		return n.Property == kql.HasAttachment
	}
	return false
}

// compiler makes trees conditions, for one search.
type compiler struct {
	*lookup
	names   *names
	folders func() *folderPaths // nil: paths are those in the rows
}

// compile makes a tree a condition. The largest parts that are content alone become one set each.
func (c *compiler) compile(n kql.Node) (condition, error) {
	if isContent(n) {
		docs, err := c.content(n)
		return contentCondition{docs}, err
	}
	switch n := n.(type) {
	case *kql.And:
		list, err := c.compileAll(n.Nodes, func(n []kql.Node) kql.Node { return &kql.And{Nodes: n} })
		return andCondition(list), err
	case *kql.Or:
		list, err := c.compileAll(n.Nodes, func(n []kql.Node) kql.Node { return &kql.Or{Nodes: n} })
		return orCondition(list), err
	case *kql.Not:
		negated, err := c.compile(n.Node)
		return notCondition{negated}, err
	case *kql.Time:
		return c.compileTime(n)
	case *kql.Size:
		return rowCondition(func(r *row) bool { return r.size >= n.Min && r.size <= n.Max }), nil
	case *kql.Flag:
		return rowCondition(func(r *row) bool { return r.flags&flagRead != 0 == n.Value }), nil
	case *kql.Text:
		return c.compileName(n)
	}
	return nil, fmt.Errorf("query: %T is not supported", n)
}

// compileAll compiles nodes of one list, those of content as one.
func (c *compiler) compileAll(nodes []kql.Node, join func([]kql.Node) kql.Node) ([]condition, error) {
	var content, others []kql.Node
	for _, n := range nodes {
		if isContent(n) {
			content = append(content, n)
		} else {
			others = append(others, n)
		}
	}
	if len(content) > 0 {
		others = append([]kql.Node{join(content)}, others...)
	}
	list := make([]condition, len(others))
	for i, n := range others {
		one, err := c.compile(n)
		if err != nil {
			return nil, err
		}
		list[i] = one
	}
	return list, nil
}

func (c *compiler) compileTime(n *kql.Time) (condition, error) {
	first, last := tickRange(n)
	received := rowCondition(func(r *row) bool { return r.received >= first && r.received <= last })
	if n.Property != kql.Date {
		return received, nil
	}
	sent, err := c.sent(n)
	return orCondition{contentCondition{sent}, received}, err
}

// compileName makes a condition on one of the names that rows hold as numbers.
func (c *compiler) compileName(n *kql.Text) (condition, error) {
	value := strings.ToLower(n.Value)
	named := func(kind byte, number func(*row) uint32, match func(string) bool) condition {
		found := c.names.matching(kind, func(name string) bool { return match(strings.ToLower(name)) })
		return rowCondition(func(r *row) bool { return found[number(r)] })
	}
	class := func(r *row) uint32 { return r.class }
	switch n.Property {
	case kql.ItemClass:
		return named(nameClass, class, matchWhole(value, n.Prefix)), nil
	case kql.Kind:
		return named(nameClass, class, func(c string) bool { return kindOf(c) == singular(value) }), nil
	case kql.Mailbox:
		return named(nameMailbox, func(r *row) uint32 { return r.mailbox }, matchWhole(value, n.Prefix)), nil
	case kql.FolderPath:
		return c.compileFolder(matchPath(value, n.Prefix, n.Exact)), nil
	}
	return nil, &kql.Error{Column: n.Column, Problem: fmt.Sprintf("%s cannot be searched", n.Property)}
}

// compileFolder makes a condition on the path, in lower case, of the folder.
func (c *compiler) compileFolder(matchLower func(string) bool) condition {
	match := func(path string) bool { return matchLower(strings.ToLower(path)) }
	stored := c.names.matching(nameFolder, match)
	if c.folders == nil {
		return rowCondition(func(r *row) bool { return stored[r.folder] })
	}
	return c.folders().condition(match, stored)
}

func matchWhole(value string, prefix bool) func(string) bool {
	if prefix {
		return func(s string) bool { return strings.HasPrefix(s, value) }
	}
	return func(s string) bool { return s == value }
}

// matchPath matches a folder and, unless exact, those below it.
func matchPath(value string, prefix, exact bool) func(string) bool {
	value = strings.Trim(value, "/")
	return func(s string) bool {
		s = strings.Trim(s, "/")
		return s == value || !exact && strings.HasPrefix(s, value+"/") || prefix && strings.HasPrefix(s, value)
	}
}

// kindOf gives the kind of a message class, both in lower case; "" when it has none.
func kindOf(class string) string {
	for _, k := range []struct{ prefix, kind string }{
		{"ipm.note.microsoft.conversation", "im"}, {"ipm.note.microsoft.voicemail", "voicemail"},
		{"ipm.note.rpmsg.microsoft.voicemail", "voicemail"}, {"ipm.note.microsoft.fax", "fax"}, {"ipm.note", "email"},
		{"ipm.appointment", "meetings"}, {"ipm.schedule", "meetings"}, {"ipm.contact", "contacts"},
		{"ipm.distlist", "contacts"}, {"ipm.task", "tasks"}, {"ipm.stickynote", "notes"}, {"ipm.activity", "journals"},
		{"ipm.post.rss", "rssfeeds"}, {"ipm.post", "posts"}, {"ipm.document", "docs"},
		{"ipm.skypeteams", "microsoftteams"}, {"ipm.externaldata", "externaldata"},
	} {
		if rest, ok := strings.CutPrefix(class, k.prefix); ok && (rest == "" || rest[0] == '.') {
			return k.kind
		}
	}
	return ""
}

// singular makes the two names of a kind one.
func singular(kind string) string {
	if kind == "faxes" {
		return "fax"
	}
	return kind
}

// content answers a tree of content as one set. An AND takes what must not be there away from what must, so that all
// documents are only gone through where nothing else is asked for.
func (l *lookup) content(n kql.Node) (*bitset, error) {
	switch n := n.(type) {
	case *kql.And:
		return l.contentAnd(n.Nodes)
	case *kql.Or:
		docs := &bitset{}
		for _, one := range n.Nodes {
			found, err := l.content(one)
			if err != nil {
				return nil, err
			}
			docs.or(found)
		}
		return docs, nil
	case *kql.Not:
		return l.contentAnd([]kql.Node{n})
	case *kql.Text:
		return l.text(n)
	case *kql.Time:
		return l.sent(n)
	case *kql.Flag:
		return l.flag(n)
	}
	return nil, fmt.Errorf("query: %T is not content", n)
}

func (l *lookup) contentAnd(nodes []kql.Node) (*bitset, error) {
	var docs *bitset
	var without []kql.Node
	for _, n := range nodes {
		if not, ok := n.(*kql.Not); ok {
			without = append(without, not.Node)
			continue
		}
		found, err := l.content(n)
		if err != nil {
			return nil, err
		}
		if docs == nil {
			docs = found
		} else {
			docs.and(found)
		}
	}
	if docs == nil {
		all, err := l.everything()
		if err != nil {
			return nil, err
		}
		docs = all.clone()
	}
	for _, n := range without {
		found, err := l.content(n)
		if err != nil {
			return nil, err
		}
		docs.andNot(found)
	}
	return docs, nil
}
