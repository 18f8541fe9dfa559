package index

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
	"mailbrick/index/kql"
)

// occurrence is a version as the brute-force evaluator sees it.
type occurrence struct {
	mailbox, folder string
	id              byte
	from, to        uint32
	size            int64
	letter          *letter
}

func (o *occurrence) String() string { return fmt.Sprintf("%s/%d@%d", o.mailbox, o.id, o.from) }

var (
	vocabulary = []string{"merger", "budget", "budgetary", "gas", "power", "energy", "energetic", "west"}
	peoples    = []mapi.Address{person("Ann Beebe", "ann@contoso.com"), person("Bob O'Neil", "bob.oneil@mail.contoso.com"),
		person("", "spam@fabrikam.com"), person("Smith-Jones, Carol", "/O=FABRIKAM/OU=WEST/CN=CAROL")}
	folders = []string{"Inbox", "Inbox/West", "Sent Items"}
	renamed = map[string]map[string]string{"a@x": {"id of Inbox": "Old", "id of Inbox/West": "Old/West", "id of Sent Items": "Inbox"},
		"b@x": {"id of Inbox": "Sent Items/Inbox"}, "d@x": {"id of Inbox": "Inbox/West"}}
	classes = []string{"IPM.Note", "IPM.Appointment", "IPM.Note.SMIME"}
)

// world is a small random archive and the truth about it.
type world struct {
	random *rand.Rand
	log    *memoryLog
	truth  []*occurrence
	at     uint64
	view   map[string]uint32
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (w *world) words(n int) string {
	var list []string
	for range w.random.IntN(n + 1) {
		list = append(list, pick(w.random, vocabulary))
	}
	return strings.Join(list, pick(w.random, []string{" ", ", ", "-"}))
}

func (w *world) people(n int) (list []mapi.Address) {
	for range w.random.IntN(n + 1) {
		list = append(list, pick(w.random, peoples))
	}
	return list
}

func (w *world) day() time.Time {
	if w.random.IntN(4) == 0 {
		return time.Time{}
	}
	return time.Date(2021, 4, 28, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.random.IntN(10*24)) * time.Hour)
}

func (w *world) letter() *letter {
	l := &letter{class: pick(w.random, classes), subject: w.words(3), body: w.words(6), from: pick(w.random, peoples),
		to: w.people(2), cc: w.people(1), bcc: w.people(1), sent: w.day(), received: w.day(), read: w.random.IntN(2) == 0}
	if w.random.IntN(3) == 0 {
		l.attachments = []string{w.words(2) + ".doc"}
	}
	return l
}

// snapshots makes changes over some snapshots of some mailboxes; letters are shared between them.
func (w *world) snapshots(t *testing.T) {
	letters := make([]*letter, 12)
	for i := range letters {
		letters[i] = w.letter()
	}
	for ordinal := range uint32(4) {
		for _, mailbox := range []string{"a@x", "b@x", "c@x"} {
			if w.at++; w.random.IntN(4) == 0 {
				continue
			}
			w.view[mailbox] = ordinal
			for range w.random.IntN(6) {
				w.change(t, mailbox, ordinal, letters)
			}
		}
	}
}

func (w *world) change(t *testing.T, mailbox string, ordinal uint32, letters []*letter) {
	id := byte(w.random.IntN(8))
	last := w.last(mailbox, id)
	if last != nil && last.to == archive.Forever && w.random.IntN(3) == 0 {
		last.to = ordinal
		w.log.end(w.at, mailbox, id, ordinal)
		return
	}
	copied := *pick(w.random, letters)
	copied.read, copied.received = w.random.IntN(2) == 0, w.day() // what differs from copy to copy
	o := &occurrence{mailbox: mailbox, folder: pick(w.random, folders), id: id, from: ordinal, to: archive.Forever,
		size: 1 + int64(w.random.IntN(99)), letter: &copied}
	switch {
	case last != nil && last.from == ordinal:
		*last = *o
	case last != nil:
		last.to = min(last.to, ordinal)
		fallthrough
	default:
		w.truth = append(w.truth, o)
	}
	w.log.add(w.at, w.log.version(t, mailbox, id, ordinal, o.folder, o.size, &copied))
}

