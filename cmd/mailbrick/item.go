package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"mailbrick/archive"
	"mailbrick/fetch/mapi"
)

// itemLine is an item as `ls` and `search` print it.
type itemLine struct {
	ID             string   `json:"id"`
	Mailbox        string   `json:"mailbox"`
	Folder         string   `json:"folder"`
	Class          string   `json:"class"`
	Subject        string   `json:"subject"`
	From           string   `json:"from"`
	To             []string `json:"to"`
	CC             []string `json:"cc"`
	Sent           string   `json:"sent"`
	Received       string   `json:"received"`
	Size           int64    `json:"size"`
	HasAttachments bool     `json:"has_attachments"`
	Attachments    []string `json:"attachments"`
	Read           bool     `json:"read"`
	Version        uint32   `json:"version"`
	FirstSeen      string   `json:"first_seen"`
	LastSeen       string   `json:"last_seen"`
	Deleted        bool     `json:"deleted"`
	ItemID         string   `json:"item_id"`
	ChangeKey      string   `json:"change_key"`
	Unparsed       string   `json:"unparsed,omitempty"`
}

func lineOf(v *archive.Version) (itemLine, error) {
	s, err := mapi.DecodeSummary(v.Summary)
	if err != nil {
		return itemLine{}, fmt.Errorf("item %s: %w", v.ID, err)
	}
	return itemLine{ID: v.ID.String(), Mailbox: v.Mailbox, Folder: v.Folder, Class: s.Class, Subject: s.Subject, From: s.From,
		To: list(s.To), CC: list(s.Cc), Sent: stamp(s.Sent), Received: stamp(s.Received), Size: v.Size,
		HasAttachments: s.HasAttachments, Attachments: list(s.Attachments), Read: s.Read, Version: v.From,
		FirstSeen: moment(v.FirstSeen), LastSeen: moment(v.LastSeen), Deleted: v.Deleted,
		ItemID: v.ItemID, ChangeKey: v.ChangeKey, Unparsed: v.Unparsed}, nil
}

// list is never null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// stamp writes a moment as RFC 3339 UTC; none is "".
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// moment writes a snapshot's time, to the millisecond: --at finds the snapshot by it.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// printItem writes an item as a line, for people or programs.
func (o *common) printItem(v *archive.Version) error {
	line, err := lineOf(v)
	if err != nil {
		return err
	}
	if o.json {
		return o.print(line)
	}
	when := line.Received
	if when == "" {
		when = line.Sent
	}
	mark := " "
	if line.Deleted {
		mark = "x"
	}
	_, err = fmt.Fprintf(o.out, "%s %s %-20s %-28.28s %-24.24s %s\n", line.ID, mark, when, plain(line.From), plain(line.Folder), plain(line.Subject))
	return err
}

// plain takes control characters out of foreign text: it must not drive the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

// printItems writes items and tells how many there were.
func (o *common) printItems(items iter.Seq2[*archive.Version, error]) error {
	n := 0
	for v, err := range items {
		if err != nil {
			return err
		}
		if err := o.printItem(v); err != nil {
			return err
		}
		n++
	}
	if !o.json {
		o.say("%d items", n)
	}
	return nil
}

// itemOf finds an item by what a person typed: its id, or an id with "@" and the version's number.
func itemOf(ctx context.Context, a *archive.Archive, word string) (*archive.Version, error) {
	name, version, pinned := strings.Cut(word, "@")
	id, err := archive.ParseID(name)
	if err != nil {
		return nil, usagef("%s", err)
	}
	if !pinned {
		return a.Item(ctx, id)
	}
	for v, err := range a.History(ctx, id) {
		if err != nil {
			return nil, err
		}
		if fmt.Sprint(v.From) == version {
			return v, nil
		}
	}
	return nil, fmt.Errorf("item %s has no version %s: %w", name, version, archive.ErrNotFound)
}

// snapshotOf is a mailbox's latest snapshot, or the last one at or before a moment.
func snapshotOf(ctx context.Context, a *archive.Archive, mailbox, at string) (archive.Snapshot, error) {
	if at == "" {
		return a.Latest(mailbox)
	}
	t, err := parseTime(at)
	if err != nil {
		return archive.Snapshot{}, err
	}
	return a.At(ctx, mailbox, t)
}

// copyBlob writes an item's bytes as they were exported.
func copyBlob(ctx context.Context, a *archive.Archive, v *archive.Version, w io.Writer) (err error) {
	r, err := a.OpenBlob(ctx, v)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.Copy(w, r)
	return err
}
