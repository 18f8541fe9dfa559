package throttle

import "time"

// Kind is what an answer says about load.
type Kind uint8

const (
	Served  Kind = iota // it was done
	Refused             // answered, with an error that says nothing about load
	Lost                // no answer, or the request was not sent
	Slow                // it took too long
	Crowded             // too many at once
	Busy                // the server wants to be left alone
)

func (k Kind) String() string {
	names := [...]string{"served", "refused", "lost", "slow", "crowded", "busy"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

func (k Kind) complains() bool { return k >= Slow }

// Signal is what came of a request.
type Signal struct {
	Kind  Kind
	After time.Duration // how long the server asks to be left alone, 0 if it does not say
	Floor time.Duration // the shortest first pause, if the server asks for less or for nothing: 1 s
	At    *Governor     // whom it is about; the one that was asked if nil, or if it is not above that one
	Maybe *Governor     // one above that it may be about as well: it rests too, but no longer than it must
}