func (w *world) last(mailbox string, id byte) (last *occurrence) {
	for _, o := range w.truth {
		if o.mailbox == mailbox && o.id == id {
			last = o
		}
	}
	return last
}

// query makes a random tree, mostly well filled.
func (w *world) query(depth int) kql.Node {
	if depth > 0 {
		switch w.random.IntN(6) {
		case 0, 1:
			return &kql.And{Nodes: []kql.Node{w.query(depth - 1), w.query(depth - 1)}}
		case 2:
			return &kql.Or{Nodes: []kql.Node{w.query(depth - 1), w.query(depth - 1), w.query(depth - 1)}}
		case 3:
			return &kql.Not{Node: w.query(depth - 1)}
		}
	}
	return w.leaf()
}

func (w *world) leaf() kql.Node {
	r := w.random
	switch r.IntN(9) {
	case 0, 1:
		value := pick(r, vocabulary)
		if r.IntN(3) == 0 {
			value += " " + pick(r, vocabulary)
		}
		if r.IntN(4) == 0 {
			return &kql.Text{Property: pick(r, []kql.Property{"", kql.Subject, kql.Body}), Value: value[:len(value)-2], Prefix: true}
		}
		return &kql.Text{Property: pick(r, []kql.Property{"", kql.Subject, kql.Body, kql.AttachmentNames}), Value: value}
	case 2, 3:
		value := pick(r, []string{"ann", "ann@contoso.com", "contoso.com", "mail.contoso.com", "Ann Beebe", "o'neil", "bob.oneil", "smith-jones",
			"carol", "west", "fabrikam", "", "toso.com", "neil bob"})
		p := pick(r, []kql.Property{kql.From, kql.To, kql.Cc, kql.Bcc, kql.Recipients, kql.Participants})
		if p != kql.From && r.IntN(3) == 0 && value != "" {
			p = kql.Anywhere
		}
		return &kql.Text{Property: p, Value: value, Prefix: value != "" && r.IntN(4) == 0}
	case 4:
		from := time.Date(2021, 4, 27+r.IntN(10), r.IntN(2)*12, 0, 0, 0, time.UTC)
		n := &kql.Time{Property: pick(r, []kql.Property{kql.Sent, kql.Received, kql.Date}), From: from, To: from.Add(time.Duration(1+r.IntN(80)) * time.Hour)}
		if k := r.IntN(4); k == 0 {
			n.From = time.Time{}
		} else if k == 1 {
			n.To = time.Time{}
		}
		return n
	case 5:
		return &kql.Size{Property: kql.SizeBytes, Min: int64(r.IntN(60)), Max: int64(40 + r.IntN(60))}
	case 6:
		return &kql.Flag{Property: pick(r, []kql.Property{kql.HasAttachment, kql.IsRead}), Value: r.IntN(2) == 0}
	case 7:
		return &kql.Text{Property: kql.FolderPath, Value: pick(r, []string{"inbox", "Inbox/West", "sent items", "in"}), Exact: r.IntN(3) == 0}
	}
	return pick(r, []kql.Node{&kql.Text{Property: kql.ItemClass, Value: "ipm.note"}, &kql.Text{Property: kql.ItemClass, Value: "IPM.Note", Prefix: true},
		&kql.Text{Property: kql.Kind, Value: "email"}, &kql.Text{Property: kql.Kind, Value: "meetings"}, &kql.Text{Property: kql.Mailbox, Value: "a@x"}})
}

