package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailbrick/fetch/throttle"
	"mailbrick/fetch/wire"
)

const exportPath = mailbox + "/exportItems"

func item(id, data string) string {
	return fmt.Sprintf(`{"itemId":%q,"changeKey":"k-%s","data":%q}`, id, id, data)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func exports(entries ...string) string { return `{"value":[` + strings.Join(entries, ",") + `]}` }

// TestEndpoints: where no token goes at all.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url  string
		want error // nil: taken
	}{
		"usual":      {"", nil},
		"loopback":   {"http://127.0.0.1:8080/v1.0", nil},
		"plain":      {"http://graph.microsoft.com/v1.0", ErrInsecure},
		"government": {"https://graph.microsoft.us/v1.0", ErrNationalCloud},
		"dod":        {"https://DOD-graph.microsoft.us", ErrNationalCloud},
		"china":      {"https://microsoftgraph.chinacloudapi.cn/v1.0", ErrNationalCloud},
		"password":   {"https://u:topsecret@graph.microsoft.com/", errors.New("")},
		"file":       {"file:///v1.0", errors.New("")},
	} {
		_, err := New(Options{URL: c.url, Mailbox: "m@x.example"})
		if (err == nil) != (c.want == nil) || c.want != nil && c.want.Error() != "" && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: a password in %v", name, err)
		}
	}
	c, err := New(Options{Mailbox: "m@x.example", Archive: true})
	if err != nil || c.base.String() != "https://graph.microsoft.com/beta" {
		t.Errorf("the archive is at %v, %v", c.base, err)
	}
}

// TestLinksToOtherPlaces: a token goes nowhere else, whatever the server says.
func TestLinksToOtherPlaces(t *testing.T) {
	t.Parallel()
	var stranger atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stranger.Add(1) }))
	defer other.Close()
	for name, link := range map[string]string{
		"host": other.URL + "/v1.0/admin/x", "path": "$BASE/elsewhere", "dots": "$BASE/v1.0/../elsewhere", "scheme": "https://127.0.0.1/v1.0/x",
		"userinfo": "http://graph.microsoft.com@127.0.0.1/v1.0/x", "relative": "/v1.0/other", "long": "$BASE/v1.0/other?" + strings.Repeat("x", maxLink), "junk": "::",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.on(mailbox+"/folders", reply{body: `{"value":[],"@odata.nextLink":"` + link + `"}`})
			s.on(mailbox+"/folders/f/items/delta", reply{body: `{"value":[],"@odata.deltaLink":"` + link + `"}`})
			c, _ := newTestClient(t, s, nil)
			_, err := c.Folders(t.Context(), "")
			if e := asError(t, err); !errors.Is(err, ErrOtherHost) || e.Class() != Permanent {
				t.Errorf("folders: %v, class %v", err, e.Class())
			}
			if _, err = c.ChangedItems(t.Context(), "f", ""); !errors.Is(err, ErrOtherHost) {
				t.Errorf("delta: %v", err)
			}
			n := len(s.all())
			_, err = c.ChangedItems(t.Context(), "f", strings.ReplaceAll(link, "$BASE", s.URL))
			if e := asError(t, err); e.Class() != Resync || len(s.all()) != n {
				t.Errorf("a kept link: %v, class %v", err, e.Class())
			}
		})
	}
	if stranger.Load() > 0 {
		t.Error("a stranger was asked")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var stranger atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stranger.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newServer(t)
		s.on(mailbox+"/folders", reply{status: status, header: map[string]string{"Location": other.URL + "/x?authtoken=" + secret}})
		c, _ := newTestClient(t, s, nil)
		_, err := c.Folders(t.Context(), "")
		if e := asError(t, err); e.Class() != Permanent || !strings.Contains(e.Text, "127.0.0.1") || e.Hint() == "" {
			t.Errorf("%d: %v, class %v", status, err, e.Class())
		}
	}
	if stranger.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// TestImportURLs: mail goes to Exchange Online alone, and to nobody without TLS.
