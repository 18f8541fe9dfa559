package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves flags in front of a verb's arguments, since the flag package stops at the first argument and would
// take what follows for words of a query. "--" ends the flags, as everywhere.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	i := slices.IndexFunc(app.Commands, func(c *cli.Command) bool { return c.Name == args[1] })
	if i < 0 {
		return args
	}
	takesValue := valueFlags(app.Commands[i])
	var flags, words []string
	rest := args[2:]
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
			flags = append(flags, a)
			name := strings.TrimLeft(a, "-")
			switch {
			case !takesValue[name]:
			case len(rest) == 0:
				return append(args[:2:2], flags...) // the flag package says which value is missing
			default:
				flags = append(flags, rest[0])
				rest = rest[1:]
			}
		}
	}
	out := append([]string{args[0], args[1]}, flags...)
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
