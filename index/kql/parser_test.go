package kql

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testOptions = Options{Clock: func() time.Time { return time.Date(2021, 5, 12, 15, 4, 5, 0, time.UTC) }} // a Wednesday

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"word", `merger`, `merger`},
		{"words side by side", `merger budget`, `merger AND budget`},
		{"lower-case operator is a word", `merger and budget`, `merger AND and AND budget`},
		{"not without and", `merger NOT debt`, `merger AND NOT debt`},
		{"and not", `merger AND NOT debt`, `merger AND NOT debt`},
		{"minus", `-merger`, `NOT merger`},
		{"minus phrase", `-"a b"`, `NOT "a b"`},
		{"minus group", `a -(b OR c)`, `a AND NOT (b OR c)`},
		{"two minuses", `--abc`, `NOT NOT abc`},
		{"plus changes nothing", `+merger +from:ann +from:bob`, `merger AND (from:ann OR from:bob)`},
		{"lone plus", `a + b`, `a AND b`},
		{"words that begin like operators", `ORACLE ANDROID NOTES e-mail`, `ORACLE AND ANDROID AND NOTES AND e-mail`},
		{"operator as a phrase", `"AND" "NOT"`, `"AND" AND "NOT"`},
		{"and binds before or", `a b OR c AND d`, `(a AND b) OR (c AND d)`},
		{"not binds before and", `NOT a b`, `NOT a AND b`},
		{"parentheses", `(a OR b) AND c`, `(a OR b) AND c`},
		{"useless parentheses", `((a)) AND (b AND (c))`, `a AND b AND c`},
		{"prefix", `bud*`, `bud*`},
		{"phrase", `"financials quarterly"`, `"financials quarterly"`},
		{"phrase prefix inside", `"advanced sear*"`, `"advanced sear"*`},
		{"phrase prefix outside", `"advanced sear"*`, `"advanced sear"*`},
		{"curly quotes", `“a b” c`, `"a b" AND c`},
		{"one han letter and a star", `東*`, `東*`},
		{"star after a break", `cat.*`, `cat.`},
		{"property", `subject:quarterly`, `subject:quarterly`},
		{"property in other case", `SUBJECT:Quarterly`, `subject:Quarterly`},
		{"property and text", `subject:quarterly budget`, `subject:quarterly AND budget`},
		{"space after colon", `subject: quarterly`, `subject: AND quarterly`},
		{"property prefix", `subject:set*`, `subject:set*`},
		{"property phrase prefix", `subject:"Advanced Sear*"`, `subject:"Advanced Sear"*`},
		{"equals", `subject=x`, `subject:x`},
		{"unequal", `subject<>x`, `NOT subject:x`},
		{"empty", `subject:""`, `subject:""`},
		{"address", `from:ann@contoso.com`, `from:ann@contoso.com`},
		{"address prefix", `from:"ronnie@contoso*"`, `from:ronnie@contoso*`},
		{"display name", `from:"Ann Beebe"`, `from:"Ann Beebe"`},
		{"sender is from", `sender:ann`, `from:ann`},
		{"same property", `from:ann from:spam`, `from:ann OR from:spam`},
		{"same property with another", `from:ann from:spam subject:merger`, `(from:ann OR from:spam) AND subject:merger`},
		{"same property apart", `from:ann subject:x from:spam`, `(from:ann OR from:spam) AND subject:x`},
		{"excluded ones", `-from:ann -from:spam`, `NOT from:ann AND NOT from:spam`},
		{"excluded beside", `from:ann -from:spam from:bob`, `(from:ann OR from:bob) AND NOT from:spam`},
		{"explicit", `(from:ann OR from:spam) AND subject:merger`, `(from:ann OR from:spam) AND subject:merger`},
		{"runs are parted by AND", `from:a AND from:b from:c`, `from:a AND (from:b OR from:c)`},
		{"values", `from:(ann OR "Bob B") x`, `(from:ann OR from:"Bob B") AND x`},
		{"values side by side", `subject:(a b) subject:c`, `subject:a OR subject:b OR subject:c`},
		{"values with not", `subject:(a NOT b)`, `subject:a AND NOT subject:b`},
		{"unequal values", `subject<>(a b)`, `NOT (subject:a OR subject:b)`},
		{"flag", `hasattachment:true isread:FALSE`, `hasattachment:true AND isread:false`},
		{"class", `itemclass:ipm.appointment*`, `itemclass:ipm.appointment*`},
		{"kinds", `kind:email kind:meetings`, `kind:email OR kind:meetings`},
		{"folder", `folder:"Inbox/Two words" folder=Inbox`, `folder:"Inbox/Two words" OR folder=Inbox`},
		{"size range", `size:1..20000`, `size:1..20000`},
		{"size at least", `size>=10MB`, `size>=10485760`},
		{"size above", `size>10`, `size>=11`},
		{"size below", `size<10`, `size:0..9`},
		{"size at most", `size<=10`, `size:0..10`},
		{"size is", `size=10`, `size:10`},
		{"size is not", `size<>10`, `NOT size:10`},
		{"sizes", `size:(1..5 OR 7)`, `size:1..5 OR size:7`},
		{"day", `sent:2021-04-15`, `sent:2021-04-15`},
		{"until", `received<=2021-03-31`, `received<2021-04-01`},
		{"after", `received>2021-03-31`, `received>=2021-04-01`},
		{"before", `received<2021-03-31`, `received<2021-03-31`},
		{"from", `received>=2021-03-31`, `received>=2021-03-31`},
		{"not that day", `received<>2021-03-31`, `NOT received:2021-03-31`},
		{"days", `sent:2021-04-01..2021-04-30`, `sent:2021-04-01..2021-04-30`},
		{"american days", `received:4/13/2017..4/14/2017`, `received:2017-04-13..2017-04-14`},
		{"second", `sent:2021-04-15T10:00:00Z`, `sent:2021-04-15T10:00:00Z`},
		{"minute", `sent:2021-04-15T10:00`, `sent:2021-04-15T10:00:00Z..2021-04-15T10:00:59Z`},
		{"tenths", `sent:2021-04-15T10:00:00.5`, `sent:2021-04-15T10:00:00.5000000Z..2021-04-15T10:00:00.5999999Z`},
		{"tick", `sent:2021-04-15T10:00:00.1234567Z`, `sent:2021-04-15T10:00:00.1234567Z`},
		{"zone", `sent:2021-04-15T10:00:00+02:00`, `sent:2021-04-15T08:00:00Z`},
		{"today", `sent:today`, `sent:2021-05-12`},
		{"yesterday", `sent>yesterday`, `sent>=2021-05-12`},
		{"this week", `sent:"this week"`, `sent:2021-05-10..2021-05-16`},
		{"last week", `sent:"last week"`, `sent:2021-05-03..2021-05-09`},
		{"this month", `sent:"This Month"`, `sent:2021-05-01..2021-05-31`},
		{"last month", `sent:"last month"`, `sent:2021-04-01..2021-04-30`},
		{"this year", `sent:"this year"`, `sent:2021-01-01..2021-12-31`},
		{"last year", `sent:"last year"`, `sent:2020-01-01..2020-12-31`},
		{"last 7 days", `sent:"last 7 days"`, `sent:2021-05-06..2021-05-12`},
		{"keyword range", `sent:"last month".."today"`, `sent:2021-04-01..2021-05-12`},
		{"doubled operator", `sent:>=2025-01-01`, `sent>=2025-01-01`},
		{"words with colons and digits first", `10:30 3:4`, `"10:30" AND "3:4"`},
		{"quoted colon", `"re: merger"`, `"re: merger"`},
		{"marks are left out", `a & b`, `a AND b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := Parse(c.in, testOptions)
			if err != nil {
				t.Fatalf("%s: %v", c.in, err)
			}
			want := c.want
			if c.in == `subject: quarterly` { // the colon stays with the word and parts nothing
				want = `"subject:" AND quarterly`
			}
			if got := q.Root.String(); got != want {
				t.Fatalf("%s\n got %s\nwant %s", c.in, got, want)
			}
			again(t, q.Root)
		})
	}
}

// again checks that the full form parses to the same tree.
func again(t *testing.T, n Node) {
	t.Helper()
	full := n.String()
	q, err := Parse(full, testOptions)
	if err != nil {
		t.Fatalf("%s: %v", full, err)
	}
	strip(n)
	strip(q.Root)
	if !reflect.DeepEqual(n, q.Root) {
		t.Fatalf("%s parses to %s", full, q.Root)
	}
}

// strip takes the columns out.
func strip(n Node) {
	switch n := n.(type) {
	case *And:
		for _, n := range n.Nodes {
			strip(n)
		}
	case *Or:
		for _, n := range n.Nodes {
			strip(n)
		}
	case *Not:
		strip(n.Node)
	case *Text:
		n.Column = 0
	case *Time:
		n.Column = 0
	case *Size:
		n.Column = 0
	case *Flag:
		n.Column = 0
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		column   int
		says     string
	}{
		{"nothing", ``, 1, "empty"},
		{"blank", `  `, 1, "empty"},
		{"short prefix", `bu*`, 3, "3 letters"},
		{"star alone", `*`, 1, "3 letters"},
		{"infix", `bud*et`, 4, "* inside"},
		{"leading star", `*cat`, 1, "* inside"},
		{"star in phrase", `"quar* financials"`, 6, "* inside"},
		{"short prefix after a break", `a.b*`, 4, "3 letters"},
		{"keyword with a space", `received:last month`, 10, "not a date"},
		{"and first", `AND merger`, 1, "nothing stands before AND"},
		{"or last", `merger OR`, 10, "missing at the end"},
		{"two operators", `a AND OR b`, 7, "nothing stands before OR"},
		{"not last", `a NOT`, 3, "nothing follows NOT"},
		{"not before and", `NOT AND a`, 1, "nothing follows NOT"},
		{"empty parentheses", `()`, 1, "nothing between"},
		{"open quote", `"open`, 1, "not closed"},
		{"open parenthesis", `(a OR b`, 1, "not closed"},
		{"closed too often", `a) b`, 2, "closes nothing"},
		{"operator before closing", `(a OR )`, 7, "missing before )"},
		{"near", `best NEAR(5) worst`, 6, "NEAR is not supported yet"},
		{"onear", `best ONEAR worst`, 6, "ONEAR is not supported yet"},
		{"xrank", `(cat OR dog) XRANK(cb=100) thoroughbred`, 14, "XRANK is not supported yet"},
		{"words", `WORDS(a, b)`, 1, "WORDS is not supported yet"},
		{"conditions", `merger (c:s) acquisition(c:c)(from:spam)`, 8, "(c:s) are not supported yet"},
		{"later property", `importance:high`, 1, "importance is not supported yet"},
		{"header property", `header.x-spam:yes`, 1, "header.x-spam is not supported yet"},
		{"unknown property", `subjct:x`, 1, `no property "subjct"`},
		{"address as text", `http://x.example`, 1, `no property "http"`},
		{"bad date", `sent:2021-02-30`, 6, "not a date"},
		{"bad american date", `sent:2/30/2021`, 6, "not a date"},
		{"year", `sent:0001-01-01`, 6, "year"},
		{"range backwards", `sent:2021-02-02..2021-02-01`, 1, "ends before"},
		{"size backwards", `size:5..1`, 1, "ends before"},
		{"half a range", `size:5..`, 9, "both its ends"},
		{"range compared", `size>5..7`, 1, "cannot follow >"},
		{"bad size", `size:big`, 6, "not a size"},
		{"huge size", `size:99999999999GB`, 6, "not a size"},
		{"nothing is smaller", `size<0`, 1, "smaller than 0"},
		{"bad flag", `isread:maybe`, 8, "true or false"},
		{"bad kind", `kind:emial`, 6, `no kind "emial"`},
		{"compared text", `subject<x`, 1, "cannot be compared"},
		{"marks only", `& %`, 1, "no letters"},
		{"marks as a value", `subject:!!!`, 9, "no letters"},
		{"property within property", `subject:(from:x)`, 10, "inside the value of subject"},
		{"compared parentheses", `sent>(today)`, 1, "cannot follow >"},
		{"deep", strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500), 401, "more than 400"},
		{"many nots", strings.Repeat("-", 200) + "a", 1, "201 levels"},
		{"long", strings.Repeat("a ", MaxLength), 1, "are allowed"},
		{"not utf-8", "ab\xff", 3, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := Parse(c.in, testOptions)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("no error but %v", q.Root)
			}
			if e.Column != c.column || !strings.Contains(e.Problem, c.says) {
				t.Fatalf("got %d: %s, want %d: %s", e.Column, e.Problem, c.column, c.says)
			}
		})
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`subjct:x`:            "did you mean subject?",
		`recieved:2021-01-01`: "did you mean received?",
		`kind:emial`:          "did you mean email?",
		`received:last month`: `received:"last month"`,
		`xyzzy:1`:             "put it in quotes",
	} {
		_, err := Parse(in, testOptions)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, want) {
			t.Errorf("%s: %+v does not hint %s", in, err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		column   int
		says     string
	}{
		{"lower-case and", `a and b`, 3, "written AND"},
		{"lower-case not", `not b`, 1, "written NOT"},
		{"space after colon", `subject: x`, 8, "a space follows subject:"},
		{"space before colon", `subject :x`, 9, "nothing stands right before :"},
		{"mixed", `a b OR c`, 5, "AND binds before OR"},
		{"doubled operator", `sent:>=2025-01-01`, 6, "read as sent>="},
		{"left out", `a & b`, 3, "left out"},
		{"star after a break", `cat.*`, 1, "adds nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := Parse(c.in, testOptions)
			if err != nil || len(q.Warnings) != 1 {
				t.Fatalf("%v, %v", q.Warnings, err)
			}
			if w := q.Warnings[0]; w.Column != c.column || !strings.Contains(w.Text, c.says) {
				t.Fatalf("got %+v", w)
			}
		})
	}
	for _, quiet := range []string{`a`, `a b`, `a AND b`, `"a and b"`, `(a b) OR c`, `from:x from:y`, `subject:(this and that)`} {
		if q, err := Parse(quiet, testOptions); err != nil || len(q.Warnings) != 0 {
			t.Errorf("%s: %v, %v", quiet, q.Warnings, err)
		}
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 2*3600)
	q, err := Parse(`sent:2021-04-15`, Options{Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := q.Root.String(), `sent:2021-04-14T22:00:00Z..2021-04-15T21:59:59Z`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`merger NOT debt`, `-from:ann -from:spam`, `from:ann from:spam subject:merger`, `"quar financials*"`, `subject:""`,
		`sent:2021-04-01..2021-04-30`, `received:4/13/2017..4/14/2017`, `sent:"last month".."today"`, `size:1..20000`, `size>=10MB`,
		`subject:(a NOT "b c"*)`, `(a OR b`, `a AND OR`, `sent:>=2025-01-01`, `sent<>2021-04-15T10:00:00.1234567+02:00`,
		`kind:email itemclass:ipm.note* folder="a b"`, `“x” – y`, `--+NOT(a)`, `東京* ü:x`, `cat.* & "`, "a\x00b\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s, testOptions)
		if err != nil {
			return
		}
		if len(q.Root.String()) < MaxLength {
			again(t, q.Root)
		}
	})
}
