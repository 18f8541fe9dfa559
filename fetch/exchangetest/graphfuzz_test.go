package exchangetest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// fuzzServer has a mailbox with one item, and gives the addresses of its paths.
func fuzzServer(f *testing.F) (s *exchangetest.Server, base string) {
	s = exchangetest.New(exchangetest.Options{MaxImportBytes: 64 << 10, TempDir: f.TempDir()})
	f.Cleanup(func() { s.Close() })
	s.AddAccount("backup", "secret")
	if err := s.Load(box, tree(f, map[string]string{"Inbox/1.eml": message("one")})); err != nil {
		f.Fatal(err)
	}
	d := ask(f, s, "GET", "/v1.0/users/"+box+"/settings/exchange", "", 200)
	return s, "/v1.0/admin/exchange/mailboxes/" + d["primaryMailboxId"].(string)
}

// ask sends a request without a network. The answer is JSON, and its status one of those.
func ask(t testing.TB, s *exchangetest.Server, method, url, body string, statuses ...int) (d doc) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Skip("no request")
	}
	r.RequestURI = r.URL.RequestURI()
	if r.Header.Set("Content-Type", "application/json"); !strings.HasPrefix(url, "/api/") {
		r.Header.Set("Authorization", "Bearer secret")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if !slices.Contains(statuses, w.Code) {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return d
}

// FuzzGraphQuery: whatever the query is, the answer is a list or says no.
func FuzzGraphQuery(f *testing.F) {
	for _, q := range []string{
		"$top=5&$skip=1&$count=true&$select=id,size&$orderby=size%20desc,type",
		"$filter=type%20eq%20'IPM.Note'%20and%20not%20(size%20lt%201%20or%20startswith(type,'x'))",
		"$filter=singleValueExtendedProperties/Any(ep:%20ep/id%20eq%20'String%200x1035'%20and%20ep/value%20eq%20'a''b')",
		"$expand=singleValueExtendedProperties($filter=id%20eq%20'Binary%20%7B00062008-0000-0000-c000-000000000046%7D%20Id%200x8501'%20or%20id%20eq%20'String%200x37')",
		"$expand=multiValueExtendedProperties($filter=id%20eq%20'StringArray%20{00020329-0000-0000-C000-000000000046}%20Name%20Keywords')",
		"$deltatoken=TUJTMQ", "$skiptoken=TUJTMRA&$top=1", "$filter=createdDateTime%20ge%202020-01-01T00:00:00Z",
	} {
		f.Add(q)
	}
	s, base := fuzzServer(f)
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/folders", "/folders/inbox/items", "/folders/inbox/items/delta", "/folders/delta"} {
			ask(t, s, "GET", base+path+"?"+query, "", 200, 400, 410)
		}
	})
}

// FuzzGraphPath: whatever the path is, the answer is JSON and not a panic.
func FuzzGraphPath(f *testing.F) {
	for _, p := range []string{"/folders/inbox", "/folders//items", "/folders/%2F/$ref", "/folders/AA=/childFolders/x", "/"} {
		f.Add(p)
	}
	s, base := fuzzServer(f)
	f.Fuzz(func(t *testing.T, path string) {
		ask(t, s, "GET", base+path, "", 200, 400, 404, 405, 410)
		ask(t, s, "GET", "/beta/"+path, "", 200, 400, 404, 405)
	})
}

// FuzzGraphBody: whatever a body is, the answer is JSON and the server well.
func FuzzGraphBody(f *testing.F) {
	s, base := fuzzServer(f)
	at := ask(f, s, "POST", base+"/createImportSession", "", 200)["importUrl"].(string)
	at = at[strings.Index(at, "/api/"):]
	folder := ask(f, s, "GET", base+"/folders/inbox", "", 200)["id"].(string)
	for _, b := range []string{
		`{"itemIds":["x"]}`, `{"displayName":"x","type":"IPF.Note","singleValueExtendedProperties":[{"id":"Integer 0x3601","value":"1"}]}`,
		`{"requests":[{"id":"1","method":"GET","url":"/users"}]}`, `{"inputIds":["x"],"sourceIdType":"entryId","targetIdType":"restId"}`,
		importing("FolderId", folder, "Mode", "create", "Data", "AQAAAAgAAAAAAAAAAQAAAA=="), `{"Data":"\u002B\/\ud83d\ude00","Mode" : "x" }`, `{}`, `{"a":"b",}`,
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body string) {
		ask(t, s, "POST", at, body, 200, 400, 404, 409, 412, 413)
		for _, path := range []string{"/exportItems", "/folders"} {
			ask(t, s, "POST", base+path, body, 200, 201, 400, 409)
		}
		ask(t, s, "POST", "/v1.0/$batch", body, 200, 400)
		ask(t, s, "POST", "/v1.0/users/"+box+"/translateExchangeIds", body, 200, 400)
	})
}