func TestImportURLs(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Mailbox: "m@x.example"})
	if err != nil {
		t.Fatal(err)
	}
	for link, want := range map[string]bool{
		"https://outlook.office365.com/api/gv1.0/Mailboxes('MBX:a@b')/importItem?authtoken=x": true,
		"https://eu.outlook.office.com/x?authtoken=y":                                         true,
		"http://outlook.office365.com/x":                                                      false,
		"https://outlook.office365.com.evil.example/x":                                        false,
		"https://notoffice365.com/x":                                                          false,
		"https://127.0.0.1/x":                                                                 false,
		"https://u:p@outlook.office365.com/x":                                                 false,
	} {
		if err := c.importHost(link); (err == nil) != want || err != nil && strings.Contains(err.Error(), "authtoken") {
			t.Errorf("%s: %v", link, err)
		}
	}
}

// TestSecretsStayOutOfErrors: the import URL is in no error, however the import fails.
func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, row := range map[string]struct {
		url   string
		reply reply
	}{
		"nobody there": {gone.URL + "/importItem?authtoken=" + secret, reply{}},
		"refused":      {"$BASE/import?authtoken=" + secret, reply{status: 400, body: `{"Message":"bad https://outlook.office365.com/?authtoken=` + secret + `"}`}},
		"broken":       {"$BASE/import?authtoken=" + secret, reply{cut: true}},
		"redirect":     {"$BASE/import?authtoken=" + secret, reply{status: 302, header: map[string]string{"Location": "/x?authtoken=" + secret}}},
		"a page":       {"$BASE/import?authtoken=" + secret, reply{header: map[string]string{"Content-Type": "text/html"}, body: secret}},
		"elsewhere":    {"https://evil.example/import?authtoken=" + secret, reply{}},
		"unreadable":   {"http://[::1/import?authtoken=" + secret, reply{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.on(mailbox+"/createImportSession", reply{body: `{"importUrl":"` + row.url + `"}`})
			s.on("/import", row.reply)
			waits := []string{}
			c, _ := newTestClient(t, s, func(o *Options) { o.OnWait = func(_ time.Duration, err error) { waits = append(waits, err.Error()) } })
			_, err := c.ImportItem(t.Context(), Import{FolderID: "f", Size: 4, Open: text("item")})
			asError(t, err)
			if all := err.Error() + fmt.Sprintf("%+v", err) + strings.Join(waits, " "); strings.Contains(all, "authtoken") || strings.Contains(all, secret) {
				t.Errorf("the secret is in %s", all)
			}
		})
	}
}

