package retention_test

import (
	"errors"
	"strings"
	"testing"

	"mailbrick/archive/retention"
)

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"nothing", "", 0, "no rule"},
		{"a rule without words", "[[rule]]\nname = \"a\"\n\n[[rule]]\nkeep = \"1d\"\n", 1, "does not say what stays"},
		{"the second without words", "[[rule]]\nkeep = \"1d\"\n\n[[rule]]\nname = \"b\"\n", 4, "does not say what stays"},
		{"unknown word", "[[rule]]\nkeep = \"1d\"\nkept = 3\n", 3, "kept is not known"},
		{"unknown table", "[[rules]]\nkeep = \"1d\"\n", 1, "not known"},
		{"span", "[[rule]]\nname = \"x\"\nkeep = \"ninety\"\n", 3, "write 90d"},
		{"span without unit", "[[rule]]\nkeep = \"90\"\n", 2, "write 90d"},
		{"span of a number", "[[rule]]\nkeep = 90\n", 0, "write 90d"},
		{"negative", "[[rule]]\ndaily = -1\n", 2, ""},
		{"too many", "[[rule]]\ndaily = 10001\n", 1, "at most 10000"},
		{"text for a number", "[[rule]]\ndaily = \"many\"\n", 2, ""},
		{"text for a list", "[[rule]]\nkeep = \"1d\"\nfolder = \"Inbox\"\n", 3, ""},
		{"pattern", "[[rule]]\nkeep = \"1d\"\nmailbox = [\"a\", \"[a\"]\n", 1, "no pattern"},
		{"same name", "[[rule]]\nname = \"a\"\nkeep = \"1d\"\n[[rule]]\nname = \"a\"\nkeep = \"1d\"\n", 4, "two rules"},
		{"no TOML", "[[rule]]\nkeep: 1d\n", 2, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := retention.Parse([]byte(row.text))
			var e *retention.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v", err)
			}
			if e.Line != row.line || !strings.Contains(e.Error(), row.want) {
				t.Errorf("line %d: %s; want line %d, %q", e.Line, e, row.line, row.want)
			}
			t.Log(e)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[[rule]]\nname = \"a\"\nmailbox = [\"*@x\"]\nfolder = [\"Inbox\"]\nclass = [\"IPM\"]\nkeep = \"90d\"\ndaily = 3\ndeleted = \"7y\"\n")
	f.Add("rule = [{keep = \"forever\"}]")
	f.Add("[[rule]]\nkeep = \"\\uD800d\"")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := retention.Parse([]byte(text))
		var e *retention.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error of another type: %v", err)
		}
		if err != nil {
			return
		}
		plan := p.At(at("2026-03-01 00:00"))
		if d := plan.Judge(seen("2020-01-01 00:00", "")); d.Remove {
			t.Fatal("a living version goes")
		}
		plan.Judge(deleted(seen("2020-01-01 00:00", "2021-01-01 00:00")))
	})
}
