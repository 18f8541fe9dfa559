package exchangetest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailbrick/fetch/exchangetest"
)

// virtual runs a test in a bubble, where time passes when nobody works.
func virtual(t *testing.T, o exchangetest.Options, test func(t *testing.T, c *client)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := exchangetest.New(o)
		s.AddAccount("backup", "secret")
		s.AddMailbox(box)
		p, h := exchangetest.NewPipe(), s.HTTPServer()
		go h.Serve(p)
		c := &client{t: t, server: s, url: "http://exchange.example" + exchangetest.Path, version: "Exchange2013_SP1", mailbox: box, user: "backup",
			http: &http.Client{Transport: &http.Transport{DialContext: p.DialContext, MaxIdleConnsPerHost: 100}}}
		test(t, c)
		c.http.CloseIdleConnections()
		h.Close()
		s.Close()
	})
}

func millis(n int) exchangetest.Duration {
	return exchangetest.Duration(n) * exchangetest.Duration(time.Millisecond)
}

// say is how an answer refuses: the status, the code, the back-off.
func (c *client) say(body string) (status int, code, backOff string) {
	c.t.Helper()
	resp, data, err := c.send(c.envelope(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if len(data) == 0 {
		return resp.StatusCode, "", resp.Header.Get("Retry-After")
	}
	root := c.parse(data)
	text := func(path string) string {
		if e := root.FindElement(path); e != nil {
			return e.Text()
		}
		return ""
	}
	code = text("//ResponseCode")
	if below := text("//Value[@Name='InnerErrorResponseCode']"); below != "" {
		code += "/" + below
	}
	return resp.StatusCode, code, text("//Value[@Name='BackOffMilliseconds']")
}

func (c *client) budget() exchangetest.BudgetReport {
	return c.server.Throttling().Budgets["mailbox:"+box]
}

func TestBucketDelaysThenRefuses(t *testing.T) {
	o := exchangetest.Options{Throttle: exchangetest.Policy{
		EWS:   exchangetest.Limits{MaxBurst: millis(1000), Recharge: millis(900_000), Cutoff: millis(1000), Recover: millis(250), MaxDelay: millis(400)},
		Costs: map[string]exchangetest.Cost{"default": {Request: millis(200), Item: millis(50)}}}}
	virtual(t, o, func(t *testing.T, c *client) {
		var took []time.Duration
		for range 20 {
			began := time.Now()
			if _, code, _ := c.say(getInbox); code != "NoError" {
				break
			}
			took = append(took, time.Since(began))
		}
		if took[0] != 250*time.Millisecond {
			t.Errorf("the first took %v", took[0])
		}
		last := len(took) - 1
		if took[last] <= took[0]+200*time.Millisecond || took[last] > took[0]+400*time.Millisecond {
			t.Errorf("the last took %v", took[last])
		}
		// 2 s and what was regained are gone when the ninth or so is refused.
		if last < 7 || last > 12 {
			t.Errorf("%d were let in", len(took))
		}
		time.Sleep(time.Millisecond)
		c.say(getInbox)
		status, code, _ := c.say(getInbox) // within the back-off: refused again, in the next form
		equal(t, "in a message", []any{status, code}, []any{200, "ErrorServerBusy"})
		status, code, _ = c.say(getInbox)
		equal(t, "as an inner error", []any{status, code}, []any{200, "ErrorInternalServerError/ErrorServerBusy"})
		status, code, backOff := c.say(getInbox)
		equal(t, "as a fault", []any{status, code}, []any{500, "ErrorServerBusy"})
		r := c.budget()
		equal(t, "refused", r.Refused["cutoff"], 5) // the first in the midst of a request
		equal(t, "met on their way", []any{r.Crossed, r.DuringBackOff}, []any{0, 4})
		wait, err := time.ParseDuration(backOff + "ms")
		if err != nil || wait > 2*time.Second || wait < 900*time.Millisecond {
			t.Errorf("back-off %s", backOff) // 250 ms at a quarter
		}
		time.Sleep(wait)
		if status, _, _ := c.say(getInbox); status != 200 {
			t.Error("refused after the back-off")
		}
		equal(t, "during a back-off", c.budget().DuringBackOff, 4)
	})
}

func TestBucketEndsABatch(t *testing.T) {
	o := exchangetest.Options{Throttle: exchangetest.Policy{
		EWS:   exchangetest.Limits{MaxBurst: millis(100), Recharge: millis(900_000), Cutoff: millis(100), Recover: millis(50)},
		Costs: map[string]exchangetest.Cost{"GetFolder": {Item: millis(90)}}}}
	virtual(t, o, func(t *testing.T, c *client) {
		root := c.do(strings.Replace(getInbox, "</m:FolderIds>", strings.Repeat(`<t:DistinguishedFolderId Id="drafts"/>`, 4)+"</m:FolderIds>", 1))
		equal(t, "codes", codes(root), []string{"NoError", "NoError", "NoError", "ErrorServerBusy", "ErrorBatchProcessingStopped"})
	})
}

func TestRequestTime(t *testing.T) {
	o := exchangetest.Options{Throttle: exchangetest.Policy{EWS: exchangetest.Limits{RequestTime: millis(60_000)},
		Costs: map[string]exchangetest.Cost{"GetFolder": {Item: millis(40_000)}}}}
	virtual(t, o, func(t *testing.T, c *client) {
		root := c.do(strings.Replace(getInbox, "</m:FolderIds>", strings.Repeat(`<t:DistinguishedFolderId Id="drafts"/>`, 3)+"</m:FolderIds>", 1))
		equal(t, "codes", codes(root), []string{"NoError", "NoError", "ErrorTimeoutExpired", "ErrorBatchProcessingStopped"})
	})
}

// at runs n at once and gives how often each answer came.
func (c *client) at(n int, body string) map[string]int {
	var mu sync.Mutex
	var group sync.WaitGroup
	said := map[string]int{}
	for range n {
		group.Go(func() {
			status, code, _ := c.say(body)
			mu.Lock()
			defer mu.Unlock()
			said[http.StatusText(status)+" "+code]++
		})
	}
	group.Wait()
	return said
}

func TestConcurrency(t *testing.T) {
	p := exchangetest.StandardPolicy()
	virtual(t, exchangetest.Options{Throttle: p}, func(t *testing.T, c *client) {
		equal(t, "27 at once", c.at(27, getInbox), map[string]int{"OK NoError": 27})
		equal(t, "33 at once", c.at(33, getInbox), map[string]int{"OK NoError": 27, "OK ErrorExceededConnectionCount": 2,
			"Internal Server Error ErrorExceededConnectionCount": 2, "OK ErrorServerBusy": 2})
		sync := (&syncer{client: c, folder: distinguished("inbox")}).request(10)
		equal(t, "synchronizations", c.at(7, sync), map[string]int{"OK NoError": 5, "OK ErrorServerBusy": 1, "Internal Server Error ErrorServerBusy": 1})
		r := c.budget()
		equal(t, "peaks", []int{r.Peak, r.PeakSyncs}, []int{27, 5})
		equal(t, "refused", r.Refused, map[string]int{"concurrency": 6, "sync_calls": 2})
		equal(t, "during a back-off", r.DuringBackOff, 0)
		status, _, _ := c.say(getInbox)
		equal(t, "nevertheless", []any{status, c.budget().Crossed - r.Crossed}, []any{200, 1}) // 31 s were told
		time.Sleep(time.Second)
		c.say(getInbox)
		equal(t, "later", c.budget().DuringBackOff, 1)
	})
}

func TestWhoseBudget(t *testing.T) {
	virtual(t, exchangetest.Options{Throttle: exchangetest.StandardPolicy()}, func(t *testing.T, c *client) {
		c.server.AddAccount("anna", "secret")
		c.server.AddAccount("other", "secret")
		c.say(getInbox)
		c.user = "other"
		c.say(getInbox)
		c.user, c.mailbox = "anna", ""
		c.say(getInbox)
		got := map[string]int{}
		for name, b := range c.server.Throttling().Budgets {
			got[name] = b.Served
		}
		equal(t, "served", got, map[string]int{"mailbox:" + box: 2, "account:anna": 1, "front:backup": 1, "front:other": 1, "front:anna": 1})
	})
}

func TestFrontEnd(t *testing.T) {
	o := exchangetest.Options{Throttle: exchangetest.Policy{Grace: millis(100),
		FrontEnd: exchangetest.Limits{Requests: 3, RequestWindow: millis(10_000)}}}
	virtual(t, o, func(t *testing.T, c *client) {
		for range 3 {
			c.ok(c.do(getInbox))
		}
		status, _, after := c.say(getInbox)
		equal(t, "first", []any{status, after}, []any{429, "11"})
		status, _, after = c.say(getInbox)
		equal(t, "second", []any{status, after}, []any{503, "11"})
		status, _, after = c.say(getInbox)
		equal(t, "third", []any{status, after}, []any{429, ""})
		time.Sleep(11 * time.Second)
		c.ok(c.do(getInbox))
		r := c.server.Throttling()
		equal(t, "total", []any{r.Total.Served, r.Total.Refused, r.Total.DuringBackOff, r.Total.Crossed}, []any{4, map[string]int{"front_end.requests": 3}, 0, 2})
	})
}

func TestWorkers(t *testing.T) {
	o := exchangetest.Options{Throttle: exchangetest.Policy{Workers: 2, Queue: 3, Costs: map[string]exchangetest.Cost{"default": {Request: millis(100)}}}}
	virtual(t, o, func(t *testing.T, c *client) {
		began := time.Now()
		equal(t, "six at once", c.at(6, getInbox), map[string]int{"OK NoError": 5, "Service Unavailable ": 1})
		equal(t, "took", time.Since(began), 300*time.Millisecond)
		equal(t, "ideal", c.server.Throttling().Ideal(0), 250*time.Millisecond)
	})
}

func TestFindCount(t *testing.T) {
	o := exchangetest.Options{Throttle: exchangetest.Policy{EWS: exchangetest.Limits{FindCount: 4},
		Costs: map[string]exchangetest.Cost{"FindItem": {Request: millis(10)}}}}
	virtual(t, o, func(t *testing.T, c *client) {
		for _, subject := range strings.Fields("a b c d e f") {
			c.create("inbox", subject)
		}
		root := c.ok(c.do(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ParentFolderIds>` +
			distinguished("inbox") + distinguished("drafts") + `</m:ParentFolderIds></m:FindItem>`))
		equal(t, "rows", len(refs(root, "ItemId")), 4)
		equal(t, "last", root.FindElement("//RootFolder").SelectAttrValue("IncludesLastItemInRange", ""), "false")
		twice := strings.Replace(findInbox, "</m:ParentFolderIds>", distinguished("inbox")+"</m:ParentFolderIds>", 1)
		equal(t, "codes", codes(c.do(twice)), []string{"NoError", "ErrorExceededFindCountLimit"})
	})
}

var findInbox = `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ParentFolderIds>` +
	distinguished("inbox") + `</m:ParentFolderIds></m:FindItem>`

// TestOrderedBackOffsCount: the back-off of a fault to order is held against the client as well.
func TestOrderedBackOffsCount(t *testing.T) {
	o := exchangetest.Options{Faults: []exchangetest.Fault{{Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 5000}}}
	virtual(t, o, func(t *testing.T, c *client) {
		c.say(getInbox)
		time.Sleep(4999 * time.Millisecond)
		c.say(getInbox)
		time.Sleep(time.Millisecond)
		c.say(getInbox)
		r := c.budget()
		equal(t, "counts", []int{r.Arrived, r.Served, r.BackOffs, r.DuringBackOff}, []int{3, 2, 1, 1})
	})
}

func TestStatsPath(t *testing.T) {
	virtual(t, exchangetest.Options{Throttle: exchangetest.StandardPolicy()}, func(t *testing.T, c *client) {
		c.ok(c.do(getInbox))
		resp, err := c.http.Get("http://exchange.example" + exchangetest.StatsPath)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var r struct {
			Total struct {
				Served int
				During *int `json:"during_backoff"`
				Load   struct {
					Work int `json:"work_ms"`
				}
			}
			Budgets map[string]any
			Ideal   *float64 `json:"ideal_seconds"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Total.Served != 1 || r.Total.Load.Work != 7 || r.Total.During == nil || r.Ideal == nil || len(r.Budgets) != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestShortest(t *testing.T) {
	t.Parallel()
	l := exchangetest.StandardPolicy().EWS
	for _, test := range []struct {
		name string
		l    exchangetest.Limits
		load exchangetest.Load
		want time.Duration
	}{
		{"concurrency", l, exchangetest.Load{Work: 27 * time.Second}, time.Second},
		{"synchronizations", l, exchangetest.Load{Work: 27 * time.Second, Sync: 10 * time.Second}, 2 * time.Second},
		{"bucket", l, exchangetest.Load{Work: 4300 * time.Second}, 4000 * time.Second},
		{"requests", exchangetest.StandardPolicy().Graph, exchangetest.Load{Requests: 10_001}, 10 * time.Minute},
		{"upload", exchangetest.StandardPolicy().Graph, exchangetest.Load{Upload: 450_000_000}, 10 * time.Minute},
		{"nothing", exchangetest.Limits{}, exchangetest.Load{Work: time.Hour}, 0},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, "shortest", test.l.Shortest(test.load), test.want) })
	}
}

func TestReadPolicy(t *testing.T) {
	t.Parallel()
	p, err := exchangetest.ReadPolicy(strings.NewReader(`{"ews": {"concurrency": 5, "max_burst": "1s", "recharge": "15m", "cutoff": "10s"}, "grace": "1s"}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "policy", []any{p.EWS.Concurrency, time.Duration(p.EWS.Recharge), len(p.Costs) > 0}, []any{5, 15 * time.Minute, true})
	for name, wrong := range map[string]string{"syntax": "{", "key": `{"x": 1}`, "duration": `{"grace": "soon"}`, "negative": `{"grace": "-1s"}`,
		"cutoff": `{"ews": {"cutoff": "1s"}}`, "window": `{"graph": {"requests": 1}}`, "number": `{"workers": -1}`, "concurrency": `{"ews": {"concurrency": -1}}`} {
		if _, err := exchangetest.ReadPolicy(strings.NewReader(wrong)); err == nil {
			t.Error(name)
		}
	}
}
