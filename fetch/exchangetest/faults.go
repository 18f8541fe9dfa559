package exchangetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// Actions that only Graph knows.
const (
	ActionNoData    Action = "no-data"    // graph.exportItems: an item without data and without error
	ActionEmptyPage Action = "empty-page" // graph.itemDelta, graph.folderDelta: a page of nothing, with the address of the next
	ActionRepeat    Action = "repeat"     // the same: an entry is told twice
)

// Fault is a failure to order. It strikes requests that match Operation and
// Mailbox (empty: any), from the Call-th such request on (1 is the first, 0 too),
// Times times (0: once, -1: for ever). Actions upon items strike the items that
// match Item and Index (empty: all of the request).
type Fault struct {
	Operation string `json:"operation,omitempty"`
	Mailbox   string `json:"mailbox,omitempty"`
	Call      int    `json:"call,omitempty"`
	Times     int    `json:"times,omitempty"`
	Item      string `json:"item,omitempty"`
	Index     *int   `json:"index,omitempty"`

	Action              Action `json:"action"`
	Code                string `json:"code,omitempty"`
	BackOffMilliseconds int64  `json:"back_off_ms,omitempty"`
	Status              int    `json:"status,omitempty"`
	RetryAfterSeconds   int    `json:"retry_after,omitempty"`
	AfterBytes          int64  `json:"after_bytes,omitempty"`
	StopRest            bool   `json:"stop_rest,omitempty"`
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
	case ActionHTML, ActionFailover, ActionCut, ActionGarbage, ActionTruncateInside, ActionTruncateAfter, ActionTruncateEnd, ActionNoData, ActionEmptyPage, ActionRepeat:
	default:
		return fmt.Errorf("unknown action %q", f.Action)
	}
	if f.Call < 0 || f.Times < -1 || f.AfterBytes < 0 || f.BackOffMilliseconds < 0 {
		return errors.New("a number is out of range")
	}
	return nil
}

// faultTable counts the requests that each fault matches.
type faultTable struct {
	mu    sync.Mutex
	list  []Fault
	calls []int
}

// strike gives the faults that are due for a request of that operation and
// mailbox, and counts it.
func (t *faultTable) strike(operation, mailbox string) (due []Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, f := range t.list {
		if f.Operation != "" && f.Operation != operation || f.Mailbox != "" && !sameAddress(f.Mailbox, mailbox) {
			continue
		}
		t.calls[i]++
		since := t.calls[i] - max(f.Call, 1)
		if since >= 0 && (f.Times == -1 || since < max(f.Times, 1)) {
			due = append(due, f)
		}
	}
	return due
}

func (t *faultTable) order(list []Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, list...)
	t.calls = append(t.calls, make([]int, len(list))...)
}

// whole says whether the fault takes the place of the whole answer before the request is done.
func (f Fault) whole() bool {
	return f.Action == ActionFault || f.Action == ActionStatus || f.Action == ActionHTML
}

// told is the back-off that the fault tells the client.
func (f Fault) told() time.Duration {
	return max(time.Duration(f.BackOffMilliseconds)*time.Millisecond, time.Duration(f.RetryAfterSeconds)*time.Second)
}

// hits says whether the fault strikes the i-th item.
func (f Fault) hits(i int, id string) bool {
	return (f.Index == nil || *f.Index == i) && (f.Item == "" || f.Item == id)
}
