package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mailbrick/archive/journal"
)

// ErrUnexplained says that somebody has a key file whom the journal does not explain. Who was a holder and can write to the bucket can
// put one there; so did somebody whose Add was broken off.
var ErrUnexplained = errors.New("the journal does not explain a holder")

// holderWords is what the journal says last of each holder. Of him who came with the archive it need not say anything.
type holderWords map[string]*journal.KeyChange

func (w holderWords) hear(rec *journal.Record) {
	if c := rec.Body.Key; c != nil && c.Action != journal.KeyRotated {
		w[c.Holder] = c
	}
}

// added tells whether a holder is one by the journal.
func (w holderWords) added(holder string) bool {
	return w[holder] != nil && w[holder].Action == journal.KeyAdded
}

// said reads the whole journal for what it says of holders.
func (k *Keys) said(ctx context.Context) (holderWords, error) {
	said := holderWords{}
	var head journal.Head
	for rec, err := range k.recordsUntil(ctx, head, k.head.Number) {
		if err != nil {
			return nil, journalError(err)
		}
		head = rec.Head
		said.hear(rec)
	}
	if head.Number != k.head.Number || head.Hash != k.head.Hash {
		return nil, fmt.Errorf("%w: journal record %d is missing", ErrDamaged, head.Number+1)
	}
	return said, nil
}

// explained makes sure, before a rotation gives all of them the new generation, that the journal has added each holder, with the key that
// he has, and has not removed him since. Of one it need not say so: who came with the archive. It reads the whole journal.
func (k *Keys) explained(ctx context.Context, held []holderFile) error {
	said, err := k.said(ctx)
	if err != nil {
		return err
	}
	var silent []string
	for _, h := range held {
		if h.err != nil {
			continue // a rotation says so itself
		}
		about, err := h.file.About(k.ring())
		if err != nil {
			return err
		}
		switch c := said[h.holder]; {
		case c == nil:
			silent = append(silent, h.holder)
		case c.Action == journal.KeyRemoved:
			return fmt.Errorf("%w: %s was removed, and has a file again", ErrUnexplained, h.holder)
		case c.Kind != string(h.kind) || c.Fingerprint != about.Fingerprint():
			return fmt.Errorf("%w: %s has another key than the one that was added", ErrUnexplained, h.holder)
		}
	}
	if len(silent) > 1 {
		return fmt.Errorf("%w: of %s only one came with the archive, and no record added the others", ErrUnexplained, strings.Join(silent, ", "))
	}
	return nil
}
