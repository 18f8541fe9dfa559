package exchangetest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"mailbrick/fetch/exchangetest"
)

const poxRequest = `<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>ADDRESS</EMailAddress>` +
	`<AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>`

// TestPOX: the older Autodiscover, its redirects and its words of refusal.
func TestPOX(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{OldAutodiscover: true})
	base := strings.TrimSuffix(c.url, exchangetest.Path)
	c.server.AddMailbox(box).EnableArchive()
	c.server.Redirect("moved@example.org", box)
	c.server.Redirect("far@example.org", "https://mail.example.org/autodiscover/autodiscover.xml")
	send := func(method, password, body string) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base+"/Autodiscover/Autodiscover.xml", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "text/xml")
		if password != "" {
			r.SetBasicAuth("backup", password)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, string(data)
	}
	ask := func(address string) string { return strings.Replace(poxRequest, "ADDRESS", address, 1) }
	for _, test := range []struct{ name, body, path, want string }{
		{"settings", ask(box), "//Account/Action|//Protocol/Type|//Protocol/EwsUrl|//AlternativeMailbox/Type", "settings|EXCH|EXPR|" + c.url + "|" + c.url + "|Archive"},
		{"another address", ask("moved@example.org"), "//Action|//RedirectAddr", "redirectAddr|" + box},
		{"another server", ask("far@example.org"), "//Action|//RedirectUrl", "redirectUrl|https://mail.example.org/autodiscover/autodiscover.xml"},
		{"nobody", ask("nobody@example.org"), "//ErrorCode", "500"},
		{"no address", ask("nobody"), "//ErrorCode", "600"},
		{"another schema", strings.Replace(ask(box), "2006a", "2006b", 1), "//ErrorCode", "601"},
		{"another element", strings.Replace(ask(box), "requestschema", "schema", 1), "//ErrorCode", "600"},
		{"no XML", "x", "//ErrorCode", "600"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, _, text := send("POST", "secret", test.body)
			doc := etree.NewDocument()
			if err := doc.ReadFromString(text); err != nil || status != 200 {
				t.Fatalf("%d %v %s", status, err, text)
			}
			equal(t, "answer", fields(doc.Root(), strings.Split(test.path, "|")...), test.want)
		})
	}
	status, head, _ := send("POST", "", ask(box))
	equal(t, "without credentials", status, 401)
	equal(t, "challenge", strings.Contains(strings.Join(head.Values("WWW-Authenticate"), " "), "Basic"), true)
	status, _, _ = send("POST", "wrong", ask(box))
	equal(t, "wrong password", status, 401)
	status, head, _ = send("GET", "", "")
	equal(t, "the way", head.Get("Location"), strings.Replace(base, "http:", "https:", 1)+"/autodiscover/autodiscover.xml")
	equal(t, "told by", status, 302)
	resp, err := http.Get(base + "/autodiscover/autodiscover.json?Email=" + box + "&Protocol=Ews")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	equal(t, "newer form", resp.StatusCode, 404)
}
