package exchangetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Action is what a fault does.
type Action string

const (
	ActionFault          Action = "fault"           // a SOAP fault: Code, BackOffMilliseconds
	ActionStatus         Action = "status"          // an HTTP status: Status, RetryAfterSeconds
	ActionHTML           Action = "html"            // a page instead of an answer, with Status or 200
	ActionCut            Action = "cut"             // the request is done, its answer cut after AfterBytes
	ActionItemError      Action = "item-error"      // an error instead of an item: Code, BackOffMilliseconds, StopRest
	ActionGarbage        Action = "garbage"         // ExportItems: bytes that are no stream
	ActionTruncateInside Action = "truncate-inside" // ExportItems: half the data, then the notice, inside Data
	ActionTruncateAfter  Action = "truncate-after"  // ExportItems: a whole document, then the notice
	ActionFailover       Action = "failover"        // all subscriptions are lost before the request is done
	ActionTruncateEnd    Action = "truncate-end"    // ExportItems: half the data, then the notice and no more
)

// Actions of a server, a network or somebody in between that is broken or hostile.
const (
	ActionStall       Action = "stall"        // DelayMilliseconds pass before the request is done
	ActionRedirect    Action = "redirect"     // to Location, with Status or 302
	ActionErrorPage   Action = "error-page"   // a redirect to /ews/genericerrorpage.htm, as Exchange does when it is overloaded
	ActionEndless     Action = "endless"      // a body without end, or cut after AfterBytes
	ActionWrongLength Action = "wrong-length" // a Content-Length above what comes
	ActionEntityBomb  Action = "entity-bomb"  // a document of entities that grow
	ActionMove        Action = "move"         // the mailbox is at Server.Endpoint from now on; ids and states stay
)

// Actions that only Graph knows.
const (
	ActionNoData    Action = "no-data"    // graph.exportItems: an item without data and without error
	ActionEmptyPage Action = "empty-page" // graph.itemDelta, graph.folderDelta: a page of nothing, with the address of the next
	ActionRepeat    Action = "repeat"     // the same: an entry is told twice
)

// Fault is a failure to order. It strikes requests that match Operation and
// Mailbox (empty: any), from the Call-th such request on (1 is the first, 0 too),
// Times times (0: once, -1: for ever). Actions upon items strike the items that
// match Item and Index (empty: all of the request). A request matches Class and
// Folder when it names an item of that class or one below it, an item in that
// folder (id, distinguished name or display name), or the folder itself; so does an item.
//
// With Probability, a request that would be struck is so by chance, and of
// actions upon items each item for itself; Times are then strikes upon requests.
// The same Seed makes the same choices in the same sequence of requests.
type Fault struct {
	Operation string `json:"operation,omitempty"`
	Mailbox   string `json:"mailbox,omitempty"`
	Call      int    `json:"call,omitempty"`
	Times     int    `json:"times,omitempty"`
	Item      string `json:"item,omitempty"`
	Index     *int   `json:"index,omitempty"`
	Class     string `json:"class,omitempty"`
	Folder    string `json:"folder,omitempty"`

	Probability float64 `json:"probability,omitempty"` // 0: sure
	Seed        uint64  `json:"seed,omitempty"`

	Action              Action `json:"action"`
	Code                string `json:"code,omitempty"`
	BackOffMilliseconds int64  `json:"back_off_ms,omitempty"`
	Status              int    `json:"status,omitempty"`
	RetryAfterSeconds   int    `json:"retry_after,omitempty"`
	AfterBytes          int64  `json:"after_bytes,omitempty"`
	StopRest            bool   `json:"stop_rest,omitempty"`
	DelayMilliseconds   int64  `json:"delay_ms,omitempty"`
	Location            string `json:"location,omitempty"`
	// Inner is the code below Code, in MessageXml.
	Inner string `json:"inner,omitempty"`

	draw uint64 // chance of this request's items
}

// ReadFaults reads a table of faults: a JSON list.
func ReadFaults(r io.Reader) ([]Fault, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var list []Fault
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("read faults: %w", err)
	}
	for i, f := range list {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("read faults: entry %d: %w", i, err)
		}
	}
	return list, nil
}

func (f Fault) check() error {
	switch f.Action {
	case ActionFault, ActionItemError:
		if f.Code == "" {
			return fmt.Errorf("action %s needs a code", f.Action)
		}
	case ActionStatus:
		if f.Status < 200 || f.Status > 599 {
			return errors.New("action status needs a status of 200 to 599")
		}
	case ActionStall:
		if f.DelayMilliseconds <= 0 {
			return errors.New("action stall needs a delay_ms")
		}
	case ActionRedirect:
		if f.Location == "" || f.Status != 0 && f.Status/100 != 3 {
			return errors.New("action redirect needs a location, and a status of 300 to 399 if any")
		}
	case ActionErrorPage, ActionEndless, ActionWrongLength, ActionEntityBomb, ActionMove:
	case ActionHTML, ActionFailover, ActionCut, ActionGarbage, ActionTruncateInside, ActionTruncateAfter, ActionTruncateEnd, ActionNoData, ActionEmptyPage, ActionRepeat:
	default:
		return fmt.Errorf("unknown action %q", f.Action)
	}
	if f.Call < 0 || f.Times < -1 || f.AfterBytes < 0 || f.BackOffMilliseconds < 0 || f.DelayMilliseconds < 0 || f.Probability < 0 || f.Probability > 1 {
		return errors.New("a number is out of range")
	}
	return nil
}

