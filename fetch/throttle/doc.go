// Package throttle decides when a request may go to a server that limits its
// clients. It owns how many go at once, when none may go, and who is next. It
// must never know what a request is: no SOAP, no JSON, no codes, no statuses. The
// protocols sort what a server says into six kinds of answer and give it those.
//
//	p, err := mailbox.Acquire(ctx, throttle.Ask{})
//	if err != nil {
//		return err // *TooLong, or that of ctx
//	}
//	answer := send()
//	p.Release(throttle.Signal{Kind: throttle.Busy, After: answer.RetryAfter})
//
// # Governors
//
// A Governor stands for one budget of the server. Where budgets lie within one
// another, so do governors, to any depth: a request goes when its own governor and
// all above allow it, and what it was answered is told to all of them.
//
//	account                          429, 503: nobody goes
//	  ├── mailbox                    27 at once, 10,000 requests in 10 minutes
//	  │     └── sync calls           5 at once
//	  └── mailbox
//
// Governors without a parent know nothing of each other. There is nothing to close.
//
// # Answers
//
//	Served    it was done
//	Refused   answered, with an error that says nothing about load
//	Lost      no answer, or the request was not sent
//	Slow      it took too long
//	Crowded   too many at once
//	Busy      leave me alone, for After if it says so
//
// A signal is about the governor in Signal.At, by default the one that was asked;
// to the others of its chain a request that was answered is as good as Refused.
// Of a complaint that names nobody and no time it may not be known whom it is
// about. Then At is the narrower of two, and Signal.Maybe the wider: that one
// rests for a second, and with each further such complaint until something is
// served twice as long, and with its limit halved. So one refusal does not stop
// all, and many do.
//
// # How many at once
//
// Additive increase, multiplicative decrease. The limit begins at Start. It grows
// by one when as many requests as it allows were Served, and only counts those that
// began or ended while it was reached: a limit that nobody used proves nothing. Slow,
// Crowded and Busy halve it, down to one. A burst of failures halves it once:
// answers to requests begun before that do not count again. A limit that has come
// down is no reason to end what is on its way. Up to three quarters of what was too
// much it grows with every request that was Served: those are known to be borne, and
// a refusal by chance, as servers have them, is made good soon. Where it was no
// chance the next complaint comes lower, and three quarters of that are less.
//
// # Pauses
//
// Busy begins a pause, and so does Crowded at a limit of one. It lasts as long as
// the server says, and no less than Floor, which doubles with every pause until
// something is served, up to 5 minutes, and a random part. While it lasts no
// request begins, neither of this governor nor of those below it. It may become
// longer, never shorter. Then one goes first; each answer lets one more go beside
// it until the limit is reached, and every two seconds without a complaint twice as
// many: a server refuses at the door, and what it takes long over it has let in. So
// a server that is still busy sees one request.
//
// # Windows
//
// No more than Requests begin in any time of length Window, no more than
// UploadBytes are announced in any time of length UploadWindow. An upload bigger
// than that goes when the window is empty.
//
// # Waiting
//
// First come, first served, within one governor. A wait whose end is known and is
// after Ask.Before (else Options.Patience from now) is not begun: *TooLong says for
// how long nothing will go. Waiting for a place ends when others are done, and is
// bounded by the context alone. Nobody waits but on the goroutine of the caller;
// the package starts none.
//
// Clock and Sleep need not agree: what was slept has passed.
package throttle
