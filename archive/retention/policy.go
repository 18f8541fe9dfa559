package retention

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Policy is rules in order.
type Policy struct {
	Rules []Rule `toml:"rule"`
}

// Rule says what stays of the versions that it fits. The tags are the names in a policy's text.
type Rule struct {
	Name    string   `toml:"name"`
	Mailbox []string `toml:"mailbox"`
	Folder  []string `toml:"folder"`
	Class   []string `toml:"class"`

	Keep    *Span `toml:"keep"`
	Daily   Count `toml:"daily"`
	Weekly  Count `toml:"weekly"`
	Monthly Count `toml:"monthly"`
	Yearly  Count `toml:"yearly"`
	Deleted *Span `toml:"deleted"`
}

// Count is how many days, weeks, months or years.
type Count uint32

// maxPolicy is longer than any policy.
const maxPolicy = 1 << 20

// Error is a mistake in a policy's text.
type Error struct {
	Line, Column int // from 1; 0 where it is of the whole
	Text         string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// Parse reads a policy. Its errors are of type *Error.
func Parse(text []byte) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, &Error{Text: fmt.Sprintf("a policy has at most %d bytes", maxPolicy)}
	}
	p := &Policy{}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(p); err != nil {
		return nil, explain(err)
	}
	if err := p.complete(text); err != nil {
		return nil, err
	}
	return p, nil
}

// explain says what the TOML package says in this package's words.
func explain(err error) *Error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		line, column := e.Position()
		return &Error{line, column, fmt.Sprintf("%s is not known: a [[rule]] has name, mailbox, folder, class, keep, daily, weekly, monthly, yearly and deleted",
			strings.Join(e.Key(), "."))}
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, column := at.Position()
		return &Error{line, column, strings.TrimPrefix(at.Error(), "toml: ")}
	}
	return &Error{Text: strings.TrimPrefix(err.Error(), "toml: ")}
}

// complete names rules and refuses those that cannot be meant.
func (p *Policy) complete(text []byte) error {
	if len(p.Rules) == 0 {
		return &Error{Text: "no rule: write [[rule]] and below it what stays, as keep = \"90d\""}
	}
	seen := map[string]bool{}
	for i := range p.Rules {
		r, fault := &p.Rules[i], ""
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule %d", i+1)
		}
		switch {
		case slices.ContainsFunc(r.Mailbox, badPattern):
			fault = "one of mailbox is no pattern: a [ wants its ]"
		case seen[r.Name]:
			fault = "there are two rules of that name"
		case r.Keep == nil && r.Deleted == nil && max(r.Daily, r.Weekly, r.Monthly, r.Yearly) == 0:
			fault = "it does not say what stays: give keep, daily, weekly, monthly, yearly or deleted (keep = \"forever\" keeps all)"
		case max(r.Daily, r.Weekly, r.Monthly, r.Yearly) > maxCount:
			fault = fmt.Sprintf("at most %d days, weeks, months or years can be counted", maxCount)
		}
		if fault != "" {
			return &Error{Line: lineOfRule(text, i), Column: 1, Text: r.Name + ": " + fault}
		}
		seen[r.Name] = true
	}
	return nil
}

// lineOfRule is where the n-th [[rule]] stands; 0 when it is written in another way.
func lineOfRule(text []byte, n int) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if strings.HasPrefix(strings.ReplaceAll(string(line), " ", ""), "[[rule]]") {
			if n == 0 {
				return i + 1
			}
			n--
		}
	}
	return 0
}

// fits tells whether the rule judges a version.
func (r *Rule) fits(v *Version) bool {
	return anyOf(r.Mailbox, func(p string) bool { return fitsPattern(p, v.Mailbox) }) &&
		anyOf(r.Folder, func(f string) bool { return below(v.Folder, strings.Trim(f, "/"), "/") }) &&
		anyOf(r.Class, func(c string) bool { return below(v.Class, c, ".") })
}

func badPattern(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil
}

func fitsPattern(pattern, mailbox string) bool {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "/", "\x00") } // * is any run, of "/" too
	ok, err := path.Match(plain(pattern), plain(mailbox))
	return ok && err == nil
}

// anyOf is true of nothing: what is left out is all.
func anyOf[T any](list []T, fits func(T) bool) bool {
	for _, x := range list {
		if fits(x) {
			return true
		}
	}
	return len(list) == 0
}

// below tells whether a name is another one or begins with it and a separator.
func below(name, top, separator string) bool {
	name, top = strings.ToLower(name), strings.ToLower(top)
	return name == top || strings.HasPrefix(name, top+separator)
}
