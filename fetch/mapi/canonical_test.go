package mapi_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

func TestTablesAreUpToDate(t *testing.T) {
	t.Parallel()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}
	want, err := exec.Command(goTool, "run", "gentables.go", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("tables_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("tables_gen.go is not what tables/*.tsv say: run go generate ./fetch/mapi")
	}
}

// TestTables finds every row of the facts by its number.
func TestTables(t *testing.T) {
	t.Parallel()
	sets := map[string]mapi.GUID{}
	for _, f := range rows(t, "sets.tsv") {
		g := guid(t, f[1])
		if got := g.Canonical(); got != f[0] || !strings.EqualFold(g.String(), f[1]) {
			t.Errorf("%s is %s %s", f[0], got, g)
		}
		sets[f[0]] = g
	}
	for _, f := range rows(t, "lids.tsv") {
		lid, _ := strconv.ParseUint(f[1], 0, 32)
		if got := (mapi.Name{Set: sets[f[0]], LID: uint32(lid)}).Canonical(); got != f[2] {
			t.Errorf("%v: %s", f, got)
		}
	}
	codes := map[string]mapi.Type{"PT_LONG": 3, "PT_BOOLEAN": 0xB, "PT_BINARY": 0x102, "PT_UNICODE": mapi.TypeText, "PT_STRING8": 0x80A0,
		"PT_MV_UNICODE": 0x101F, "PT_OBJECT": 0xD, "PT_MV_LONG": 0x1003, "PT_MV_BINARY": 0x1102, "PT_SYSTIME": 0x40, "PT_CLSID": 0x48,
		"PT_I8": 0x14, "PT_SHORT": 2, "PT_NULL": 1, "PT_SRESTRICTION": 0xFD, "PT_ACTIONS": 0xFE}
	names := map[string]string{} // the names of tags that differ in nothing but the kind of string
	for _, f := range rows(t, "tags.tsv") {
		names[f[0]+strings.Replace(f[1], "UNICODE", "STRING8", 1)] += f[2] + " "
	}
	for _, f := range rows(t, "tags.tsv") {
		id, _ := strconv.ParseUint(f[0], 0, 16)
		got := mapi.MakeTag(uint16(id), codes[f[1]]).Canonical()
		switch {
		case id >= mapi.FirstNamed:
			if !strings.HasPrefix(got, "0x") {
				t.Errorf("%v, a named id, is %s", f, got)
			}
		case !strings.Contains(names[f[0]+strings.Replace(f[1], "UNICODE", "STRING8", 1)], got+" "):
			t.Errorf("%v: %s", f, got)
		}
	}
}

func rows(t *testing.T, name string) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("tables", name))
	if err != nil {
		t.Fatal(err)
	}
	var list [][]string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		list = append(list, strings.Split(line, "\t"))
	}
	return list
}

func guid(t *testing.T, s string) mapi.GUID {
	t.Helper()
	var g mapi.GUID
	s = strings.ReplaceAll(s, "-", "")
	for i, at := range []int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		b, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		g[at] = byte(b)
	}
	return g
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for tag, want := range map[mapi.Tag]string{
		0x003784B0: "PidTagSubject", 0x0037001E: "PidTagSubject", 0x0037000A: "PidTagSubject", 0x10130102: "PidTagHtml",
		0x1013001F: "PidTagBodyHtml", 0x101384B0: "PidTagBodyHtml", 0x3701000D: "PidTagAttachDataObject", 0x0E080014: "PidTagMessageSizeExtended",
		0x68420102: "PidTagSearchFolderId", 0x68420003: "0x68420003", 0x7FFD1234: "PidTagAttachmentFlags", 0x8001001F: "0x8001001F", 0x0000001F: "PidTagNull",
		0x7777001F: "0x7777001F", 0xFFFFFFFF: "0xFFFFFFFF",
	} {
		if got := tag.Canonical(); got != want {
			t.Errorf("%v: %s, want %s", tag, got, want)
		}
	}
	for _, c := range []struct {
		name mapi.Name
		want string
	}{
		{mapi.Name{Set: mapi.SetCommon(), LID: 0x8503}, "PidLidReminderSet"},
		{mapi.Name{Set: mapi.SetAppointment(), LID: 0x8208}, "PidLidLocation"},
		{mapi.Name{Set: mapi.SetAppointment(), LID: 1}, "PSETID_Appointment/0x0001"},
		{mapi.NameCategories(), "PidNameKeywords"},
		{mapi.Name{Set: mapi.SetInternetHeaders(), Text: "x-\x1b[2J"}, `PS_INTERNET_HEADERS/"x-\x1b[2J"`},
		{mapi.Name{LID: 7}, "{00000000-0000-0000-0000-000000000000}/0x0007"},
	} {
		if got := c.name.Canonical(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		if got := (&mapi.Property{Tag: 0x8001001F, Name: &c.name}).Canonical(); got != c.want {
			t.Error(got)
		}
	}
	for typ, want := range map[mapi.Type]string{0x3: "PtypInteger32", 0x1F: "PtypString", 0x1E: "PtypString8", 0x84B0: "PtypString(1200)", 0x94B0: "PtypMultipleString(1200)",
		0x101F: "PtypMultipleString", 0x1102: "PtypMultipleBinary", 0x40: "PtypTime", 0x100B: "0x100B", 0x11: "0x0011", 0: "PtypUnspecified", 0xD: "PtypObject", 0x1000: "0x1000"} {
		if got := typ.String(); got != want {
			t.Errorf("%04X: %s, want %s", uint16(typ), got, want)
		}
	}
}

// TestCorpusNames shows how many properties of items of the data have a name.
func TestCorpusNames(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../shared/data/fts/synthetic/*.bin")
	if len(files) == 0 {
		t.Skip("no data: shared/data/fts/synthetic")
	}
	total, without, unnamed := 0, 0, map[string]int{}
	for _, file := range files {
		blob, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var m mapi.Message
		if _, err := fasttransfer.Scan(blob, fasttransfer.Visitor{Message: &m}); err != nil {
			t.Fatal(err)
		}
		blob.Close()
		for i := range m.Properties {
			p := &m.Properties[i]
			name := p.Canonical()
			if total++; !strings.HasPrefix(name, "PidTag") && !strings.HasPrefix(name, "PidLid") && !strings.HasPrefix(name, "PidName") {
				unnamed[name]++
				without++
			}
			if v := p.Display(m.Properties.CodePage(), 100); v == "" || len(v) > 200 || strings.ContainsAny(v, "\r\n\x1b") {
				t.Errorf("%s: %s %q", file, name, v)
			}
		}
	}
	t.Logf("%d of %d properties have a name; not: %v", total-without, total, unnamed)
	if without*10 > total*2 {
		t.Errorf("%d of %d properties have no name", without, total)
	}
}
