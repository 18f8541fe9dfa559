package fetch

import (
	"context"
	"errors"
	"time"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/throttle"
)

// ListenEWS listens to mailboxes on Exchange Web Services until the context ends. While a server cannot be listened to they
// are asked now and then, as all others.
func (w *Watch) ListenEWS(ctx context.Context, mailboxes []ews.Watched) {
	for times := 0; ctx.Err() == nil; times++ {
		err := ews.Watch(ctx, mailboxes, ews.WatchOptions{}, func(h ews.Hint) {
			if h.Err != nil {
				w.o.Log.Warn("not listening: asked now and then", "mailbox", h.Mailbox, "cause", h.Err)
				w.Listening(h.Mailbox, false)
				return
			}
			times = 0
			w.Listening(h.Mailbox, true)
			w.Happened(h.Mailbox)
		})
		if ctx.Err() != nil {
			return
		}
		w.o.Log.Warn("not listening: asked now and then", "mailboxes", len(mailboxes), "cause", err)
		for _, m := range mailboxes {
			w.Listening(m.Name, false)
		}
		if errors.Is(err, ews.ErrCredentials) {
			times += 3 // each attempt may count against the account
		}
		_ = throttle.Sleep(ctx, w.jitter(grown(time.Minute, time.Hour, times))) // its end is the context's, which the loop sees
	}
}