// TestImportIsNeverRepeatedBlindly: only what the server said no to is sent again.
func TestImportIsNeverRepeatedBlindly(t *testing.T) {
	t.Parallel()
	good := reply{body: `{"itemId":"new","changeKey":"k"}`}
	for name, row := range map[string]struct {
		replies []reply
		want    error
		class   Class
		sent    int
	}{
		"good":               {[]reply{good}, nil, 0, 1},
		"lost":               {[]reply{{cut: true}, good}, ErrUnknownOutcome, Item, 1},
		"500":                {[]reply{{status: 500}, good}, ErrUnknownOutcome, Item, 1},
		"503":                {[]reply{{status: 503, header: map[string]string{"Retry-After": "1"}}, good}, ErrUnknownOutcome, Item, 1},
		"504":                {[]reply{{status: 504}, good}, ErrUnknownOutcome, Item, 1},
		"408":                {[]reply{{status: 408}, good}, ErrUnknownOutcome, Item, 1},
		"cut in the answer":  {[]reply{{body: `{"itemId":"ne`, cut: true}, good}, ErrUnknownOutcome, Item, 1},
		"no id":              {[]reply{{body: `{}`}, good}, ErrUnknownOutcome, Item, 1},
		"throttled":          {[]reply{failure(429, "TooManyRequests"), good}, nil, 0, 2},
		"session over":       {[]reply{failure(401, "InvalidAuthenticationToken"), good}, nil, 0, 2},
		"session refused":    {[]reply{failure(403, "ErrorAccessDenied"), good}, nil, 0, 2},
		"refused for good":   {[]reply{failure(403, "ErrorAccessDenied")}, nil, Permanent, 2},
		"too large":          {[]reply{failure(413, "RequestEntityTooLarge")}, nil, Shrink, 1},
		"full":               {[]reply{failure(403, "ErrorQuotaExceeded")}, nil, Full, 2},
		"another mailbox":    {[]reply{{status: 409, body: `{"Message":"The target session is expected in mailbox MBX:a@b."}`}}, nil, Item, 1},
		"throttled for good": {[]reply{failure(429, "ApplicationThrottled")}, nil, BackOff, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.on(mailbox+"/createImportSession", reply{body: `{"importUrl":"$BASE/import?authtoken=` + secret + `"}`})
			s.on("/import", row.replies...)
			c, _ := newTestClient(t, s, nil)
			_, err := c.ImportItem(t.Context(), Import{FolderID: "f", Size: 4, Open: text("item")})
			if row.want == nil && row.class == 0 {
				if err != nil {
					t.Error(err)
				}
			} else if e := asError(t, err); e.Class() != row.class || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("%v, class %v", err, e.Class())
			}
			sent := 0
			for _, r := range s.all() {
				if r.path == "/import" {
					sent++
				}
			}
			if row.sent > 0 && sent != row.sent {
				t.Errorf("sent %d times, want %d", sent, row.sent)
			}
		})
	}
}

// TestSessionIsRenewedInTime by the clock.
func TestSessionIsRenewedInTime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.on(mailbox+"/createImportSession", reply{body: `{"importUrl":"$BASE/import","expirationDateTime":"2024-10-17T13:00:00Z"}`})
	s.on("/import", reply{body: `{"itemId":"new","changeKey":"k"}`})
	c, clock := newTestClient(t, s, nil)
	for _, row := range []struct {
		pass     time.Duration
		requests int
	}{{0, 2}, {57 * time.Minute, 3}, {2 * time.Minute, 5}} {
		clock.now = clock.now.Add(row.pass)
		if _, err := c.ImportItem(t.Context(), Import{FolderID: "f", Open: text("x")}); err != nil || len(s.all()) != row.requests {
			t.Errorf("after %v: %d requests, %v", row.pass, len(s.all()), err)
		}
	}
}

