package exchangetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Policy is what the server allows, as a throttling policy of Exchange has it, and what requests cost. The zero Policy
// allows everything and makes requests cost nothing.
type Policy struct {
	EWS      Limits `json:"ews"`       // of a mailbox for all who impersonate it; of an account that does not impersonate
	Graph    Limits `json:"graph"`     // of an app in a mailbox
	FrontEnd Limits `json:"front_end"` // of an account or app over all its mailboxes
	Workers  int    `json:"workers"`   // requests the server works on at once; 0: any number
	Queue    int    `json:"queue"`     // requests that may wait for a worker, further ones get a 503; 0: any number
	// Grace is how long after a back-off was told requests may still come in that were on their way.
	Grace Duration `json:"grace"`
	// Costs are by operation ("ExportItems"; of Graph "graph.exportItems"); "default" is that of the others.
	Costs map[string]Cost `json:"costs"`
}

// Limits are those of one budget; what is 0 is not limited.
type Limits struct {
	Concurrency int      `json:"concurrency"` // requests at once
	SyncCalls   int      `json:"sync_calls"`  // synchronizations at once
	SyncBackOff Duration `json:"sync_back_off"`

	// The token bucket holds server time. It has MaxBurst at the beginning and at most, and regains Recharge an hour. Below
	// 0 every item is delayed, in proportion, by MaxDelay when Cutoff is owed. Then all is refused until Recover is regained.
	MaxBurst Duration `json:"max_burst"`
	Recharge Duration `json:"recharge"`
	Cutoff   Duration `json:"cutoff"`
	Recover  Duration `json:"recover"`
	MaxDelay Duration `json:"max_delay"`

	FindCount   int      `json:"find_count"`   // rows of listings at once
	RequestTime Duration `json:"request_time"` // of a request; the items that are left then fail

	Requests      int      `json:"requests"` // that arrive in a RequestWindow, refused ones too
	RequestWindow Duration `json:"request_window"`
	Upload        int64    `json:"upload"` // bytes of bodies in an UploadWindow
	UploadWindow  Duration `json:"upload_window"`
}

// Cost is the server time that a request takes.
type Cost struct {
	Request  Duration `json:"request"`
	Item     Duration `json:"item"`
	Megabyte Duration `json:"megabyte"` // of the answer, or of the request of an upload
}

// Duration is written as "31.017s" or "5m".
type Duration time.Duration

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err == nil && v < 0 {
		err = errors.New("a duration is negative")
	}
	*d = Duration(v)
	return err
}

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func milliseconds(n float64) Duration { return Duration(n * float64(time.Millisecond)) }

// StandardPolicy is what Exchange 2013 to SE and Exchange Online have unless an administrator says otherwise: for
// Graph the published limits. Not published are what requests cost, how much of its budget a blocked account must
// regain and how long the delays are: these are a model. (75 s at 900 s an hour make the back-off of 300 s that is seen.)
func StandardPolicy() Policy {
	return Policy{
		EWS: Limits{
			Concurrency: 27, SyncCalls: 5, SyncBackOff: milliseconds(31017),
			MaxBurst: Duration(300 * time.Second), Recharge: Duration(900 * time.Second), Cutoff: Duration(3000 * time.Second),
			Recover: Duration(75 * time.Second), MaxDelay: Duration(2 * time.Second),
			FindCount: 1000, RequestTime: Duration(time.Minute),
		},
		Graph: Limits{
			Concurrency: 4, Requests: 10_000, RequestWindow: Duration(10 * time.Minute),
			Upload: 150_000_000, UploadWindow: Duration(5 * time.Minute),
		},
		Grace: Duration(500 * time.Millisecond),
		Costs: StandardCosts(),
	}
}

// StandardCosts are those of StandardPolicy.
func StandardCosts() map[string]Cost {
	return map[string]Cost{
		"default":           {Request: milliseconds(5), Item: milliseconds(2), Megabyte: milliseconds(20)},
		"ExportItems":       {Request: milliseconds(5), Item: milliseconds(8), Megabyte: milliseconds(40)},
		"graph.exportItems": {Request: milliseconds(5), Item: milliseconds(8), Megabyte: milliseconds(40)},
		"UploadItems":       {Request: milliseconds(5), Item: milliseconds(15), Megabyte: milliseconds(60)},
		"graph.importItem":  {Request: milliseconds(20), Megabyte: milliseconds(60)},
	}
}

