package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mailbrick/fetch/mapi"
)

// splitText gives "word@place" of a text as it is indexed.
func splitText(text string) (list []string) {
	s := splitter{at: 1, unigram: true, emit: func(term []byte, at int) { list = append(list, fmt.Sprintf("%s@%d", term, at)) }}
	s.split(text)
	return list
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"marks only", "--- ... !", ""},
		{"words", "Hello, World", "hello@1 world@2"},
		{"marks inside", "O'Neil can’t W-2 a.b_c@d", "o@1 neil@2 can@3 t@4 w@5 2@6 a@7 b@8 c@9 d@10"},
		{"digits", "3.14 1,000", "3@1 14@2 1@3 000@4"},
		{"composed and not", "Grüße Gru\u0308ße", "grüße@1 grüße@2"},
		{"sigma", "ΣΟΦΟΣ σοφος σοφοσ", "σοφοσ@1 σοφοσ@2 σοφοσ@3"},
		{"full width", "ＡＢＣ１２", "abc12@1"},
		{"half-width kana", "ｶﾞ", "ガ@1"},
		{"joined letters", "oﬃce", "office@1"},
		{"soft hyphen", "co\u00adoperate", "cooperate@1"},
		{"emoji", "a ☺\ufe0f b", "a@1 b@2"},
		{"mark alone", "\u0301 a", "a@1"},
		{"han", "東京都", "東@1 東京@1 京@2 京都@2 都@3"},
		{"one han", "東", "東@1"},
		{"han beside latin", "A東京b", "a@1 東@2 東京@2 京@3 b@4"},
		{"thai with marks", "กินข้าว", "กิ@1 กิน@1 น@2 นข้@2 ข้@3 ข้า@3 า@4 าว@4 ว@5"},
		{"hangul has spaces", "한국 사람", "한국@1 사람@2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(splitText(c.in), " "); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLongWordsAreCut(t *testing.T) {
	t.Parallel()
	list := splitText(strings.Repeat("ü", 100))
	if want := strings.Repeat("ü", maxTerm/2) + "@1"; len(list) != 1 || list[0] != want {
		t.Fatalf("got %s", list)
	}
}

func TestAtoms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   mapi.Address
		want []string
	}{
		{"plain", person("Ann Beebe", "Ann@Contoso.com"), []string{"ann@contoso.com", "contoso.com"}},
		{"deep domain", person("", "ann.b@x.mail.contoso.com"),
			[]string{"ann.b@x.mail.contoso.com", "ann.b", "x.mail.contoso.com", "mail.contoso.com", "contoso.com"}},
		{"name with marks", person("Smith-Jones, Shaq O’Neil", ""), []string{"smith-jones", "o'neil"}},
		{"address as name", person("'ann@contoso.com'", ""), []string{"ann@contoso.com", "contoso.com"}},
		{"legacy", person("", "/O=X/CN=ANN"), []string{"o=x/cn=ann"}},
		{"at alone", person("@", "@"), nil},
		{"nothing", person("", ""), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := atoms(c.in); !slices.Equal(got, c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzSplit holds that any text gives clean terms in rising places, and that each word of it finds it again.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"Hello, World", "O'Neil W-2", "東京都 ｶﾞ กินข้าว", "a\u0301\u00ad\ufe0f", "\xff\x00ﷺ", strings.Repeat("ü", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		indexed := map[placed]bool{}
		last := 0
		s := splitter{unigram: true, emit: func(term []byte, at int) {
			if len(term) == 0 || len(term) > maxTerm || utf8.ValidString(text) && !utf8.Valid(term) || at < last {
				t.Fatalf("%q@%d after %d", term, at, last)
			}
			last = at
			indexed[placed{string(term), at}] = true
		}}
		s.split(text)
		terms, _ := queryTerms(text)
		for _, p := range terms {
			if !indexed[p] {
				t.Fatalf("%q@%d is asked for but not indexed", p.term, p.at)
			}
		}
		atoms(mapi.Address{Name: text, Email: text})
	})
}