// faultTable counts the requests that each fault matches.
type faultTable struct {
	mu   sync.Mutex
	list []*orderedFault
}

type orderedFault struct {
	Fault
	calls, strikes int
	chance         *rand.Rand
}

func (t *faultTable) order(list []Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range list {
		t.list = append(t.list, &orderedFault{Fault: f, chance: rand.New(rand.NewPCG(f.Seed, uint64(len(t.list))))})
	}
}

// strike gives the faults that are due for a request of that operation and
// mailbox, and counts it. names says whether the request is about what a fault is about.
func (t *faultTable) strike(operation, mailbox string, names func(Fault) bool) (due []Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.list {
		switch {
		case f.Operation != "" && f.Operation != operation, f.Mailbox != "" && !sameAddress(f.Mailbox, mailbox):
			continue
		case (f.Class != "" || f.Folder != "") && !names(f.Fault), f.Action == ActionMove && mailbox == "":
			continue
		}
		if d, struck := f.next(); struck {
			due = append(due, d)
		}
	}
	return due
}

// next counts a request and says whether the fault strikes it.
func (f *orderedFault) next() (Fault, bool) {
	f.calls++
	since := f.calls - max(f.Call, 1)
	if since < 0 || f.Times != -1 && f.strikes >= max(f.Times, 1) {
		return Fault{}, false
	}
	d := f.Fault
	if f.Probability > 0 {
		d.draw = f.chance.Uint64()
		if !f.uponItems() && fraction(d.draw) >= f.Probability {
			return Fault{}, false
		}
	}
	f.strikes++
	return d, true
}

// fraction is a number below 1.
func fraction(n uint64) float64 { return float64(n>>11) / (1 << 53) }

// uponItems says whether the fault strikes items and not requests.
func (f Fault) uponItems() bool {
	switch f.Action {
	case ActionItemError, ActionGarbage, ActionTruncateInside, ActionTruncateEnd, ActionNoData:
		return true
	}
	return false
}

// whole says whether the fault takes the place of the whole answer before the request is done.
func (f Fault) whole() bool {
	switch f.Action {
	case ActionFault, ActionStatus, ActionHTML, ActionRedirect, ActionErrorPage, ActionEndless, ActionWrongLength, ActionEntityBomb:
		return true
	}
	return false
}

// told is the back-off that the fault tells the client.
func (f Fault) told() time.Duration {
	return max(time.Duration(f.BackOffMilliseconds)*time.Millisecond, time.Duration(f.RetryAfterSeconds)*time.Second)
}

// ofFrontEnd says whether it is the front end that says no, before any mailbox. EWS 14
func (f Fault) ofFrontEnd() bool {
	return f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable
}

// spoils says whether no part of the answer is worth anything, though all of it was written.
func (f Fault) spoils() bool { return f.Action == ActionCut || f.Action == ActionTruncateAfter }

// breaks says whether an answer may end before its end because of the fault.
func (f Fault) breaks() bool {
	return f.spoils() || f.Action == ActionTruncateEnd || f.Action == ActionStall
}

// delay is how long the fault lets the request wait.
func (f Fault) delay() time.Duration { return time.Duration(f.DelayMilliseconds) * time.Millisecond }

// hits says whether the fault strikes the i-th item of a request for that mailbox.
func (f Fault) hits(m *Mailbox, i int, id string) bool {
	if f.Index != nil && *f.Index != i || f.Item != "" && f.Item != id {
		return false
	}
	return f.lucky(id) && f.concerns(m, id)
}

// lucky is an item's chance; the same item has another one in the next request.
func (f Fault) lucky(id string) bool {
	if f.Probability == 0 || !f.uponItems() {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(id))
	return fraction(rand.NewPCG(f.draw, h.Sum64()).Uint64()) < f.Probability
}

// concerns says whether an id, or the distinguished name of a folder, is of the fault's class and folder.
func (f Fault) concerns(m *Mailbox, id string) bool {
	if f.Class == "" && f.Folder == "" {
		return true
	}
	if m == nil {
		return false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, class := m.special[id], ""
	if o, bad := parseID(ewsForm(id)); at == nil && bad == nil && o.mailbox == m.guid {
		at = m.folders[o.folder]
		if it := m.item(o.item); it != nil {
			class = it.rev.class
		}
	}
	if f.Folder != "" && (at == nil || !at.isCalled(m, f.Folder)) {
		return false
	}
	rest, below := cutClass(class, f.Class)
	return f.Class == "" || class != "" && below && (rest == "" || rest[0] == '.')
}

// ewsForm is an id as EWS spells it.
func ewsForm(id string) string {
	if ews, ok := ewsID(id); ok {
		return ews
	}
	return id
}

// isCalled says whether that is the folder's id, distinguished name or display name.
func (f *folder) isCalled(m *Mailbox, name string) bool {
	return f.special != "" && f.special == name || strings.EqualFold(f.name, name) || m.folderID(f).String() == ewsForm(name)
}
