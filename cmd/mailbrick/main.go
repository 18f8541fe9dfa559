// Command mailbrick archives Exchange mailboxes item by item, makes them searchable and puts any item back. It joins the
// rooms; what each does is said in their package docs, what each verb promises in its --help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() { os.Exit(process()) }

// process is the program as the system starts it.
func process() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // what a run holds is small and steady; twice of it is not
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(steadyMemory)
	}
	cli.HelpFlag = sharedHelp()
	log.SetOutput(io.Discard) // the index's library talks there; what matters comes back as an error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { // a second interrupt ends the process at once
		<-ctx.Done()
		stop()
	}()
	defer stop()
	return run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
}

// helpFlag is the --help of all verbs. The library has one for the whole process and writes to it at each run; verbs run beside one
// another in watch.
type helpFlag struct{ *cli.BoolFlag }

func sharedHelp() cli.Flag {
	return helpFlag{&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help", DisableDefaultText: true}}
}

// Apply declares the flag and changes nothing.
func (f helpFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.Names() {
		set.Bool(name, false, f.Usage)
	}
	return nil
}

// steadyMemory is where the collector begins to work harder: what a run holds fits, whatever the archive's size, and room that
// was freed goes back to the system. The index takes what it needs (withIndex).
const steadyMemory = 152 << 20

// unlimited lifts that limit, and gives what sets it again. A limit of the user's own (GOMEMLIMIT) stays.
func unlimited() (limit func()) {
	if debug.SetMemoryLimit(-1) != steadyMemory {
		return func() {}
	}
	debug.SetMemoryLimit(math.MaxInt64)
	return func() { debug.SetMemoryLimit(steadyMemory) }
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, in io.Reader, out, talk io.Writer) int {
	return runWith(ctx, args, newApp(in, out, talk))
}

func runWith(ctx context.Context, args []string, app *cli.App) int {
	args = flagsFirst(app, args)
	err := repeatedFlag(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	var there *elsewhere
	if errors.As(err, &there) {
		return there.run(ctx, app, args)
	}
	return report(app.ErrWriter, wantsJSON(args), err)
}

func newApp(in io.Reader, out, talk io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "mailbrick",
		Usage:                     "archive Exchange mailboxes, search them, put any item back",
		UsageText:                 "mailbrick VERB [flags] [arguments]",
		Description:               "Try it without a server: mailbrick demo\n\nExit codes: " + exitCodes,
		Reader:                    in,
		Writer:                    out,
		ErrWriter:                 talk,
		HideHelpCommand:           true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true, // a value with a comma is one value
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		CommandNotFound:           nil,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no verb %q", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			newInitCommand(), newBackupCommand(), newWatchCommand(),
			newMailboxesCommand(), newSnapshotsCommand(), newLsCommand(), newVersionsCommand(),
			newShowCommand(), newCatCommand(), newSearchCommand(), newReportCommand(),
			newExportCommand(), newRestoreCommand(),
			newHoldCommand(), newRetentionCommand(), newForgetCommand(), newPruneCommand(),
			newVerifyCommand(), newRepairCommand(), newRebuildCommand(), newStatsCommand(), newLogCommand(),
			newKeyCommand(),
			newSimulateCommand(), newDemoCommand(),
		},
	}
	for _, c := range app.Commands {
		finish(c)
	}
	return app
}

// finish gives a verb, and those below it, what all have alike.
func finish(c *cli.Command) {
	c.OnUsageError = usageError
	c.HideHelpCommand = true
	c.Description += "\n\nExit codes: " + exitCodes
	if len(c.Subcommands) > 0 {
		c.Action = wantsSubverb
		for _, below := range c.Subcommands {
			finish(below)
		}
		return
	}
	check := emptyFlag
	if !c.Args && !takesArguments(c.Name) {
		check = noArguments
	}
	c.Before = func(c *cli.Context) error {
		err := check(c)
		if err == nil {
			err = withConfig(c)
		}
		if err == nil {
			err = lookElsewhere(c)
		}
		return err
	}
}

// wantsSubverb is what a verb does that only has others below it.
func wantsSubverb(c *cli.Context) error {
	var names []string
	for _, below := range c.Command.Subcommands {
		names = append(names, below.Name)
	}
	if c.Args().Present() {
		return usagef("there is no verb %q: %s has %s", c.Command.Name+" "+c.Args().First(), c.Command.Name, strings.Join(names, ", "))
	}
	return usagef("%s what? It has %s", c.Command.Name, strings.Join(names, ", "))
}

func takesArguments(verb string) bool {
	switch verb {
	case "versions", "show", "cat", "search", "export", "restore", "forget", "remove":
		return true
	}
	return false
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%s takes no arguments: %q", c.Command.Name, c.Args().First())
	}
	return emptyFlag(c)
}

func usageError(_ *cli.Context, err error, _ bool) error { return &usage{err} }

// usage is a command line that makes no sense.
type usage struct{ error }

func usagef(format string, args ...any) error { return &usage{fmt.Errorf(format, args...)} }
