package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mailbrick/archive/journal"
	"mailbrick/archive/wire"
)

const (
	maxHoldText = 64 << 10 // bytes of a hold's reason and query
	maxHoldName = 200
	heldAtOnce  = 1 << 15 // items that one record adds to a hold
)

var (
	// ErrHoldExists says that there is a hold of that name.
	ErrHoldExists = errors.New("there is a hold of that name")
	// ErrNoHold says that there is no hold of that name.
	ErrNoHold = errors.New("there is no hold of that name")
	// ErrHoldText says that a name, a reason or a query cannot be a hold's.
	ErrHoldText = errors.New("this cannot be a hold")
)

// Hold keeps versions from being forgotten until it is released. It covers its items, all their versions, also those to come;
// without a query all of its mailboxes; with one every version of its mailboxes, or of all, that the query was not asked about:
// those of snapshots behind Position.
type Hold struct {
	Name, Reason string
	Query        string   // opaque to the store
	Mailboxes    []string // in lower case
	Position     uint64   // the query was evaluated through this record of the journal

	Since  time.Time // of the record that set it
	Record uint64    // its number
	Items  int
}

// HeldItem is an item that a hold names.
type HeldItem struct {
	Mailbox string
	ID      ID
}

// Holds are all holds, by name.
func (a *Archive) Holds(ctx context.Context) ([]Hold, error) {
	counts := map[string]int{}
	err := a.cat.scan(ctx, []byte{keyHeld}, func(key, _ []byte) error {
		counts[string(key[heldName:])]++
		return nil
	})
	var out []Hold
	for _, h := range a.cat.holdsNow() {
		hold := *h
		hold.Items = counts[h.Name]
		out = append(out, hold)
	}
	return out, err
}

// Hold is the hold of a name.
func (a *Archive) Hold(ctx context.Context, name string) (Hold, error) {
	holds, err := a.Holds(ctx)
	if err != nil {
		return Hold{}, err
	}
	i := slices.IndexFunc(holds, func(h Hold) bool { return h.Name == name })
	if i < 0 {
		return Hold{}, fmt.Errorf("hold %s: %w", name, ErrNoHold)
	}
	return holds[i], nil
}