// TestExportAnswers: what is said of the items "a" and "b", however the server says it. "a" is the good one.
func TestExportAnswers(t *testing.T) {
	t.Parallel()
	good, long := item("a", b64("item a")), strings.Repeat("x", 1<<20)
	for name, row := range map[string]struct {
		reply  reply
		a, b   error // nil: came
		class  Class // of b's
		whole  error
		failed bool // the call fails before anything is given
	}{
		"whole":              {reply: reply{body: exports(good, item("b", b64("item b")))}},
		"another order":      {reply: reply{body: exports(item("b", b64("item b")), good)}},
		"data first":         {reply: reply{body: exports(`{"data":"`+b64("item a")+`","itemId":"a"}`, item("b", b64("item b")))}},
		"data first, wrong":  {reply: reply{body: exports(`{"data":"`+b64("item b")+`","itemId":"b"}`, good)}, b: errors.New("any"), whole: ErrTruncated},
		"ids of its own":     {reply: reply{body: exports(item("x", b64("item a")), item("y", b64("item b")))}},
		"escaped base64":     {reply: reply{body: exports(good, `{"itemId":"b","data":"aXRlb\u0053Bi"}`)}},
		"error":              {reply: reply{body: exports(good, `{"itemId":"b","error":{"code":"ErrorItemNotFound","message":"m"}}`)}, b: errors.New("any"), class: Gone},
		"Error":              {reply: reply{body: exports(good, `{"itemId":"b","data":null,"Error":{"code":"ErrorCorruptData"}}`)}, b: errors.New("any"), class: Item},
		"unknown code":       {reply: reply{body: exports(good, `{"itemId":"b","error":{"code":"ErrorNobodyKnows"}}`)}, b: errors.New("any"), class: Transient},
		"inner code":         {reply: reply{body: exports(good, `{"itemId":"b","error":{"code":"ErrorInternalServerError","innerError":{"code":"ErrorCorruptData"}}}`)}, b: errors.New("any"), class: Item},
		"moved":              {reply: reply{body: exports(good, `{"itemId":"b","Error":{"message":"$BASE/v1.0/x/exportItems","code":"ErrorArchiveFolderMovedPermanently"}}`)}, b: errors.New("any"), class: Moved},
		"no data":            {reply: reply{body: exports(good, `{"itemId":"b","changeKey":"k"}`)}, b: errors.New("any"), class: Transient},
		"null error":         {reply: reply{body: exports(good, `{"itemId":"b","data":"`+b64("item b")+`","error":null}`)}},
		"empty data":         {reply: reply{body: exports(good, item("b", ""))}, b: ErrTruncated, class: Transient},
		"missing":            {reply: reply{body: exports(good)}, b: errors.New("any"), class: Transient},
		"null value":         {reply: reply{body: `{"value":null}`}, a: errors.New("any"), b: errors.New("any"), class: Transient},
		"notice decoded":     {reply: reply{body: exports(good, item("b", b64("half"+wire.Notice)))}, b: ErrTruncated, class: Transient},
		"notice in the text": {reply: reply{body: exports(good, item("b", b64("half!!")+wire.Notice))}, b: ErrTruncated, class: Transient},
		"notice after":       {reply: reply{body: exports(good, item("b", b64("item b"))) + wire.Notice}, whole: ErrTruncated},
		"notice between":     {reply: reply{body: `{"value":[` + good + wire.Notice}, b: ErrTruncated, class: Transient, whole: ErrTruncated},
		"group cut":          {reply: reply{body: exports(good, item("b", "AAAAA"))}, b: ErrTruncated, class: Transient},
		"connection cut":     {reply: reply{body: `{"value":[` + good + `,{"itemId":"b","data":"` + b64(long), cut: true}, b: ErrTruncated, class: Transient, whole: ErrTruncated},
		"document cut":       {reply: reply{body: `{"value":[` + good}, b: errors.New("any"), class: Transient, whole: ErrTruncated},
		"second document":    {reply: reply{body: exports(good, item("b", b64("item b"))) + `{}`}, whole: ErrTruncated},
		"data twice":         {reply: reply{body: exports(good, `{"itemId":"b","data":"AAAA","data":"AAAA"}`)}, whole: ErrTruncated},
		"item twice":         {reply: reply{body: exports(good, good)}, b: errors.New("any"), class: Transient, whole: ErrTruncated},
		"too many":           {reply: reply{body: exports(good, item("b", b64("item b")), item("c", "AAAA"))}, whole: ErrTruncated},
		"data that is none":  {reply: reply{body: exports(good, `{"itemId":"b","data":{"a":1}}`)}, b: errors.New("any"), class: Transient, whole: ErrTruncated},
		"html":               {reply: reply{header: map[string]string{"Content-Type": "text/html"}, body: "<html>Sign in</html>"}, failed: true, whole: ErrNotGraph},
		"html as json":       {reply: reply{body: "<html>Sign in</html>"}, failed: true, whole: ErrTruncated},
		"a bomb":             {reply: reply{body: strings.Repeat(`{"value":[`, 1<<16)}, failed: true, whole: ErrTruncated},
		"a long name":        {reply: reply{body: `{"` + long + `":1}`}, failed: true, whole: ErrTruncated},
		"a long id":          {reply: reply{body: exports(`{"itemId":"` + long + `"}`)}, failed: true, whole: ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.on(exportPath, row.reply)
			c, _ := newTestClient(t, s, func(o *Options) { o.MaxAttempts = 2 })
			got, err := exportAll(c, t.Context(), ItemRef{ID: "a"}, ItemRef{ID: "b"})
			if (err == nil) != (row.whole == nil) || row.whole != nil && !errors.Is(err, row.whole) {
				t.Errorf("the whole: %v, want %v", err, row.whole)
			}
			if err != nil {
				asError(t, err)
			}
			if row.failed {
				if len(got) > 0 {
					t.Errorf("given: %+v", got)
				}
				return
			}
			if name == "data twice" || len(got) != 2 && row.whole == nil {
				return
			}
			for i, want := range []error{row.a, row.b} {
				o := got[i]
				if (o.err == nil) != (want == nil) || want != nil && want.Error() != "any" && !errors.Is(o.err, want) {
					t.Errorf("item %d: %v, want %v", i, o.err, want)
				}
				if o.err == nil && row.whole == nil && o.data != fmt.Sprintf("item %c", 'a'+i) {
					t.Errorf("item %d: %q", i, o.data)
				}
			}
			if row.b != nil && row.class != 0 {
				if e := asError(t, got[1].err); e.Class() != row.class {
					t.Errorf("class %v, want %v", e.Class(), row.class)
				}
			}
		})
	}
}

