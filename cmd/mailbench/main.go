// Command mailbench measures the whole of Mailbrick from outside: it builds the program, serves mailboxes with its
// simulated Exchange, and prints what a first backup, an unchanged one, a search and a restore cost. Times of this kind
// are for comparing runs on one machine; CPU-seconds are steadier than seconds.
//
//	go run ./cmd/mailbench                  seeded mail of its own
//	go run ./cmd/mailbench -mail DIR        a tree of mailboxes: DIR/ADDRESS/FOLDER/*.eml
//	go run ./cmd/mailbench -corpus DIR -peers SCRIPT
//	                                        exported items (DIR/base, DIR/inc) through this program and through the others
//	                                        that SCRIPT knows, side by side
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	mail := flag.String("mail", "", "a tree of mailboxes to serve; seeded mail when empty")
	big := flag.Int("big", 150, "MiB of the one big attachment")
	corpus := flag.String("corpus", "", "a corpus of exported items, to compare with other programs")
	script := flag.String("peers", "", "the script that runs the other programs")
	bytes := flag.Int64("touch", 0, "only touch so many bytes of memory, see even")
	flag.Parse()
	if *bytes > 0 {
		touch(*bytes)
		return
	}
	if err := run(ctx, *mail, *big, *corpus, *script, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mailbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, mail string, bigMiB int, corpus, script string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "mailbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, exe: filepath.Join(dir, "mailbrick"), table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	defer b.table.Flush()
	if corpus != "" {
		if err := b.build(ctx); err != nil {
			return err
		}
		return b.comparePeers(ctx, corpus, script)
	}
	if mail == "" {
		mail = filepath.Join(dir, "mail")
		if err := writeMail(mail); err != nil {
			return err
		}
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := b.corpus(ctx, mail); err != nil {
		return err
	}
	if err := b.bigItem(ctx, bigMiB); err != nil {
		return err
	}
	// Last, since it is measured in this process: what this process had in memory would count as its children's peak.
	return b.warm(ctx)
}
