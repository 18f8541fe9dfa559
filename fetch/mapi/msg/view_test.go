package msg_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/msg"
	"mailbrick/fetch/mapi/msg/cfb"
)

// view is a tree as text: path of a property and its value. All types of
// strings look the same, so do all ways in which a compound file may be laid out.
type view map[string]string

func viewOf(m *mapi.Message) view {
	v := view{}
	v.message(m, "", 0)
	return v
}

func (v view) message(m *mapi.Message, path string, codePage int) {
	if codePage == 0 || m.Properties.Find(mapi.PidTagMessageCodepage) != nil || m.Properties.Find(mapi.PidTagInternetCodepage) != nil {
		codePage = m.Properties.CodePage()
	}
	v.bag(m.Properties, path, codePage, path != "")
	for i, r := range m.Recipients {
		v.bag(r, fmt.Sprintf("%srecipient %d/", path, i), codePage, false)
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		inside := fmt.Sprintf("%sattachment %d/", path, i)
		v.bag(a.Properties, inside, codePage, false)
		if a.Embedded != nil {
			v[inside+"embedded"] = ""
			v.message(a.Embedded, inside+"embedded/", codePage)
		}
	}
}

func (v view) bag(b mapi.Bag, path string, codePage int, embedded bool) {
	v[path+"bag"] = ""
	for i := range b {
		p := &b[i]
		id := fmt.Sprintf("%04X", p.Tag.ID())
		if p.Name != nil {
			id = p.Name.String()
		}
		kind, value := render(p, codePage)
		key := path + id + " " + kind
		if _, double := v[key]; !double && !(embedded && p.Tag.ID() == mapi.PidTagMid) {
			v[key] = value
		}
	}
}

// render is the kind and value of a property.
func render(p *mapi.Property, codePage int) (string, string) {
	t := p.Tag.Type()
	layout, _ := t.Layout()
	one := t
	if t&mapi.CodePage == 0 {
		one = t &^ mapi.MultiValue
	}
	switch {
	case t.IsString():
		return "text", shorten([]byte(strings.TrimRight(p.Text(codePage), "\x00")))
	case layout == mapi.LayoutVarMV && one != mapi.TypeBinary:
		var list []string
		for _, m := range mapi.Members(p.Bytes()) {
			q := mapi.Property{Tag: mapi.MakeTag(0, one&^mapi.MultiValue), Data: m}
			list = append(list, strings.TrimRight(q.Text(codePage), "\x00"))
		}
		return "texts", fmt.Sprintf("%q", list)
	case t == mapi.TypeObject:
		if f, err := cfb.Open(bytes.NewReader(p.Bytes()), p.Len()); err == nil {
			var b strings.Builder
			fmt.Fprintf(&b, "%x", f.Root.CLSID)
			outline(&b, f.Root, "")
			return "compound", b.String()
		}
		return "0102", shorten(p.Bytes())
	}
	return fmt.Sprintf("%04X", uint16(t)), shorten(p.Bytes())
}

func outline(b *strings.Builder, e *cfb.Entry, path string) {
	for _, c := range e.Children {
		if c.Storage {
			fmt.Fprintf(b, " %s%q %x %x %d", path, c.Name, c.CLSID, c.State, c.Modified)
			outline(b, c, path+c.Name+"/")
			continue
		}
		r, err := c.Open()
		data, _ := io.ReadAll(r)
		fmt.Fprintf(b, " %s%q %s %v", path, c.Name, shorten(data), err)
	}
}

func shorten(data []byte) string {
	if len(data) <= 64 {
		return fmt.Sprintf("%q", data)
	}
	return fmt.Sprintf("%d bytes %x", len(data), sha256.Sum256(data))
}

// added says whether Write may have added that property.
func added(key string) bool {
	id, _, _ := strings.Cut(key[strings.LastIndexByte(key, '/')+1:], " ")
	switch id {
	case "001A", "0E07", "0E1B", "340D", "0E02", "0E03", "0E04", // messages
		"0C15", "0FFE", "3900", "3000", // recipients
		"0E21", "3705", "370B": // attachments
		return true
	}
	return false
}

// differences between a tree and what became of it by way of a file.
func differences(want, got view) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[key]
		switch {
		case !ok:
			list = append(list, fmt.Sprintf("%s %s is gone", key, want[key]))
		case value != want[key] && !strings.HasSuffix(key, "340D 0003"):
			list = append(list, fmt.Sprintf("%s %s became %s", key, want[key], value))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok && !added(key) {
			list = append(list, fmt.Sprintf("%s %s is new", key, got[key]))
		}
	}
	return list
}

func write(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := msg.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read takes a file that must give no warning.
func read(t testing.TB, data []byte) *mapi.Message {
	t.Helper()
	m, report, err := msg.ReadReport(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Warnings) > 0 {
		t.Errorf("warnings %q", report.Warnings)
	}
	return m
}

// same checks that m survives a file, and that the file made of what was read is the same again.
func same(t testing.TB, m *mapi.Message) []byte {
	t.Helper()
	data := write(t, m)
	back := read(t, data)
	if d := differences(viewOf(m), viewOf(back)); len(d) > 0 {
		t.Fatalf("%d differences:\n%s", len(d), strings.Join(d[:min(len(d), 20)], "\n"))
	}
	again := write(t, back)
	if d := differences(viewOf(back), viewOf(read(t, again))); len(d) > 0 {
		t.Fatalf("the second time %d differences:\n%s", len(d), strings.Join(d[:min(len(d), 20)], "\n"))
	}
	return data
}
