package exchangetest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"
)

// StatsPath is where the server tells its Report as JSON, without a sign-in.
const StatsPath = "/stats"

// Report is what the server counted since it began, by budget: "mailbox:" and
// the address for impersonated mailboxes, "account:" and the user without
// impersonation, "graph:" app "/" mailbox, and "front:" account or app for the front end.
type Report struct {
	Total        BudgetReport            `json:"total"` // of all but the front end's, whose refusals and back-offs are added
	Budgets      map[string]BudgetReport `json:"budgets"`
	IdealSeconds float64                 `json:"ideal_seconds"` // Ideal(0)
	SignIns      map[string]int          `json:"sign_ins"`      // "token" asked for; "ntlm.negotiate", "ntlm.authenticate" and of these "ntlm.refused"

	policy Policy
	limits map[string]Limits
}

// Throttling says what was served, refused and delayed until now; also without a policy.
func (s *Server) Throttling() Report {
	r := s.throttle.report()
	r.SignIns = s.RequestsByOperation("")
	maps.DeleteFunc(r.SignIns, func(name string, _ int) bool { return name != "token" && !strings.HasPrefix(name, "ntlm.") })
	return r
}

// Ideal is the shortest time in which the budgets would have let through what was
// let in, for a client that works on so many budgets at once (0: on all).
// A run's share of what the budgets allow is Ideal by its duration on the server's clock.
func (r Report) Ideal(atOnce int) time.Duration {
	var longest, sum, work time.Duration
	for name, b := range r.Budgets {
		d := r.limits[name].Shortest(b.Load)
		longest = max(longest, d)
		if !isFront(name) {
			sum += d
			work += b.Load.Work + b.Load.Delay
		}
	}
	if atOnce > 0 {
		longest = max(longest, sum/time.Duration(atOnce))
	}
	if n := r.policy.Workers; n > 0 {
		longest = max(longest, work/time.Duration(n))
	}
	return longest
}

func isFront(budget string) bool { return strings.HasPrefix(budget, "front:") }

func (a *BudgetReport) refused(limit string, n int) {
	if a.Refused == nil {
		a.Refused = map[string]int{}
	}
	a.Refused[limit] += n
}

func (s *Server) serveStats(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.Throttling()) // a client that is gone needs no answer
}