// holds is the brute-force evaluator.
func (o *occurrence) holds(n kql.Node) bool {
	l := o.letter
	switch n := n.(type) {
	case *kql.And:
		return !slices.ContainsFunc(n.Nodes, func(n kql.Node) bool { return !o.holds(n) })
	case *kql.Or:
		return slices.ContainsFunc(n.Nodes, o.holds)
	case *kql.Not:
		return !o.holds(n.Node)
	case *kql.Size:
		return o.size >= n.Min && o.size <= n.Max
	case *kql.Flag:
		return n.Value == (n.Property == kql.IsRead && l.read || n.Property == kql.HasAttachment && len(l.attachments) > 0)
	case *kql.Time:
		in := func(t time.Time) bool {
			return !t.IsZero() && !t.Before(n.From) && (n.To.IsZero() || t.Before(n.To))
		}
		return n.Property != kql.Received && in(l.sent) || n.Property != kql.Sent && in(l.received)
	case *kql.Text:
		return o.text(n)
	}
	panic("no such node")
}

func (o *occurrence) text(n *kql.Text) bool {
	l, value := o.letter, strings.ToLower(n.Value)
	name := func(s string) bool {
		s = strings.ToLower(s)
		return s == value || n.Prefix && strings.HasPrefix(s, value)
	}
	any := n.Property == kql.Anywhere
	switch n.Property {
	case kql.Mailbox:
		return name(o.mailbox)
	case kql.ItemClass:
		return name(l.class)
	case kql.Kind:
		return value == map[string]string{"IPM.Note": "email", "IPM.Note.SMIME": "email", "IPM.Appointment": "meetings"}[l.class]
	case kql.FolderPath:
		return name(o.folder) || !n.Exact && strings.HasPrefix(strings.ToLower(o.folder), value+"/")
	}
	var people []mapi.Address
	if any || n.Property == kql.From || n.Property == kql.Participants {
		people = append(people, l.from)
	}
	for p, list := range map[kql.Property][]mapi.Address{kql.To: l.to, kql.Cc: l.cc, kql.Bcc: l.bcc} {
		if any || n.Property == p || n.Property == kql.Participants || n.Property == kql.Recipients {
			people = append(people, list...)
		}
	}
	if value == "" {
		return len(people) == 0
	}
	return (any || n.Property == kql.Subject) && hasPhrase(l.subject, value, n.Prefix) ||
		(any || n.Property == kql.Body) && hasPhrase(l.body, value, n.Prefix) ||
		(any || n.Property == kql.AttachmentNames) && slices.ContainsFunc(l.attachments, func(s string) bool { return hasPhrase(s, value, n.Prefix) }) ||
		slices.ContainsFunc(people, func(a mapi.Address) bool { return isPerson(a, value, n.Prefix) })
}

var breaks = regexp.MustCompile(`[^a-z0-9]+`)

// hasPhrase looks for words in order by text alone.
func hasPhrase(text, value string, prefix bool) bool {
	plain := func(s string) string {
		return " " + strings.Trim(breaks.ReplaceAllString(strings.ToLower(s), " "), " ")
	}
	if prefix {
		return strings.Contains(plain(text), plain(value))
	}
	return strings.Contains(plain(text)+" ", plain(value)+" ")
}

// isPerson compares values with marks inside as a whole, others by words.
func isPerson(a mapi.Address, value string, prefix bool) bool {
	if strings.Contains(value, " ") || !breaks.MatchString(value) {
		return hasPhrase(a.Name, value, prefix) || hasPhrase(a.Email, value, prefix) || prefix && beginsAtom(a, value)
	}
	return slices.ContainsFunc(wholes(a), func(s string) bool { return s == value || prefix && strings.HasPrefix(s, value) })
}

func beginsAtom(a mapi.Address, value string) bool {
	return slices.ContainsFunc(wholes(a), func(s string) bool { return strings.HasPrefix(s, value) })
}

