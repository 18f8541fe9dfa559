package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// emptyFlag refuses a flag that was given an empty value: an unset variable in a script must not mean "now" or "all".
func emptyFlag(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if text, ok := f.(*cli.StringFlag); ok && len(text.EnvVars) == 0 && c.IsSet(name) && c.String(name) == "" {
			return usagef("--%s is empty", name)
		}
	}
	return nil
}

// repeatedFlag refuses a flag that takes one value and was given twice: the flag package drops all but the last. The
// arguments are as flagsFirst gives them.
func repeatedFlag(app *cli.App, args []string) error {
	verb, at := verbOf(app, args)
	if verb == nil {
		return nil
	}
	takesValue, seen := valueFlags(verb), map[string]bool{}
	for rest := args[at:]; len(rest) > 0 && rest[0] != "--"; rest = rest[1:] {
		name, _, joined := strings.Cut(strings.TrimLeft(rest[0], "-"), "=")
		flag := singleFlag(verb, name)
		if flag != "" && seen[flag] {
			return usagef("--%s was given twice: it takes one value", flag)
		}
		seen[flag] = true
		if takesValue[name] && !joined && len(rest) > 1 {
			rest = rest[1:]
		}
	}
	return nil
}

// verbOf is the command that the arguments name, and where its own arguments begin; nil when there is none.
func verbOf(app *cli.App, args []string) (verb *cli.Command, at int) {
	if len(args) < 2 {
		return nil, 0
	}
	verb, at = app.Command(args[1]), 2
	for verb != nil && at < len(args) {
		below := slices.IndexFunc(verb.Subcommands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if below < 0 {
			break
		}
		verb, at = verb.Subcommands[below], at+1
	}
	return verb, at
}

// singleFlag is the first name of a flag that takes one value; "" of any other.
func singleFlag(c *cli.Command, name string) string {
	for _, f := range c.Flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f.(type) {
		case *cli.StringFlag, *cli.IntFlag, *cli.DurationFlag:
			return f.Names()[0]
		}
	}
	return ""
}

// flagsFirst moves flags in front of a verb's arguments, since the flag package stops at the first argument and would
// take what follows for words of a query. "--" ends the flags, as everywhere.
func flagsFirst(app *cli.App, args []string) []string {
	verb, at := verbOf(app, args)
	if verb == nil {
		return args
	}
	takesValue := valueFlags(verb)
	var flags, words []string
	rest := args[at:]
	for len(rest) > 0 {
		a := rest[0]
		rest = rest[1:]
		switch {
		case a == "--":
			words = append(words, rest...)
			rest = nil
		case a == "-" || !strings.HasPrefix(a, "-"):
			words = append(words, a)
		default:
			a = graphValue(a, rest)
			flags = append(flags, a)
			name := strings.TrimLeft(a, "-")
			switch {
			case !takesValue[name]:
			case len(rest) == 0:
				return append(args[:at:at], flags...) // the flag package says which value is missing
			default:
				flags = append(flags, rest[0])
				rest = rest[1:]
			}
		}
	}
	out := append(args[:at:at], flags...)
	return append(append(out, "--"), words...)
}

// valueFlags are the names of a command's flags that are followed by a value.
func valueFlags(c *cli.Command) map[string]bool {
	out := map[string]bool{}
	for _, f := range c.Flags {
		if _, isBool := f.(*cli.BoolFlag); !isBool {
			for _, name := range f.Names() {
				out[name] = true
			}
		}
	}
	return out
}

// wantsJSON tells before anything is parsed whether errors are to be JSON.
func wantsJSON(args []string) bool {
	for _, a := range args {
		switch a {
		case "--":
			return false
		case "--json", "-json", "--json=true":
			return true
		}
	}
	return false
}
