package main

import (
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// cottage is a small house to try the checker on.
var cottage = plan{module: "m", rooms: map[string]room{
	"codec":       {layer: ground, outside: words("example.org/xml")},
	"codec/two":   {layer: ground, imports: words("codec")},
	"faketest":    {layer: ground, testOnly: true},
	"brick":       {layer: store},
	"depot":       {layer: store, imports: words("brick"), outside: words("example.org/db")},
	"depot/suite": {layer: store, testOnly: true, imports: words("depot")},
	"in":          {layer: rooms, imports: words("depot codec")},
	"out":         {layer: rooms, imports: words("depot")},
	"cmd":         {layer: roof, imports: words("faketest")},
}}

func TestFloorplanFindsEdges(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ file, imports, want string }{
		"allowed":                        {"in/a.go", "m/depot", ""},
		"standard library":               {"in/a.go", "encoding/xml", ""},
		"unplanned package":              {"attic/a.go", "io", "attic: the package is not in the plan"},
		"unplanned import":               {"in/a.go", "m/attic", "in/a.go:2: import m/attic: the package is not in the plan"},
		"room to room":                   {"in/a.go", "m/out", "in may not import it"},
		"room to room in a test":         {"in/a_test.go", "m/out", "tests of in may not import it"},
		"room to ground unplanned":       {"out/a.go", "m/codec", "out may not import it"},
		"room to ground in a test":       {"out/a_test.go", "m/codec", ""},
		"room to store's suite":          {"in/a_test.go", "m/depot/suite", ""},
		"suite outside of tests":         {"in/a.go", "m/depot/suite", "it is for tests"},
		"store to room":                  {"depot/a.go", "m/in", "depot may not import it"},
		"store to ground":                {"depot/a.go", "m/codec", "depot may not import it"},
		"store to ground in a test":      {"depot/a_test.go", "m/codec", "tests of depot may not import it"},
		"store's test to a fake":         {"depot/a_test.go", "m/faketest", ""},
		"ground to store":                {"codec/a.go", "m/depot", "codec may not import it"},
		"ground to store in a test":      {"codec/a_test.go", "m/depot", "tests of codec may not import it"},
		"ground to suite in a test":      {"codec/a_test.go", "m/depot/suite", "tests of codec may not import it"},
		"ground to room in a test":       {"codec/a_test.go", "m/in", "tests of codec may not import it"},
		"ground to ground in a test":     {"codec/a_test.go", "m/codec/two", ""},
		"ground to fake in a test":       {"codec/a_test.go", "m/faketest", ""},
		"ground to ground unplanned":     {"codec/a.go", "m/codec/two", "codec may not import it"},
		"own package in an outside test": {"codec/a_test.go", "m/codec", ""},
		"roof to room":                   {"cmd/a.go", "m/in", ""},
		"roof to fake":                   {"cmd/a.go", "m/faketest", ""},
		"roof to suite":                  {"cmd/a.go", "m/depot/suite", "it is for tests"},
		"roof to suite in a test":        {"cmd/a_test.go", "m/depot/suite", ""},
		"module of its own":              {"depot/a.go", "example.org/db/v2/vfs", ""},
		"module that only looks alike":   {"depot/a.go", "example.org/dbx", "depot may not import it"},
		"module of another package":      {"in/a.go", "example.org/db", "in may not import it"},
		"module of others in a test":     {"in/a_test.go", "example.org/db", ""},
		"cgo":                            {"depot/a.go", "C", "cgo is not used here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, map[string]string{row.file: "package x\nimport _ \"" + row.imports + "\"\n"}, row.want)
		})
	}
}

