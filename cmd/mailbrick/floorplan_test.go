package main

import (
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// house is the plan of the packages: which of ours and which modules of others each may import outside of tests. It is held
// against the files themselves. A new package or edge is added here, in the commit that needs it and with its reason.
var house = plan{
	module: "mailbrick",
	rooms: map[string]room{
		// The store.
		"chunker":                  {layer: store},
		"archive/wire":             {layer: store}, // the fields that all formats are made of, so that each is read with the same limits
		"archive/delta":            {layer: store, imports: words("archive/wire")},
		"archive/seal":             {layer: store, outside: words("filippo.io/age golang.org/x/crypto")}, // crypto: SSH keys that have a passphrase
		"archive/blob":             {layer: store},
		"archive/blob/dir":         {layer: store, imports: words("archive/blob"), outside: words("golang.org/x/sys")},
		"archive/blob/parity":      {layer: store, imports: words("archive/blob"), outside: words("github.com/klauspost/reedsolomon")}, // parity is on in every folder; plain Go takes 20 times the CPU
		"archive/blob/s3":          {layer: store, imports: words("archive/blob"), outside: words("github.com/minio/minio-go")},
		"archive/blob/s3/s3test":   {layer: store, testOnly: true, outside: words("github.com/minio/minio-go")}, // a real server, for the tests of buckets and of the program
		"archive/blob/blobtest":    {layer: store, testOnly: true, imports: words("archive/blob")},              // the suite of all buckets, and one that fails to order
		"archive/blob/dir/dirtest": {layer: store, testOnly: true, imports: words("archive/blob/dir")},          // a file system that loses power
		"archive/pack":             {layer: store, imports: words("archive/blob archive/seal archive/wire"), outside: words("github.com/klauspost/compress")},
		"archive/journal":          {layer: store, imports: words("archive/blob archive/seal archive/wire"), outside: words("github.com/klauspost/compress")},
		"archive": {layer: store,
			imports: words("chunker archive/blob archive/blob/parity archive/delta archive/journal archive/pack archive/seal archive/wire"),
			outside: words("github.com/cockroachdb/pebble golang.org/x/sync")},

		// The ground: protocols and formats. It knows no room and no store.
		"fetch/mapi": {layer: ground, imports: words("fetch/mapi/codepage fetch/mapi/rtf"), // the text of a body that is only RTF
			outside: words("golang.org/x/net golang.org/x/text")},
		"fetch/mapi/codepage":     {layer: ground, outside: words("golang.org/x/text golang.org/x/net")}, // 8-bit strings, which properties and RTF have alike
		"fetch/mapi/fasttransfer": {layer: ground, imports: words("fetch/mapi")},
		"fetch/mapi/eml": {layer: ground, imports: words("fetch/mapi fetch/mapi/tnef fetch/mapi/rtf fetch/mapi/calendar fetch/mapi/vcard"), // winmail.dat; a body that is only RTF; parts that are items
			outside: words("github.com/emersion/go-message golang.org/x/net golang.org/x/text")},
		"fetch/mapi/calendar": {layer: ground, imports: words("fetch/mapi fetch/mapi/codepage")}, // iCalendar that is not UTF-8
		"fetch/mapi/msg":      {layer: ground, imports: words("fetch/mapi fetch/mapi/msg/cfb fetch/mapi/codepage fetch/mapi/rtf")},
		"fetch/mapi/msg/cfb":  {layer: ground}, // compound files, which know sectors and no properties
		"fetch/mapi/tnef":     {layer: ground, imports: words("fetch/mapi fetch/mapi/codepage fetch/mapi/rtf")},
		"fetch/mapi/vcard":    {layer: ground, imports: words("fetch/mapi fetch/mapi/codepage")},
		"fetch/mapi/pst":      {layer: ground, imports: words("fetch/mapi")},
		"fetch/mapi/rtf":      {layer: ground, imports: words("fetch/mapi/codepage")},
		"fetch/opendir":       {layer: ground, outside: words("golang.org/x/sys")}, // files of a directory held open, which fetch reads and restore makes; sys: openat
		"fetch/mbox":          {layer: ground},                                     // files of many messages, which knows where one ends and not what one is
		"fetch/throttle":      {layer: ground},                                     // when a request may go; it knows no protocol
		"fetch/auth": {layer: ground, imports: words("fetch/wire"), // the messages of NTLM, the assertions of OAuth
			outside: words("github.com/Azure/go-ntlmssp github.com/AzureAD/microsoft-authentication-library-for-go")},
		"fetch/wire": {layer: ground, outside: words("github.com/klauspost/compress")}, // what both protocols have alike below their languages: base64, gzip, stalls, pages, errors of the network
		"fetch/ews": {layer: ground, imports: words("fetch/auth fetch/wire fetch/throttle"), // auth: why a sign-in failed; throttle: it is fed with what a server says of load
			outside: words("github.com/beevik/etree")},
		"fetch/graph": {layer: ground, imports: words("fetch/auth fetch/wire fetch/throttle")}, // auth and throttle as above
		"fetch/exchangetest": {layer: ground, testOnly: true, imports: words("fetch/mapi fetch/mapi/eml fetch/mapi/fasttransfer fetch/mapi/calendar fetch/mapi/vcard"), // items of fields are made as imported ones are
			outside: words("github.com/beevik/etree golang.org/x/crypto")}, // crypto: NTLM wants MD4
		"index/kql":     {layer: ground},
		"index/extract": {layer: ground, outside: words("golang.org/x/net golang.org/x/text")},

		// The rooms. They never import one another; they meet in archive and are joined in cmd.
		"fetch": {layer: rooms,
			imports: words("archive fetch/ews fetch/graph fetch/wire fetch/auth fetch/throttle fetch/mapi fetch/mapi/fasttransfer fetch/mapi/eml " +
				"fetch/mapi/msg fetch/mapi/pst fetch/mapi/tnef fetch/mapi/calendar fetch/mapi/vcard fetch/mbox fetch/opendir"), // the adapters that make sources of protocols and mail files; wire: the way through pages
			outside: words("golang.org/x/sync")},
		"index": {layer: rooms, imports: words("archive fetch/mapi fetch/mapi/fasttransfer index/kql index/extract"),
			outside: words("github.com/blevesearch go.etcd.io/bbolt github.com/RoaringBitmap golang.org/x/text golang.org/x/sync")},
		"restore": {layer: rooms, imports: words("archive fetch/ews fetch/graph fetch/wire fetch/opendir fetch/mapi fetch/mapi/fasttransfer fetch/mapi/eml fetch/mapi/msg fetch/mapi/pst"),
			outside: words("golang.org/x/sync golang.org/x/sys")}, // sys: files are made durable together
		"archive/retention": {layer: rooms, imports: words("archive"), outside: words("github.com/pelletier/go-toml")}, // policies are TOML; it tells the line of a mistake and brings nothing along

		// The roof joins all. The simulated Exchange is a verb there.
		"cmd/mailbrick":     {layer: roof, imports: words("fetch/exchangetest"), outside: words("github.com/urfave/cli github.com/pelletier/go-toml golang.org/x/sync golang.org/x/term")}, // toml: the configuration
		"cmd/mailbrick/web": {layer: roof},
		"cmd/mailbench":     {layer: roof, imports: words("fetch/exchangetest"), outside: words("golang.org/x/sync golang.org/x/sys")},
	},
}

// topLevel is everything that may stand at the top of the tree.
var topLevel = words("cmd archive index fetch chunker restore testdata docs .ci " +
	"go.mod go.sum README.md LICENSE CHANGELOG.md CONTRIBUTING.md Makefile .golangci.yml .gitignore .gitattributes")

const root = "../.."

func TestFloorplan(t *testing.T) {
	t.Parallel()
	files := parseTree(t, root)
	if len(files) < 50 {
		t.Fatalf("%d Go files found: the test does not see the tree", len(files))
	}
	for _, c := range house.complaints(files) {
		t.Error(c)
	}
}

func TestTopLevel(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored := gitIgnored(root)
	for _, e := range entries {
		if e.Name() != ".git" && !ignored[e.Name()] && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s stands at the top level and is not in the plan", e.Name())
		}
	}
}

