package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"mailbrick/fetch"
)

// files is a folder of mail files. Nothing outside of it is read.
type files struct {
	*common
	root *os.Root
	at   map[string]fetch.FileMailbox // by mailbox

	mu      sync.Mutex // guards the rest
	noMail  int        // files passed over
	special int        // links and special files passed over
	odd     int        // files and messages that were not read without a doubt
}

// filesOf opens the path of --from and tells which mailboxes it has: the one that is named, or each of its folders.
func filesOf(c *cli.Context, o *common, named []string) (*files, []string, error) {
	for _, other := range []string{"ews", "graph", "user", "user-password-file", "auth", "impersonate", "mailboxes"} {
		if c.IsSet(other) {
			return nil, nil, usagef("--from takes no server: --%s does not go with it", other)
		}
	}
	if len(named) > 1 {
		return nil, nil, usagef("--from PATH is one mailbox or one for each folder: %d are named", len(named))
	}
	path := c.String("from")
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, usagef("--from: %s", err)
	}
	f := &files{common: o, at: map[string]fetch.FileMailbox{}}
	dir := path
	if !info.IsDir() {
		if len(named) == 0 {
			return nil, nil, usagef("--from %s is a file: name its mailbox with --mailbox", path)
		}
		dir = filepath.Dir(path)
		f.at[named[0]] = fetch.FileMailbox{File: filepath.Base(path)}
	} else if len(named) == 1 {
		f.at[named[0]] = fetch.FileMailbox{}
	}
	if f.root, err = os.OpenRoot(dir); err != nil {
		return nil, nil, usagef("--from: %s", err)
	}
	if len(named) == 0 {
		if named, err = f.each(path); err != nil {
			return nil, nil, err
		}
	}
	return f, named, nil
}

// each makes a mailbox of each folder.
func (f *files) each(path string) (names []string, err error) {
	mailboxes, loose, err := fetch.FileMailboxes(f.root, f.passedOver)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(mailboxes) == 0 {
		return nil, usagef("--from %s has no folders that could be mailboxes: name the one that it is with --mailbox", path)
	}
	for _, m := range mailboxes {
		name := strings.ToLower(strings.TrimSpace(m.Name))
		if other, twice := f.at[name]; twice {
			return nil, usagef("--from %s: %s and %s would be the same mailbox: back them up one by one, each with --mailbox", path, other, m)
		}
		f.at[name] = m
		names = append(names, name)
	}
	if loose > 0 {
		f.warn("%s: %d messages lie beside its folders and belong to no mailbox: they are left out", path, loose)
	}
	return names, nil
}

func (f *files) open(_ context.Context, mailbox string) (*opened, error) {
	source, err := fetch.Files(f.root, f.at[mailbox], fetch.FilesOptions{PassedOver: f.passedOver,
		Odd: func(name string, what []string) { f.isOdd(mailbox, name, what) }})
	if err != nil {
		return nil, err
	}
	return &opened{source: source, close: func() { source.Close() }, cost: func() cost { return cost{} }}, nil
}

func (f *files) passedOver(name string, special bool) {
	if f.verbose {
		f.say("passed over: %s", name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if special {
		f.special++
	} else {
		f.noMail++
	}
}

func (f *files) isOdd(mailbox, name string, what []string) {
	if f.verbose {
		f.say("%s: %s: %s", mailbox, name, strings.Join(what, "; "))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.odd++
}

// close tells what was left out.
func (f *files) close() error {
	if f.odd > 0 {
		f.warn("%d files or messages are damaged or odd: what could be read of them is kept (--verbose tells)", f.odd)
	}
	if f.noMail+f.special > 0 {
		f.say("passed over: %d files that are no mail, %d links and special files, which are not followed (--verbose names them)", f.noMail, f.special)
	}
	return f.root.Close()
}