// HeldItems yields the items that a hold names, in order of id.
func (a *Archive) HeldItems(ctx context.Context, name string) iter.Seq2[HeldItem, error] {
	return func(yield func(HeldItem, error) bool) {
		err := a.cat.scan(ctx, []byte{keyHeld}, func(key, value []byte) error {
			if string(key[heldName:]) == name && !yield(HeldItem{string(value), ID(key[1:heldName])}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(HeldItem{}, err)
		}
	}
}

// Lags tells whether there are snapshots that the hold's query was not asked about.
func (a *Archive) Lags(h Hold) bool {
	return h.Query != "" && slices.ContainsFunc(a.Mailboxes(), func(s Snapshot) bool { return h.scope(s.Mailbox) && s.Position > h.Position })
}

// AddHold sets a hold. Every item must be in the archive when it lands: one that was forgotten meanwhile is told. Many items take many
// records. Until the last of these the hold covers more than it is to: the whole of what its query is about, or of all mailboxes. So what
// is broken off keeps too much, never too little.
func (a *Archive) AddHold(ctx context.Context, h Hold, items iter.Seq2[HeldItem, error]) error {
	var own uint64 // the record that set it
	err := a.appendItems(ctx, h.Name, items, func(batch []HeldItem, last bool) (*Hold, error) {
		next := h
		switch there := a.cat.hold(h.Name); {
		case own == 0 && there != nil:
			return nil, ErrHoldExists
		case own > 0 && (there == nil || there.Record != own):
			return nil, ErrNoHold
		case !last && h.Query != "":
			next.Position = 0
		case !last:
			next.Mailboxes = a.mailboxNames()
		}
		for _, it := range batch {
			if err := a.present(ctx, it.Mailbox, it.ID); err != nil {
				return nil, err
			}
		}
		return &next, nil
	}, func() { own = cmp.Or(own, a.Head()) })
	if err != nil && own > 0 {
		err = fmt.Errorf("it was set in part, and covers whole mailboxes until it is released: %w", err)
	}
	return err
}

func (a *Archive) mailboxNames() []string {
	var names []string
	for _, s := range a.Mailboxes() {
		names = append(names, s.Mailbox)
	}
	return names
}

// RefreshHold says that a hold's query was evaluated through a record of the journal, and what it found. What the hold has
// already it keeps.
func (a *Archive) RefreshHold(ctx context.Context, name string, position uint64, items iter.Seq2[HeldItem, error]) error {
	fresh := func(yield func(HeldItem, error) bool) {
		for it, err := range items {
			var known bool
			if err == nil {
				known, err = a.cat.has(heldKey(it.ID, name))
			}
			if !known && !yield(it, err) {
				return
			}
		}
	}
	return a.appendItems(ctx, name, fresh, func(_ []HeldItem, last bool) (*Hold, error) {
		h := a.cat.hold(name)
		if h == nil {
			return nil, ErrNoHold
		}
		next := *h
		if last {
			next.Position = max(h.Position, position)
		}
		return &next, nil
	}, func() {})
}

// appendItems lets items of a hold land, some in each record, with the hold as it is then.
func (a *Archive) appendItems(ctx context.Context, name string, items iter.Seq2[HeldItem, error], hold func(batch []HeldItem, last bool) (*Hold, error), landed func()) error {
	var batch []HeldItem
	land := func(last bool) error {
		err := a.appendHold(ctx, func() (*journal.Body, error) {
			h, err := hold(batch, last)
			if err != nil {
				return nil, err
			}
			e, err := holdEntry(*h, batch)
			return &journal.Body{Holds: []journal.Hold{*e}}, err
		}, name, landed)
		batch = batch[:0]
		return err
	}
	for it, err := range items {
		if err == nil && len(batch) == a.opts.heldMax {
			err = land(false)
		}
		if err != nil {
			return err
		}
		it.Mailbox = strings.ToLower(it.Mailbox)
		batch = append(batch, it)
	}
	return land(true)
}

// ReleaseHold ends a hold.
func (a *Archive) ReleaseHold(ctx context.Context, name, reason string) error {
	if err := checkHoldText(name, reason, ""); err != nil {
		return err
	}
	return a.appendHold(ctx, func() (*journal.Body, error) {
		if a.cat.hold(name) == nil {
			return nil, ErrNoHold
		}
		return &journal.Body{Releases: []journal.Release{{Name: name, Reason: reason}}}, nil
	}, name, func() {})
}

// appendHold lets a record land that is made before every attempt: another process may have set or released the hold. Then it calls
// landed, before another record can.
func (a *Archive) appendHold(ctx context.Context, made func() (*journal.Body, error), name string, landed func()) error {
	g := a.group
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.err
	if err == nil {
		err = a.catchUp(ctx) // so that a refusal is by what is, not by what this machine has seen
	}
	if err == nil {
		err = g.appendMade(ctx, nil, nil, made)
	}
	if err != nil {
		return fmt.Errorf("hold %s: %w", name, err)
	}
	landed()
	return nil
}

// present makes sure that an item has a version.
func (a *Archive) present(ctx context.Context, mailbox string, id ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st, ok := a.cat.state(mailbox)
	if ok {
		last, err := a.cat.lastRow(keyVersion, st.number, id)
		if err != nil || last != nil {
			return err
		}
	}
	return fmt.Errorf("item %s: %w", id, ErrNotFound)
}

// holdEntry is the journal's form of a hold. It sorts the items.
func holdEntry(h Hold, items []HeldItem) (*journal.Hold, error) {
	e := &journal.Hold{Name: h.Name, Reason: h.Reason, Query: h.Query, Position: h.Position}
	if err := checkHoldText(h.Name, h.Reason, h.Query); err != nil {
		return e, err
	}
	for _, m := range h.Mailboxes {
		e.Mailboxes = append(e.Mailboxes, strings.ToLower(m))
	}
	slices.SortFunc(items, func(x, y HeldItem) int {
		return cmp.Or(strings.Compare(x.Mailbox, y.Mailbox), bytes.Compare(x.ID[:], y.ID[:]))
	})
	for _, it := range slices.Compact(items) {
		if n := len(e.Items); n == 0 || e.Items[n-1].Mailbox != it.Mailbox {
			e.Items = append(e.Items, journal.HeldItems{Mailbox: it.Mailbox})
		}
		group := &e.Items[len(e.Items)-1]
		group.IDs = append(group.IDs, it.ID)
	}
	return e, nil
}

func checkHoldText(name, reason, query string) error {
	switch {
	case name == "" || len(name) > maxHoldName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: its name is empty, longer than %d bytes or no plain text", ErrHoldText, maxHoldName)
	case strings.TrimSpace(reason) == "":
		return fmt.Errorf("%w: there is no reason", ErrHoldText)
	case len(reason)+len(query) > maxHoldText:
		return fmt.Errorf("%w: reason and query of %d bytes, at most %d", ErrHoldText, len(reason)+len(query), maxHoldText)
	}
	return nil
}

// HeldBy is the name of a hold that covers a version; empty when none does.
func (a *Archive) HeldBy(ctx context.Context, ref VersionRef) (name string, err error) {
	_, name, err = a.held(ctx, ref)
	return name, err
}

// held tells whether a hold covers a version, and the name of that hold.
func (a *Archive) held(ctx context.Context, ref VersionRef) (held bool, name string, err error) {
	holds := a.cat.holdsNow()
	if len(holds) == 0 {
		return false, "", nil
	}
	err = a.cat.scan(ctx, append([]byte{keyHeld}, ref.ID[:]...), func(key, _ []byte) error {
		held, name = true, string(key[heldName:])
		return errStop
	})
	if held {
		return true, name, nil
	}
	if err != nil {
		return false, "", err
	}
	for _, h := range holds {
		if held, err = a.covers(ctx, h, ref); held || err != nil {
			return held, h.Name, err
		}
	}
	return false, "", nil
}

// covers tells whether a hold covers a version for its mailbox's sake.
func (a *Archive) covers(ctx context.Context, h *Hold, ref VersionRef) (bool, error) {
	switch {
	case !h.scope(ref.Mailbox):
		return false, nil
	case h.Query == "":
		return true, nil
	}
	through, err := a.cat.through(ctx, ref.Mailbox, h.Position)
	return ref.From > through, err
}

// scope tells whether a hold speaks of a mailbox as a whole: its query is asked there, or all of it is held.
func (h *Hold) scope(mailbox string) bool {
	return h.Query != "" && len(h.Mailboxes) == 0 || slices.Contains(h.Mailboxes, strings.ToLower(mailbox))
}

// through is the last snapshot of a mailbox that the records up to a position make complete; 0 when there is none. One that
// was forgotten counts: its position is known.
func (c *catalog) through(ctx context.Context, mailbox string, position uint64) (uint32, error) {
	st, ok := c.state(strings.ToLower(mailbox))
	if !ok || st.last.Position <= position {
		return st.ordinal, nil
	}
	prefix := key32(keySnapshot, st.number)
	low, high := uint32(0), st.ordinal // low is complete by then, high is not
	for low+1 < high {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		middle := low + (high-low)/2
		row, err := c.get(appendUint32(prefix, middle))
		if err != nil {
			return 0, err
		}
		s, err := openSnapshot(row)
		if err != nil {
			return 0, err
		}
		if s.Position <= position {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// Rows of holds: keyHold and the name has what a hold is; keyHeld, an item's id and the name says that the hold names the item.
const heldName = 1 + len(ID{})

func heldKey(id ID, name string) []byte { return append(append([]byte{keyHeld}, id[:]...), name...) }

func holdKey(name string) []byte { return append([]byte{keyHold}, name...) }

func (h *Hold) encode() []byte {
	b := wire.AppendUvarint(wire.AppendUvarint(nil, h.Record), uint64(max(0, h.Since.UnixMilli())))
	b = wire.AppendUvarint(wire.AppendBytes(wire.AppendBytes(b, h.Reason), h.Query), h.Position)
	for _, m := range h.Mailboxes {
		b = wire.AppendBytes(b, m)
	}
	return b
}

func openHold(name string, row []byte) (*Hold, error) {
	r := wire.NewReader(row)
	h := &Hold{Name: name, Record: r.Uvarint(), Since: time.UnixMilli(int64(r.Uvarint())).UTC(), Reason: r.String(), Query: r.String(), Position: r.Uvarint()}
	for r.More() {
		h.Mailboxes = append(h.Mailboxes, r.String())
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: catalog: hold: %w", ErrDamaged, err)
	}
	return h, nil
}

// holdsNow are the holds by name. They are never changed, only replaced.
func (c *catalog) holdsNow() []*Hold {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.holds
}

func (c *catalog) hold(name string) *Hold {
	for _, h := range c.holdsNow() {
		if h.Name == name {
			return h
		}
	}
	return nil
}

func (c *catalog) loadHolds() error {
	return c.scan(context.Background(), []byte{keyHold}, func(key, value []byte) error {
		h, err := openHold(string(key[1:]), value)
		c.holds = append(c.holds, h)
		return err
	})
}

// hold sets a hold, or adds to the one of that name: its items stay, all else is as the later record says.
func (a *application) hold(e *journal.Hold) error {
	h := &Hold{Name: e.Name, Reason: e.Reason, Query: e.Query, Mailboxes: append([]string(nil), e.Mailboxes...), Position: e.Position, Since: a.rec.Time, Record: a.rec.Number}
	if was := a.holdNow(e.Name); was != nil {
		h.Since, h.Record = was.Since, was.Record
	}
	a.holdsNew[e.Name] = h
	if err := a.set(holdKey(e.Name), h.encode()); err != nil {
		return err
	}
	for _, group := range e.Items {
		for _, id := range group.IDs {
			if err := a.set(heldKey(id, e.Name), []byte(group.Mailbox)); err != nil {
				return err
			}
		}
	}
	return nil
}

// release ends a hold. One that is not there another record ended.
func (a *application) release(ctx context.Context, e *journal.Release) error {
	ofHold := func(key, _ []byte) bool { return string(key[heldName:]) == e.Name }
	if a.holdsNew[e.Name] != nil { // this very record set it
		err := scanIn(ctx, a.batch, []byte{keyHeld}, func(key, value []byte) error {
			if !ofHold(key, value) {
				return nil
			}
			return a.remove(key)
		})
		if err != nil {
			return err
		}
	}
	a.holdsNew[e.Name] = nil
	return errors.Join(a.remove(holdKey(e.Name)), a.sweepRows(ctx, []byte{keyHeld}, ofHold))
}

func (a *application) remove(key []byte) error {
	if err := a.batch.Delete(key, nil); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

// holdNow is a hold as this record leaves it.
func (a *application) holdNow(name string) *Hold {
	if h, ok := a.holdsNew[name]; ok {
		return h
	}
	return a.catalog.hold(name)
}

// holdsAfter are the holds with the changes of a record.
func holdsAfter(holds []*Hold, changed map[string]*Hold) []*Hold {
	if len(changed) == 0 {
		return holds
	}
	byName := map[string]*Hold{}
	for _, h := range holds {
		byName[h.Name] = h
	}
	maps.Copy(byName, changed)
	maps.DeleteFunc(byName, func(_ string, h *Hold) bool { return h == nil })
	out := slices.Collect(maps.Values(byName))
	slices.SortFunc(out, func(x, y *Hold) int { return strings.Compare(x.Name, y.Name) })
	return out
}
