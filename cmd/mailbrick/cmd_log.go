package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
)

func newLogCommand() *cli.Command {
	return &cli.Command{
		Name:      "log",
		Usage:     "tell who did what",
		UsageText: "mailbrick log [--checkpoint]",
		Description: "Lists the records of the journal: number, time, who signed it, what it says. A writer is a machine, known by the fingerprint of its key.\n" +
			"--checkpoint prints a short signed text that stands for all of history so far. Give it to somebody outside: as long as\n" +
			"`verify --checkpoint FILE` finds nothing, nothing that came before it was changed or taken back.\n\n" +
			"Example:\n  mailbrick log --checkpoint > checkpoint.txt",
		Flags: commonFlags(&cli.BoolFlag{Name: "checkpoint", Usage: "print a checkpoint"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				if c.Bool("checkpoint") {
					return printCheckpoint(c.Context, o, a)
				}
				return runLog(c.Context, o, a)
			})
		},
	}
}

type logLine struct {
	Number  uint64      `json:"number"`
	Time    string      `json:"time"`
	Writer  string      `json:"writer"`
	Known   bool        `json:"known"`
	Machine string      `json:"machine"`
	Program string      `json:"program"`
	Events  []eventLine `json:"events"`
}

type eventLine struct {
	What   string           `json:"what"`
	Of     string           `json:"of,omitempty"`
	Detail string           `json:"detail,omitempty"`
	Counts map[string]int64 `json:"counts,omitempty"`
}

func runLog(ctx context.Context, o *common, a *archive.Archive) error {
	for e, err := range a.Log(ctx) {
		if err == nil {
			err = o.printLogEntry(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *common) printLogEntry(e *archive.LogEntry) error {
	if o.json {
		line := logLine{e.Number, moment(e.Time), archive.Fingerprint(e.Writer), e.Known, e.Machine, e.Program, []eventLine{}}
		for _, ev := range e.Events {
			line.Events = append(line.Events, eventLine{ev.What, ev.Of, ev.Detail, countMap(ev.Counts)})
		}
		return o.print(line)
	}
	who := archive.Fingerprint(e.Writer)
	if e.Machine != "" {
		who += " " + e.Machine
	}
	if !e.Known {
		who += " (never announced)"
	}
	if e.Program != "" {
		who += ", " + e.Program
	}
	var what []string
	for _, ev := range e.Events {
		what = append(what, eventText(ev))
	}
	_, err := fmt.Fprintf(o.out, "%d  %s  %s  %s\n", e.Number, moment(e.Time), plain(who), plain(strings.Join(what, "; ")))
	return err
}

func eventText(e archive.Event) string {
	words := []string{e.What}
	for _, w := range []string{e.Of, e.Detail} {
		if w != "" {
			words = append(words, w)
		}
	}
	var counted []string
	for _, c := range e.Counts {
		if c.Of == "bytes" {
			counted = append(counted, bytes(c.N))
			continue
		}
		counted = append(counted, fmt.Sprintf("%s %d", c.Of, c.N))
	}
	if len(counted) == 0 {
		return strings.Join(words, " ")
	}
	return strings.Join(words, " ") + ": " + strings.Join(counted, ", ")
}

func countMap(counts []archive.Count) map[string]int64 {
	m := map[string]int64{}
	for _, c := range counts {
		m[strings.ReplaceAll(c.Of, " ", "_")] = c.N
	}
	return m
}

func printCheckpoint(ctx context.Context, o *common, a *archive.Archive) error {
	c, err := a.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if !o.json {
		_, err = o.out.Write(c.Text())
		return err
	}
	return o.print(struct {
		Archive    string `json:"archive"`
		Number     uint64 `json:"number"`
		Head       string `json:"head"`
		Time       string `json:"time"`
		Writer     string `json:"writer"`
		Checkpoint string `json:"checkpoint"`
	}{c.Archive, c.Number, fmt.Sprintf("%x", c.Head), moment(c.Time), archive.Fingerprint(c.Writer), string(c.Text())})
}

// checkpointLimit is more than any checkpoint has.
const checkpointLimit = 4 << 10

func readCheckpoint(file string) (*archive.Checkpoint, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, checkpointLimit))
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := archive.ParseCheckpoint(text)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", file, err)
	}
	return c, nil
}