// TestExportShrinks: what breaks down over 20 items comes through with fewer, and goes back to 20 in time.
func TestExportShrinks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		most   int
	}{{"413", 413, 5}, {"504", 504, 10}, {"503 without a word", 503, 1}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			var sizes []int
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var asked struct{ ItemIds []string }
				_ = json.NewDecoder(r.Body).Decode(&asked)
				sizes = append(sizes, len(asked.ItemIds))
				if len(asked.ItemIds) > row.most {
					w.WriteHeader(row.status)
					return
				}
				var out []string
				for _, id := range asked.ItemIds {
					out = append(out, item(id, b64(id)))
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, exports(out...))
			})
			inner := s.Config.Handler
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == exportPath {
					h(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			})
			c, _ := newTestClient(t, s, nil)
			items := make([]ItemRef, 45)
			for i := range items {
				items[i].ID = fmt.Sprint("i", i)
			}
			got, err := exportAll(c, t.Context(), items...)
			if err != nil || len(got) != len(items) {
				t.Fatalf("%d items, %v, asked for %v", len(got), err, sizes)
			}
			for i, o := range got {
				if o.err != nil || o.data != items[i].ID {
					t.Errorf("%d: %+v", i, o)
				}
			}
			if sizes[0] != 20 || sizes[1] != 10 || len(sizes) > 3+45/row.most+6 {
				t.Errorf("asked for %v", sizes)
			}
		})
	}
}