func TestFloorplanFindsThirdPartyTypes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ code, want string }{
		"parameter":                  {`func Open(o db.Options) {}`, "depot/a.go:4: Open shows db.Options of example.org/db/v2"},
		"result":                     {`func Open() (*db.DB, error) { return nil, nil }`, "Open shows db.DB"},
		"variadic":                   {`func Open(o ...db.Options) {}`, "Open shows db.Options"},
		"deep inside":                {`func Open(f func(map[string][]chan *db.DB)) {}`, "Open shows db.DB"},
		"type parameter":             {`func Open[T db.Reader](t T) {}`, "Open shows db.Reader"},
		"type argument":              {`func Open() List[db.DB] { return nil }; type List[T any] []T`, "Open shows db.DB"},
		"method":                     {`type S struct{}; func (s *S) DB() *db.DB { return nil }`, "S.DB shows db.DB"},
		"method of a generic type":   {`type S[T any] struct{}; func (s *S[T]) DB() *db.DB { return nil }`, "S.DB shows db.DB"},
		"field":                      {`type S struct { DB *db.DB }`, "S.DB shows db.DB"},
		"field of a nameless struct": {`type S struct { In struct { DB *db.DB } }`, "S.In.DB shows db.DB"},
		"embedded":                   {`type S struct { *db.DB }`, "S shows db.DB"},
		"interface":                  {`type I interface { Get(db.Key) }`, "I.Get shows db.Key"},
		"embedded interface":         {`type I interface { db.Reader }`, "I shows db.Reader"},
		"alias":                      {`type O = db.Options`, "O shows db.Options"},
		"definition":                 {`type O db.Options`, "O shows db.Options"},
		"variable":                   {`var D *db.DB`, "D shows db.DB"},
		"variable by literal":        {`var D = &db.Options{}`, "D shows db.Options"},
		"variable by call":           {`var D = db.Open("x")`, "D shows db.Open"},
		"variable by field":          {`var D = db.Default.Options`, "D shows db.Default"},
		"variable of a group":        {`var ( a = 1; D, E = 2, db.ErrClosed )`, "E shows db.ErrClosed"},
		"through a hidden type":      {`func Open() *store { return nil }; type store struct { DB *db.DB }`, "store.DB shows db.DB"},
		"through a hidden method":    {`func Open() *store { return nil }; type store struct{}; func (s *store) DB() *db.DB { return nil }`, "store.DB shows db.DB"},
		"through a hidden alias":     {`func Open(o options) {}; type options = db.Options`, "options shows db.Options"},
		"hidden function":            {`func open(o db.Options) {}`, ""},
		"hidden field":               {`type S struct { db *db.DB }`, ""},
		"hidden method":              {`type S struct{}; func (s *S) db() *db.DB { return nil }`, ""},
		"hidden type":                {`type s struct{ DB *db.DB }; func (s) Get() db.Key { return nil }`, ""},
		"hidden variable":            {`var d *db.DB`, ""},
		"only inside":                {`func Open() error { var o db.Options; return db.Use(o) }`, ""},
		"standard library":           {`func Open(r io.Reader) {}`, ""},
		"our own":                    {`func Open(b brick.Brick) {}`, ""},
		"another name":               {`func Open(o other.Options) {}`, "Open shows other.Options of example.org/db/aliased"},
		"a name unlike its path":     {`func Open(o surprise.Options) {}`, "Open shows surprise.Options of example.org/db/v2 or example.org/db/aliased"},
		"a variable is no package":   {`var set struct{ err error }; var ErrX = set.err`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, map[string]string{"depot/a.go": "package depot\n" +
				`import ("io"; "m/brick"; "example.org/db/v2"; other "example.org/db/aliased")` + "\n\n" + row.code + "\n"}, row.want)
		})
	}
}

func TestFloorplanSeesAcrossFiles(t *testing.T) {
	t.Parallel()
	expect(t, map[string]string{
		"depot/a.go":      "package depot\nfunc Open() *store { return nil }\n",
		"depot/b.go":      "package depot\nimport \"example.org/db\"\ntype store struct { DB *db.DB }\n",
		"depot/c_test.go": "package depot\nimport \"example.org/db\"\nfunc Helper() *db.DB { return nil }\n",
	}, "depot/b.go:3: store.DB shows db.DB of example.org/db")
	expect(t, map[string]string{"depot/a.go": "package depot\nimport . \"example.org/db\"\n"}, "its types cannot be told from ours")
}

// expect holds the complaints about some files against the one that is wanted ("" is none).
func expect(t *testing.T, texts map[string]string, want string) {
	t.Helper()
	set := token.NewFileSet()
	var files []file
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f, err := parse(set, name, texts[name])
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	got := cottage.complaints(files)
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("complaints about what is allowed: %q", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("complaints %q, want one with %q", got, want)
	}
}
