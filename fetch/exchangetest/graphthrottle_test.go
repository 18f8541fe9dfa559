package exchangetest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

// graphGet asks Graph.
func (c *client) graphGet(path string) *http.Response {
	c.t.Helper()
	return c.graphSend(http.MethodGet, path, "")
}

func (c *client) graphSend(method, path, body string) *http.Response {
	c.t.Helper()
	r, err := http.NewRequest(method, strings.TrimSuffix(c.url, exchangetest.Path)+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

func TestGraphBudget(t *testing.T) {
	p := exchangetest.StandardPolicy()
	p.Graph.Requests, p.Graph.Upload = 10, 1000
	virtual(t, exchangetest.Options{Throttle: p}, func(t *testing.T, c *client) {
		folders := "/v1.0/admin/exchange/mailboxes/MBX:" + c.server.AddMailbox(box).GUID() + "@" + exchangetest.Tenant() + "/folders"
		said := make(chan string)
		for range 6 {
			go func() {
				resp := c.graphGet(folders)
				said <- fmt.Sprint(resp.StatusCode, resp.Header.Get("Retry-After"))
			}()
		}
		got := map[string]int{}
		for range 6 {
			got[<-said]++
		}
		equal(t, "six at once", got, map[string]int{"200": 4, "4291": 2})
		budget := func() exchangetest.BudgetReport {
			return c.server.Throttling().Budgets["graph:backup/"+box]
		}
		r := budget()
		equal(t, "counts", []any{r.Peak, r.Served, r.Refused}, []any{4, 4, map[string]int{"concurrency": 2}})
		time.Sleep(time.Second)
		for range 4 {
			equal(t, "status", c.graphGet(folders).StatusCode, 200)
		}
		resp := c.graphGet(folders)
		equal(t, "eleventh", []any{resp.StatusCode, resp.Header.Get("Retry-After")}, []any{429, 605}) // 10 minutes and the slot, less a second
		time.Sleep(606 * time.Second)
		equal(t, "later", []any{c.graphGet(folders).StatusCode, budget().DuringBackOff}, []any{200, 0})
		export := strings.Replace(folders, "folders", "exportItems", 1)
		body := `{"itemIds": ["` + strings.Repeat("x", 900) + `"]}`
		equal(t, "upload", c.graphSend("POST", export, body).StatusCode, 200)
		equal(t, "the last upload that is let in", c.graphSend("POST", export, body).StatusCode, 200)
		equal(t, "too much", c.graphSend("POST", export, body).StatusCode, 429)
		r = budget()
		equal(t, "no upload", c.graphGet(folders).StatusCode, 200)
		equal(t, "during", budget().Crossed-r.Crossed, 1)
	})
}