// wholes writes out what each person of the test is called as a whole.
func wholes(a mapi.Address) []string {
	return map[string][]string{
		"ann@contoso.com":              {"ann@contoso.com", "contoso.com"},
		"bob.oneil@mail.contoso.com":   {"bob.oneil@mail.contoso.com", "bob.oneil", "mail.contoso.com", "contoso.com", "o'neil"},
		"spam@fabrikam.com":            {"spam@fabrikam.com", "fabrikam.com"},
		"/O=FABRIKAM/OU=WEST/CN=CAROL": {"o=fabrikam/ou=west/cn=carol", "smith-jones"},
	}[a.Email]
}

// expect gives what a query must find.
func (w *world) expect(q Query) []string {
	list := []string{}
	for _, o := range w.truth {
		at, in := q.View[o.mailbox]
		everything := q.AllVersions && q.View == nil
		if !everything && (!in || at < o.from || !q.AllVersions && at >= o.to) || o.to <= o.from {
			continue
		}
		if len(q.Mailboxes) > 0 && !slices.Contains(q.Mailboxes, o.mailbox) {
			continue
		}
		seen := *o
		if path, ok := q.Folders[o.mailbox]["id of "+o.folder]; ok {
			seen.folder = path
		}
		if seen.holds(q.Node) {
			list = append(list, o.String())
		}
	}
	slices.Sort(list)
	return list
}

// views are the ways to look at the world.
func (w *world) views() []Query {
	return []Query{
		{View: w.view}, {AllVersions: true}, {AllVersions: true, View: map[string]uint32{"a@x": 1, "b@x": 3}},
		{AllVersions: true, View: map[string]uint32{}}, {View: w.view, Folders: renamed}, {AllVersions: true, Folders: renamed},
		{View: map[string]uint32{"a@x": 1, "c@x": 0}},
		{View: w.view, Mailboxes: []string{"b@x"}}, {AllVersions: true, Mailboxes: []string{"a@x", "c@x"}},
	}
}

// check compares the index with the truth, for many queries.
func (w *world) check(t *testing.T, x *Index, queries int) {
	t.Helper()
	for range queries {
		node := w.query(3)
		for _, q := range w.views() {
			q.Node, q.Text = node, node.String()
			got := found(t, x, q)
			slices.Sort(got)
			if want := w.expect(q); !slices.Equal(got, want) {
				t.Fatalf("%s in %v %v %v %v\n got %v\nwant %v", q.Text, q.View, q.Mailboxes, q.AllVersions, q.Folders, got, want)
			}
			w.checkItems(t, x, q)
		}
	}
}

// checkItems does so with each item once, of which some versions do not count.
func (w *world) checkItems(t *testing.T, x *Index, q Query) {
	t.Helper()
	q.Sort, q.Items = Unsorted, true
	q.Filter = func(h Hit) (bool, error) { return (int(h.From)+int(h.ID[0]))%3 > 0, nil }
	want := map[string]uint32{}
	versions := w.expect(q)
	for _, o := range w.truth {
		item := fmt.Sprintf("%s/%d", o.mailbox, o.id)
		first, ok := want[item]
		if counts, _ := q.Filter(Hit{ID: archive.ID{o.id}, From: o.from}); counts && (!ok || o.from < first) && slices.Contains(versions, o.String()) {
			want[item] = o.from
		}
	}
	got := found(t, x, q)
	for _, hit := range got {
		at := strings.LastIndexByte(hit, '@')
		if first, ok := want[hit[:at]]; !ok || fmt.Sprint(first) != hit[at+1:] {
			t.Fatalf("%s: %s found, the first is %d", q.Text, hit, first)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: items %v, want %v", q.Text, got, want)
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), log: newLog(), view: map[string]uint32{}}
	w.snapshots(t)
	return w
}

func TestDifferential(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			x := openTest(t, filepath.Join(t.TempDir(), "index"), Options{BatchDocuments: 1 + int(seed%5)})
			follow(t, x, w.log)
			w.check(t, x, 60)
		})
	}
}
