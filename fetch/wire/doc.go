// Package wire is what the protocols of Exchange have alike below their languages: base64 that is decoded and
// encoded as it passes, bodies of requests with uploads in them, the notice of a server that cuts an export short, a watchdog for
// connections that stand still, the way through the pages of a list, and errors of the network without what may be secret in them.
// It must never know SOAP, JSON, an operation or an item.
//
// # How slow a server may be
//
// A Watchdog is told how long a connection may stand still: 5 minutes, the "time" below, unless a client is told otherwise. It counts
// while the network is waited for, and not while the caller is at work with what has come.
//
//	what is waited for          ends the wait                  given up
//	the head of the answer      all of it, and no 1xx          after the time, whatever has come of it
//	the body, either way        bytes: each 32 KiB buy the     when the credit is used up, which is never
//	                            whole time, fewer their share  more than the time
//	a body that may rest        any byte                       after the time, and when its end is overdue
//
// So after a burst a body may stand still for 5 minutes, and over a long time has to bring 32 KiB in each 5 minutes: 110 bytes a second.
// That bounds the whole time by the size: an answer of n bytes is over after (n/32 KiB + 1) times 5 minutes of waiting, or it is
// refused, and one that drips, a byte every few minutes, after 5. The rate is what is left to one request on the worst line that
// shall do: 10 KB/s, which rests half of the time, for the 32 requests that an account has at once, is 48 KB in 5 minutes for each, half
// as much again. A request that has the line to itself runs at a hundredth of what it gets there. A higher rate would refuse some who
// are honest and far away; a lower one would only keep somebody who is not waiting longer.
//
// Answers that tell what happens when it happens (EWS, GetStreamingEvents) rest on purpose. They are bounded by the time that was
// asked for, at most 30 minutes, and 5 more.
//
// # How much a server may say
//
// Network takes 1 MiB of headers, all 1xx included, for an answer. Limit ends an answer that is longer than any should be. A Trail ends
// a list whose pages lead where they have led before, or bring nothing new 100 times in a row.
package wire