func TestTryingAgain(t *testing.T) {
	t.Parallel()
	ok := reply{body: `{"value":[]}`}
	for name, row := range map[string]struct {
		replies  []reply
		class    Class // 0: came in the end
		requests int
		waits    time.Duration // at least
	}{
		"429":             {[]reply{{status: 429, header: map[string]string{"Retry-After": "30"}}, ok}, 0, 2, 30 * time.Second},
		"503 empty":       {[]reply{{status: 503}, ok}, 0, 2, 10 * time.Second},
		"509":             {[]reply{{status: 509}, ok}, 0, 2, 10 * time.Second},
		"throttled":       {[]reply{failure(200+229, "ApplicationThrottled"), ok}, 0, 2, 10 * time.Second},
		"500":             {[]reply{{status: 500}, ok}, 0, 2, time.Second},
		"500 for good":    {[]reply{{status: 500}}, Item, 6, time.Second}, // level by level, too
		"cut":             {[]reply{{body: `{"value":[`, cut: true}, ok}, 0, 2, time.Second},
		"401":             {[]reply{failure(401, "InvalidAuthenticationToken"), ok}, 0, 2, 0},
		"401 for good":    {[]reply{failure(401, "InvalidAuthenticationToken")}, Auth, 2, 0},
		"denied":          {[]reply{failure(403, "Authorization_RequestDenied")}, Permanent, 1, 0},
		"no such mailbox": {[]reply{failure(404, "MailboxNotEnabledForRESTAPI")}, Permanent, 1, 0},
		"bad request":     {[]reply{failure(400, "BadRequest")}, Bug, 2, 0}, // level by level, too
		"html":            {[]reply{{header: map[string]string{"Content-Type": "text/html"}, body: "<html>"}}, Permanent, 1, 0},
		"html 403":        {[]reply{{status: 403, header: map[string]string{"Content-Type": "text/html"}, body: "<html>"}}, Permanent, 1, 0},
		"retry for days":  {[]reply{{status: 429, header: map[string]string{"Retry-After": "99999999"}}}, BackOff, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.on(mailbox+"/folders", row.replies...)
			c, clock := newTestClient(t, s, nil)
			_, err := c.Folders(t.Context(), "")
			if row.class == 0 && err != nil {
				t.Error(err)
			}
			if row.class != 0 {
				if e := asError(t, err); e.Class() != row.class {
					t.Errorf("%v, class %v", err, e.Class())
				}
			}
			if n := len(s.all()); n != row.requests || clock.total() < row.waits {
				t.Errorf("%d requests, waited %v", n, clock.total())
			}
		})
	}
}

func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{"folders": `{"value":[{"id":"`, "space": ` `, "list": `{"x":[`, "error": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/settings/exchange") {
					_, _ = io.WriteString(w, `{"primaryMailboxId":"MBX:a@b"}`)
					return
				}
				fill := map[string]string{"folders": "x", "space": " ", "list": "1,", "error": "x"}[name]
				if name == "error" {
					w.WriteHeader(400)
				}
				_, _ = io.WriteString(w, start)
				block := []byte(strings.Repeat(fill, 1<<16/len(fill)))
				for {
					n, err := w.Write(block)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}))
			defer s.Close()
			c, err := New(Options{URL: s.URL, Mailbox: "m@x.example", MaxAttempts: 1, Sleep: func(context.Context, time.Duration) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Folders(t.Context(), ""); err == nil || sent.Load() > maxAnswer+(16<<20) {
				t.Errorf("%v after %d bytes", err, sent.Load())
			}
		})
	}
}