// ReadPolicy reads a policy: a JSON object. What it does not name is not limited; without costs requests cost what
// they do in StandardPolicy.
func ReadPolicy(r io.Reader) (Policy, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	p := Policy{Grace: StandardPolicy().Grace, Costs: StandardCosts()}
	if err := d.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("read policy: %w", err)
	}
	for name, l := range map[string]Limits{"ews": p.EWS, "graph": p.Graph, "front_end": p.FrontEnd} {
		if err := l.check(); err != nil {
			return Policy{}, fmt.Errorf("read policy: %s: %w", name, err)
		}
	}
	if p.Workers < 0 || p.Queue < 0 {
		return Policy{}, errors.New("read policy: a number is negative")
	}
	return p, nil
}

func (l Limits) check() error {
	switch {
	case min(l.Concurrency, l.SyncCalls, l.FindCount, l.Requests) < 0 || l.Upload < 0:
		return errors.New("a number is negative")
	case l.Cutoff > 0 && l.Recharge == 0:
		return errors.New("cutoff without recharge blocks for ever")
	case l.Requests > 0 && l.RequestWindow == 0 || l.Upload > 0 && l.UploadWindow == 0:
		return errors.New("a number without its window")
	}
	return nil
}

// cost is that of an operation.
func (p *Policy) cost(operation string) Cost {
	if c, ok := p.Costs[operation]; ok {
		return c
	}
	return p.Costs["default"]
}

func (c Cost) bytes(n int64) time.Duration {
	return time.Duration(float64(c.Megabyte) * float64(n) / 1e6)
}

// Load is what was or shall be served on one budget.
type Load struct {
	Requests int
	Work     time.Duration // server time of all requests
	Delay    time.Duration // of requests of a budget that was overdrawn
	Sync     time.Duration // server time of the synchronizations among them
	Upload   int64         // bytes
	Wasted   time.Duration // of Work, on what had been answered before or nobody waited for; with Options.Judge
}

// MarshalJSON writes times in milliseconds.
func (x Load) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Requests int   `json:"requests"`
		Work     int64 `json:"work_ms"`
		Delay    int64 `json:"delay_ms"`
		Sync     int64 `json:"sync_ms"`
		Upload   int64 `json:"upload_bytes"`
		Wasted   int64 `json:"wasted_ms,omitempty"`
	}{x.Requests, x.Work.Milliseconds(), x.Delay.Milliseconds(), x.Sync.Milliseconds(), x.Upload, x.Wasted.Milliseconds()})
}

// Shortest is the time below which the limits do not let a load through, however well a client divides it.
func (l Limits) Shortest(x Load) time.Duration {
	var most time.Duration
	atLeast := func(d time.Duration) { most = max(most, d) }
	if l.Concurrency > 0 {
		atLeast((x.Work + x.Delay) / time.Duration(l.Concurrency))
	}
	if l.SyncCalls > 0 {
		atLeast(x.Sync / time.Duration(l.SyncCalls))
	}
	if l.Cutoff > 0 {
		atLeast(time.Duration(float64(x.Work-time.Duration(l.MaxBurst+l.Cutoff)) / l.rate()))
	}
	if l.Requests > 0 {
		atLeast(windows(int64(x.Requests), int64(l.Requests), l.RequestWindow))
	}
	if l.Upload > 0 {
		atLeast(windows(x.Upload, l.Upload, l.UploadWindow))
	}
	return most
}

// windows is how long n take when limit are let in at once and then none before the window is over.
func windows(n, limit int64, window Duration) time.Duration {
	if n <= limit {
		return 0
	}
	return time.Duration((n-1)/limit) * time.Duration(window)
}

// rate is how much server time is regained in a unit of time.
func (l Limits) rate() float64 { return float64(l.Recharge) / float64(time.Hour) }
