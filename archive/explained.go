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

// explained makes sure, before a rotation gives all of them the new generation, that the journal has added each holder, with the key that
// he has, and has not removed him since. Of one it need not say so: who came with the archive. It reads the whole journal.
func (k *Keys) explained(ctx context.Context, held []holderFile) error {
	said := map[string]*journal.KeyChange{}
	var head journal.Head
	for rec, err := range k.journal.Until(ctx, head, k.head.Number) {
		if err != nil {
			return journalError(err)
		}
		if head = rec.Head; rec.Body.Key != nil && rec.Body.Key.Action != journal.KeyRotated {
			said[rec.Body.Key.Holder] = rec.Body.Key
		}
	}
	if head.Number != k.head.Number || head.Hash != k.head.Hash {
		return fmt.Errorf("%w: journal record %d is missing", ErrDamaged, head.Number+1)
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