func TestCertificatesThatDoNotMatch(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	c, err := New(Options{URL: s.URL, Mailbox: "m@x.example", HTTP: &http.Client{Transport: signedIn{wire.Network()}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.MailboxID(t.Context())
	if e := asError(t, err); e.Class() != Permanent || e.Hint() == "" || asked.Load() > 0 || c.Stats().Requests != 1 {
		t.Errorf("%v, class %v, %d requests", err, e.Class(), c.Stats().Requests)
	}
}

// TestArchive: the preview leads elsewhere, which is followed there and nowhere else.
func TestArchive(t *testing.T) {
	t.Parallel()
	const main, aux = "/beta/admin/exchange/mailboxes/MBX:arc@t", "/beta/admin/exchange/mailboxes/MBX:aux@t"
	s := newServer(t)
	s.on("/beta/users/megan@contoso.com/settings/exchange", reply{body: `{"primaryMailboxId":"MBX:p@t","inPlaceArchiveMailboxId":"MBX:arc@t"}`})
	s.on(main+"/folders/f/items/delta", reply{status: 308, header: map[string]string{"Location": "$LATER"}})
	s.on(aux+"/folders/f/items/delta", reply{body: `{"value":[{"id":"i","changeKey":"k"}],"@odata.deltaLink":"$BASE` + aux + `/folders/f/items/delta?t=1"}`})
	s.replies[main+"/folders/f/items/delta"][0].header["Location"] = s.URL + aux + "/folders/f/items/delta"
	s.on(main+"/exportItems", reply{body: exports(item("a", b64("item a")), `{"itemId":"b","Error":{"message":"$BASE`+aux+`/exportItems","code":"ErrorArchiveFolderMovedPermanently"}}`)})
	s.on(aux+"/exportItems", reply{body: exports(item("b", b64("item b")))})
	s.on(main+"/createImportSession", reply{body: `{"importUrl":"$BASE/import?m=arc"}`})
	s.on(aux+"/createImportSession", reply{body: `{"importUrl":"$BASE/import?m=aux"}`})
	s.on("/import?m=arc", reply{status: 409, body: `{"Message":"Invalid import session. The target session is expected in mailbox MBX:aux@t."}`})
	s.on("/import?m=aux", reply{body: `{"itemId":"new","changeKey":"k"}`})
	c, _ := newTestClient(t, s, func(o *Options) { o.Archive = true })
	p, err := c.ChangedItems(t.Context(), "f", "")
	if err != nil || len(p.Items) != 1 {
		t.Errorf("308: %+v, %v", p, err)
	}
	got, err := exportAll(c, t.Context(), ItemRef{ID: "a"}, ItemRef{ID: "b"})
	if err != nil || got[0].data != "item a" || got[1].data != "item b" {
		t.Errorf("moved: %+v, %v", got, err)
	}
	if ref, err := c.ImportItem(t.Context(), Import{FolderID: "f", Open: text("x")}); err != nil || ref.ID != "new" {
		t.Errorf("409: %+v, %v", ref, err)
	}
	none := newServer(t)
	none.on("/beta/users/megan@contoso.com/settings/exchange", reply{body: `{"primaryMailboxId":"MBX:p@t"}`})
	c, _ = newTestClient(t, none, func(o *Options) { o.Archive = true })
	if _, err := c.MailboxID(t.Context()); !errors.Is(err, ErrNoArchive) {
		t.Error(err)
	}
}

// TestMemory takes an item of 250 MB out and in.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	const size = 250 << 20 / 3 * 3
	block := []byte(strings.Repeat("ABCDabcd0123+/xy", 1<<12))
	encoded := int64(size / 3 * 4)
	received := int64(0)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/exportItems"):
			_, _ = io.WriteString(w, `{"value":[{"itemId":"a","changeKey":"k","data":"`)
			for left := encoded; left > 0; {
				n, err := w.Write(block[:min(left, int64(len(block)))])
				if left -= int64(n); err != nil {
					return
				}
			}
			_, _ = io.WriteString(w, `"}]}`)
		case strings.HasSuffix(r.URL.Path, "/createImportSession"):
			_, _ = io.WriteString(w, `{"importUrl":"http://`+r.Host+`/import"}`)
		case r.URL.Path == "/import":
			received, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"itemId":"new","changeKey":"k"}`)
		default:
			_, _ = io.WriteString(w, `{"primaryMailboxId":"MBX:a@b"}`)
		}
	}))
	defer s.Close()
	c, err := New(Options{URL: s.URL, Mailbox: "m@x.example", HTTP: &http.Client{Transport: &http.Transport{DisableCompression: true}},
		Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	runtime.GC()
	var idle runtime.MemStats
	runtime.ReadMemStats(&idle)
	peak := uint64(0)
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse-min(m.HeapInuse, idle.HeapInuse))
	}
	var out int64
	err = c.ExportItems(t.Context(), []ItemRef{{ID: "a"}}, func(_ int, _ ItemRef, body io.Reader, err error) error {
		buf := make([]byte, 128<<10)
		for turn := 0; err == nil; turn++ {
			var n int
			n, err = body.Read(buf)
			out += int64(n)
			if turn%500 == 0 {
				look()
			}
		}
		if err == io.EOF {
			err = nil
		}
		return err
	})
	if err != nil || out != size {
		t.Errorf("out: %d bytes, %v", out, err)
	}
	src := &watched{left: size, look: look}
	_, err = c.ImportItem(t.Context(), Import{FolderID: "f", Size: size, Open: func() (io.ReadCloser, error) { return io.NopCloser(src), nil }})
	if err != nil || received < encoded {
		t.Errorf("in: %d bytes, %v", received, err)
	}
	t.Logf("%d MiB out and in: %d KiB above idle", size>>20, peak>>10)
	if peak > 64<<20 {
		t.Errorf("%d MiB above idle", peak>>20)
	}
}

// watched is a source that looks at the memory now and then.
type watched struct {
	left int64
	turn int
	look func()
}

func (w *watched) Read(p []byte) (int, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	if w.turn++; w.turn%2000 == 0 {
		w.look()
	}
	n := min(int64(len(p)), w.left)
	w.left -= n
	return int(n), nil
}

func TestIDs(t *testing.T) {
	t.Parallel()
	// A pair that was published: the same message by either protocol.
	const rest = "AAMkAGUwYzI4OGZmLWY3YzAtNDNkMC04ZDljLTczZmJjMzM3Y2Y3ZgBGAAAAAAC0gTCu_FfeT5pt2ms_2dYpBwDXTgLnaOKqSLvwJ5eRN-89AAAAAAENAADXTgLnaOKqSLvwJ5eRN-89AAB94CiRAAA="
	const soap = "AAMkAGUwYzI4OGZmLWY3YzAtNDNkMC04ZDljLTczZmJjMzM3Y2Y3ZgBGAAAAAAC0gTCu+FfeT5pt2ms+2dYpBwDXTgLnaOKqSLvwJ5eRN/89AAAAAAENAADXTgLnaOKqSLvwJ5eRN/89AAB94CiRAAA="
	if ToEWS(rest) != soap || FromEWS(soap) != rest {
		t.Error("ids are not translated")
	}
	if _, err := url.PathUnescape(url.PathEscape(rest)); err != nil {
		t.Error(err)
	}
}

func FuzzExport(f *testing.F) {
	for _, doc := range []string{exported, exports(item("a", b64("x")), `{"itemId":"b","Error":{"code":"ErrorItemNotFound","innerError":{"code":"x"}}}`),
		exports(`{"data":"QUJD","itemId":"b"}`), exports(item("a", b64("x")+wire.Notice)), exports(item("a", "AA")), exports() + wire.Notice} {
		f.Add([]byte(doc))
	}
	c, err := New(Options{Mailbox: "m@x.example", Archive: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		told := [2]int{}
		x := &export{c: c, items: []ItemRef{{ID: "a"}, {ID: "b"}}, op: &operation{name: "exportItems"},
			each: func(i int, _ ItemRef, body io.Reader, err error) error {
				told[i]++
				if (body == nil) == (err == nil) {
					t.Error("neither body nor error, or both")
				}
				if err == nil {
					_, _ = io.CopyN(io.Discard, body, 10)
				}
				return nil
			}}
		var err error
		if x.op.permit, err = throttle.New(throttle.Options{}).Acquire(context.Background(), throttle.Ask{}); err != nil {
			t.Fatal(err)
		}
		s := newScanner(strings.NewReader(string(doc)))
		err = x.read(s)
		if err == nil {
			err = s.finished()
		}
		for i, n := range told {
			if n > 1 || err == nil && n == 0 && len(x.moved) == 0 {
				t.Errorf("item %d told %d times, %v", i, n, err)
			}
		}
	})
}

// TestBrokenItemTellsNoSecret: what net/http quotes of a server that breaks off amid an item goes through the sieve, as it does between
// answers.
func TestBrokenItemTellsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := New(Options{URL: "https://graph.example", Mailbox: "m@x.example"})
	if err != nil {
		t.Fatal(err)
	}
	said := errors.New(`http2: server sent GOAWAY and closed the connection; debug="eyJhbGciOi"`)
	b := &body{c: c, d: wire.NewDecoder(func() ([]byte, error) { return nil, said })}
	_, err = io.ReadAll(b)
	if !errors.Is(err, ErrTruncated) || !errors.Is(err, said) || strings.Contains(err.Error(), "eyJ") {
		t.Error(err)
	}
}
