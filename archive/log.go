package archive

import (
	"context"
	"encoding/hex"
	"iter"
	"time"

	"mailbrick/archive/journal"
)

// LogEntry is a record of the journal, for people: who did what, and when.
type LogEntry struct {
	Number  uint64
	Time    time.Time
	Writer  [32]byte // public key of who signed it
	Known   bool     // that it was announced
	Machine string   // what it was announced as
	Program string   // that wrote last with this key
	Events  []Event
}

// Event is something that a record says.
type Event struct {
	What   string // "begin", "backup", "key added", "forget", ...
	Of     string // mailbox, hold or holder
	Detail string
	Counts []Count
}

// Count is a number of things.
type Count struct {
	Of string
	N  int64
}

// Log reads the journal from its first record on.
func (a *Archive) Log(ctx context.Context) iter.Seq2[*LogEntry, error] {
	return func(yield func(*LogEntry, error) bool) {
		machines, programs := map[[32]byte]string{}, map[[32]byte]string{}
		// What came since this process opened the archive may be sealed under a key that it has not.
		end := a.Head()
		at := uint64(0)
		for rec, err := range a.recordsUntil(ctx, journal.Head{}, end) {
			if err != nil {
				yield(nil, journalError(err))
				return
			}
			at = rec.Number
			if w := rec.Body.Writer; w != nil {
				machines[w.Key] = w.Name
			}
			if b := rec.Body.Begin; b != nil {
				programs[rec.Signer] = b.Program
			}
			e := &LogEntry{Number: rec.Number, Time: rec.Time, Writer: rec.Signer, Program: programs[rec.Signer], Events: eventsOf(rec.Body)}
			if e.Machine, e.Known = machines[rec.Signer]; !yield(e, nil) {
				return
			}
		}
		if at < end {
			yield(nil, missing(at+1, end))
		}
	}
}

func eventsOf(b *journal.Body) (list []Event) {
	if b.Begin != nil {
		list = append(list, Event{What: "begin", Detail: b.Begin.Program})
	}
	if w := b.Writer; w != nil {
		list = append(list, Event{What: "writer", Of: Fingerprint(w.Key), Detail: w.Name})
	}
	if k := b.Key; k != nil {
		list = append(list, keyEvent(k))
	}
	for i := range b.Sections {
		list = append(list, sectionEvent(&b.Sections[i]))
	}
	for i := range b.Forgets {
		f := &b.Forgets[i]
		list = append(list, Event{"forget", f.Mailbox, f.Reason, counts("versions", len(f.Versions), "snapshots", len(f.Snapshots))})
	}
	for i := range b.Holds {
		h := &b.Holds[i]
		list = append(list, Event{"hold", h.Name, h.Reason, counts("mailboxes", len(h.Mailboxes), "items", itemsHeld(h))})
	}
	for i := range b.Releases {
		list = append(list, Event{What: "release", Of: b.Releases[i].Name, Detail: b.Releases[i].Reason})
	}
	if c := b.Condemn; c != nil {
		list = append(list, Event{What: "prune", Counts: counts("packs", len(c.Packs), "fenced", len(c.Fenced))})
	}
	if len(b.Packs) > 0 {
		size := int64(0)
		for i := range b.Packs {
			size += b.Packs[i].Size
		}
		list = append(list, Event{What: "store", Counts: append(counts("packs", len(b.Packs)), Count{"bytes", size})})
	}
	return list
}

func keyEvent(k *journal.KeyChange) Event {
	counted := []Count{{"generation", int64(k.Generation)}}
	switch k.Action {
	case journal.KeyRotated:
		return Event{What: "key rotated", Detail: hex.EncodeToString(k.Digest[:8]), Counts: counted}
	case journal.KeyRemoved:
		return Event{"key removed", k.Holder, k.Kind + " " + k.Fingerprint, counted}
	}
	return Event{"key added", k.Holder, k.Kind + " " + k.Fingerprint, counted}
}

// sectionEvent tells of a mailbox. What is not complete goes on in a later record.
func sectionEvent(s *journal.Section) Event {
	what := "checkpoint"
	if s.Complete {
		what = "backup"
	}
	list := counts("versions", len(s.Versions), "gone", len(s.Gone), "folders", len(s.Folders), "folders gone", len(s.FoldersGone))
	return Event{What: what, Of: s.Mailbox, Counts: append(list, Count{"snapshot", int64(s.Ordinal)})}
}

func itemsHeld(h *journal.Hold) (n int) {
	for i := range h.Items {
		n += len(h.Items[i].IDs)
	}
	return n
}

// counts leaves out what is nothing.
func counts(pairs ...any) (list []Count) {
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i+1].(int); n > 0 {
			list = append(list, Count{pairs[i].(string), int64(n)})
		}
	}
	return list
}