// parseTree parses all Go files below a folder, but for those that git ignores and those in testdata.
func parseTree(t *testing.T, root string) []file {
	t.Helper()
	var files []file
	set := token.NewFileSet()
	ignored := gitIgnored(root)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		switch {
		case name == root:
			return nil
		case d.IsDir() && (base == "testdata" || base[0] == '.' || base[0] == '_' || ignored[base]):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(base, ".go") || ignored[base]:
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parse(set, filepath.ToSlash(rel), string(text))
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// gitIgnored are the plain names among the patterns that git ignores.
func gitIgnored(root string) map[string]bool {
	names := map[string]bool{}
	for _, list := range []string{".gitignore", ".git/info/exclude"} {
		text, err := os.ReadFile(filepath.Join(root, list))
		if err != nil {
			continue // a tree without git has neither
		}
		for line := range strings.Lines(string(text)) {
			name := strings.Trim(strings.TrimSpace(line), "/")
			if name != "" && !strings.ContainsAny(name, "#*!/") {
				names[name] = true
			}
		}
	}
	return names
}

// layer is a storey of the house.
type layer int

const (
	ground layer = iota + 1
	store
	rooms
	roof
)

// room is what the plan says of a package.
type room struct {
	layer    layer
	imports  []string // packages of the module it may import; for the roof: of those only for tests
	outside  []string // modules of others it may import, by the beginning of their paths
	testOnly bool     // for tests of any package; nothing else imports it but where it is named
}

type plan struct {
	module string
	rooms  map[string]room
}

// complaints says what in the files is not as planned, each with its place, in order.
func (p plan) complaints(files []file) []string {
	var out []string
	packages := map[string][]file{}
	for _, f := range files {
		packages[f.pkg] = append(packages[f.pkg], f)
	}
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		r, planned := p.rooms[pkg]
		if !planned {
			out = append(out, pkg+": the package is not in the plan")
			continue
		}
		for _, f := range packages[pkg] {
			out = append(out, p.edges(pkg, r, f)...)
		}
		out = append(out, leaks(packages[pkg])...)
	}
	return out
}

// edges says which imports of a file the plan does not allow.
func (p plan) edges(pkg string, r room, f file) []string {
	var out []string
	for _, im := range f.imports {
		own, isOwn := strings.CutPrefix(im.path, p.module+"/")
		var bad string
		switch {
		case im.path == "C":
			bad = "cgo is not used here"
		case isOwn && f.test:
			bad = p.testEdge(pkg, r, own)
		case isOwn:
			bad = p.edge(pkg, r, own)
		case isThirdParty(im.path) && !f.test && !slices.ContainsFunc(r.outside, func(m string) bool { return im.path == m || strings.HasPrefix(im.path, m+"/") }):
			bad = pkg + " may not import it"
		}
		if bad != "" {
			out = append(out, f.at(im.pos)+": import "+im.path+": "+bad)
		}
	}
	return out
}

func (p plan) edge(pkg string, r room, own string) string {
	to, planned := p.rooms[own]
	switch {
	case slices.Contains(r.imports, own):
		return ""
	case !planned:
		return "the package is not in the plan"
	case to.testOnly:
		return "it is for tests"
	case r.layer == roof && to.layer != roof:
		return ""
	}
	return pkg + " may not import it"
}

// testEdge is more generous: a test may also import its own package, what is for tests, and everything on the storeys that
// its package stands on. The ground stands on nothing, not even in tests.
func (p plan) testEdge(pkg string, r room, own string) string {
	to, planned := p.rooms[own]
	switch {
	case !planned:
		return "the package is not in the plan"
	case own == pkg || slices.Contains(r.imports, own) || to.testOnly && (r.layer != ground || to.layer == ground):
		return ""
	case r.layer == to.layer && r.layer != rooms:
		return ""
	case r.layer >= rooms && to.layer < r.layer:
		return ""
	}
	return "tests of " + pkg + " may not import it"
}

// isThirdParty tells paths with a host in front from those of the standard library.
func isThirdParty(p string) bool {
	host, _, _ := strings.Cut(p, "/")
	return strings.Contains(host, ".")
}

func words(s string) []string { return strings.Fields(s) }

// packageName guesses a package's name from its path, as goimports does.
func packageName(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	base, _, _ = strings.Cut(base, ".v") // gopkg.in/yaml.v3
	return strings.TrimPrefix(base, "go-")
}
