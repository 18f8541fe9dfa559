package exchangetest

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"sort"

	"mailbrick/fetch/mapi"
)

type changeKind uint8

const (
	changeCreate changeKind = iota
	changeUpdate
	changeRead
	changeDelete
)

// change is one line of a log.
type change struct {
	number     uint64
	object     uint64
	created    uint64 // of a deleted item
	associated bool   // of a deleted item
	chain      uint64 // over all lines up to this one
	kind       changeKind
}

// changeLog holds the changes of a folder's items, or of the hierarchy, ascending by number.
// Lines of made items come first.
type changeLog struct {
	made  made
	lines []change
}

func (l changeLog) len() int { return int(l.made.n) + len(l.lines) }

func (l changeLog) at(i int) change {
	if i < int(l.made.n) {
		return l.made.line(i)
	}
	return l.lines[i-int(l.made.n)]
}

func (l *changeLog) add(number, object uint64, kind changeKind) {
	l.append(change{number: number, object: object, kind: kind})
}

// remove is add for an item that goes: later answers must know what it was.
func (l *changeLog) remove(number uint64, it *item) {
	l.append(change{number: number, object: it.counter, created: it.created, associated: it.associated, kind: changeDelete})
}

func (l *changeLog) append(c change) {
	var chain uint64
	if n := l.len(); n > 0 {
		chain = l.at(n - 1).chain
	}
	h := fnv.New64a()
	var b []byte
	for _, v := range []uint64{chain, c.number, c.object, uint64(c.kind)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	h.Write(b)
	c.chain = h.Sum64()
	l.lines = append(l.lines, c)
}

// after is where the changes after that number begin.
func (l changeLog) after(number uint64) int {
	return sort.Search(l.len(), func(i int) bool { return l.at(i).number > number })
}

// Scopes of a synchronization state; a state serves no other scope.
const (
	scopeItems byte = 1 + iota
	scopeAssociated
	scopeHierarchy
	scopeMailbox
)

const (
	stateMagic = "MBS1"
	stateFixed = 53
	maxGrowth  = 4096
	stateSalt  = "mailbrick exchangetest state"
)

// syncPoint is whose changes a state is about.
type syncPoint struct {
	scope   byte
	mailbox mapi.GUID
	folder  uint64
}

// state is the opaque text for having been told the log up to number.
func (p syncPoint) state(l changeLog, number uint64) string {
	return base64.StdEncoding.EncodeToString(append(p.mark(l, number), make([]byte, min(l.after(number)/16, maxGrowth))...))
}

// mark is a state that does not grow.
func (p syncPoint) mark(l changeLog, number uint64) []byte {
	b := p.head()
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint64(b, l.chainBefore(l.after(number)))
	return binary.LittleEndian.AppendUint64(b, stateSum(b))
}

func (p syncPoint) head() []byte {
	b := append([]byte(stateMagic), p.scope)
	b = append(b, p.mailbox[:]...)
	return binary.LittleEndian.AppendUint64(b, p.folder)
}

func (l changeLog) chainBefore(at int) uint64 {
	if at == 0 {
		return 0
	}
	return l.at(at - 1).chain
}

func stateSum(b []byte) uint64 {
	h := fnv.New64a()
	h.Write([]byte(stateSalt))
	h.Write(b)
	return h.Sum64()
}

// number reads a state back; an empty one is the beginning. A state of another
// folder, scope or history is ErrorInvalidSyncStateData.
func (p syncPoint) number(l changeLog, state string) (uint64, *failure) {
	if state == "" {
		return 0, nil
	}
	invalid := fail("ErrorInvalidSyncStateData")
	b, err := base64.StdEncoding.DecodeString(state)
	if err != nil || len(b) < stateFixed {
		return 0, invalid
	}
	head := p.head()
	n := len(head)
	if string(b[:n]) != string(head) || binary.LittleEndian.Uint64(b[n+16:]) != stateSum(b[:n+16]) {
		return 0, invalid
	}
	number := binary.LittleEndian.Uint64(b[n:])
	at := l.after(number)
	if at > 0 && l.at(at-1).number != number || at == 0 && number != 0 || binary.LittleEndian.Uint64(b[n+8:]) != l.chainBefore(at) {
		return 0, invalid
	}
	return number, nil
}
