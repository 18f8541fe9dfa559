package archive

import (
	"context"
	"strings"
)

// Cursors gives a mailbox's cursors whose keys begin with a prefix, as the last record left them: what its sessions keep
// for one another, for who wants to read it without a session. A mailbox that is not known has none.
func (a *Archive) Cursors(ctx context.Context, mailbox, prefix string) (map[string][]byte, error) {
	out := map[string][]byte{}
	st, ok := a.cat.state(strings.ToLower(mailbox))
	if !ok {
		return out, nil
	}
	return out, a.cat.cursors(ctx, st.number, prefix, out)
}
