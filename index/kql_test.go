package index

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

// examples are the four items of the reference's table, each in a mailbox of its own: M1 to M4.
func examples(t *testing.T) *Index {
	t.Helper()
	ann, garth := person("Ann Beebe", "ann@contoso.com"), person("Garth", "garth@contoso.com")
	pilar, spam := person("Pilar Pinilla", "pilarp@contoso.com"), person("", "spam@fabrikam.com")
	log := newLog()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	log.add(1, log.version(t, "M1", 1, 0, "Inbox", 20000, &letter{from: ann, to: []mapi.Address{garth}, read: true,
		subject: "Quarterly Financials 2018", body: "The budget for the merger is worse than best\r\nW-2 o'neil 東京都庁 Grüße",
		sent: at("2021-04-15T10:00:00Z"), attachments: []string{"annualreport.ppt"}}))
	log.add(2, log.version(t, "M2", 2, 0, "Inbox/Projects", 50, &letter{from: spam, to: []mapi.Address{ann}, cc: []mapi.Address{pilar},
		subject: "Re: budgetary merger", body: "acquisition of the company will need large debt", received: at("2021-03-31T23:30:00Z")}))
	log.add(3, log.version(t, "M3", 3, 0, "Calendar", 60, &letter{class: "IPM.Appointment", from: pilar,
		subject: "Advanced Search XML", sent: at("2021-05-01T00:00:00Z"), read: true}))
	log.add(4, log.version(t, "M4", 4, 0, "Conversation History", 70, &letter{class: "IPM.Note.Microsoft.Conversation",
		subject: "Conversation with Garth", read: true}))
	x := openTest(t, filepath.Join(t.TempDir(), "index"), Options{})
	follow(t, x, log)
	return x
}

func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	x := examples(t)
	for _, c := range []struct{ query, want string }{
		{`merger`, "M1 M2"},
		{`MERGER`, "M1 M2"},
		{`merger budget`, "M1"},
		{`merger and budget`, ""},
		{`merger NOT debt`, "M1"},
		{`merger AND NOT debt`, "M1"},
		{`-merger`, "M3 M4"},
		{`NOT merger OR debt`, "M2 M3 M4"},
		{`bud*`, "M1 M2"},
		{`"financials quarterly"`, ""},
		{`"quarterly financials"`, "M1"},
		{`"quarterly fin*"`, "M1"},
		{`"quarterly bud*"`, ""},
		{`"budget for the mer*"`, "M1"},
		{`"the the"`, ""},
		{`subject:quarterly`, "M1"},
		{`subject:quarterly budget`, "M1"},
		{`subject: quarterly`, ""},
		{`subject:set*`, ""},
		{`subject:"Advanced Sear*"`, "M3"},
		{`subject:budget`, ""},
		{`from:ann@contoso.com`, "M1"},
		{`from:"Ann Beebe"`, "M1"},
		{`from:"Beebe Ann"`, ""},
		{`from:contoso.com`, "M1 M3"},
		{`from:@contoso.com`, "M1 M3"},
		{`from:contoso`, "M1 M3"},
		{`from:toso.com`, ""},
		{`from:"pilarp@contoso*"`, "M3"},
		{`to:garth@contoso.com`, "M1"},
		{`cc:pilarp`, "M2"},
		{`recipients:pilarp`, "M2"},
		{`participants:fabrikam.com`, "M2"},
		{`from:ann from:spam`, "M1 M2"},
		{`from:ann from:spam subject:merger`, "M2"},
		{`-from:ann -from:spam`, "M3 M4"},
		{`(from:ann OR from:spam) AND subject:merger`, "M2"},
		{`attachmentnames:annualreport.ppt`, "M1"},
		{`attachmentnames:annual*`, "M1"},
		{`hasattachment:true`, "M1"},
		{`hasattachment:false`, "M2 M3 M4"},
		{`isread:false`, "M2"},
		{`kind:email kind:meetings`, "M1 M2 M3"},
		{`kind:im`, "M4"},
		{`itemclass:ipm.appointment*`, "M3"},
		{`itemclass:ipm.note`, "M1 M2"},
		{`size:50..20000`, "M1 M2 M3 M4"},
		{`size:1..69`, "M2 M3"},
		{`size>=70`, "M1 M4"},
		{`sent:2021-04-15`, "M1"},
		{`sent<>2021-04-15`, "M2 M3 M4"},
		{`received<=2021-03-31`, "M2"},
		{`received>2021-03-31`, ""},
		{`received<2021-03-31`, ""},
		{`sent:2021-04-01..2021-04-30`, "M1"},
		{`sent>2021-04-30`, "M3"},
		{`sent:2021-04-15T10:00`, "M1"},
		{`sent>=2021-04-15T10:00:01Z`, "M3"},
		{`sent:"last month"`, "M1"},
		{`received:4/13/2017..4/14/2017`, ""},
		{`date:2021-03-31..2021-04-15`, "M1 M2"},
		{`folder:inbox`, "M1 M2"},
		{`folder=inbox`, "M1"},
		{`folder:"inbox/projects"`, "M2"},
		{`folder:"inb*"`, "M1 M2"},
		{`mailbox:m3`, "M3"},
		{`merger folder=inbox`, "M1"},
		{`merger NOT folder=inbox`, "M2"},
		{`merger OR folder:calendar`, "M1 M2 M3"},
		{`NOT (merger OR folder:calendar)`, "M4"},
		{`subject:""`, ""},
		{`cc:""`, "M1 M3 M4"},
		{`recipients:""`, "M3 M4"},
		{`W-2`, "M1"},
		{`"w 2"`, "M1"},
		{`o'neil`, "M1"},
		{`o’neil`, "M1"},
		{`neil`, "M1"},
		{`東京`, "M1"},
		{`京都`, "M1"},
		{`庁`, "M1"},
		{`都東`, ""},
		{`"東京都庁 grüße"`, "M1"},
		{`"東京 grüße"`, ""},
		{`東京*`, "M1"},
		{`GRÜSSE`, ""},
		{`grüße`, "M1"},
		{"gru\u0308ße", "M1"},
		{`ｂｕｄｇｅｔ`, "M1"},
		{`ann@contoso.com`, "M1 M2"},
		{`garth`, "M1 M4"},
		{``, "M1 M2 M3 M4"},
	} {
		t.Run(c.query, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, hit := range found(t, x, Query{Text: c.query, View: map[string]uint32{"M1": 0, "M2": 0, "M3": 0, "M4": 0}}) {
				mailbox, _, _ := strings.Cut(hit, "/")
				got = append(got, mailbox)
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != c.want {
				t.Fatalf("%s found %q, want %q", c.query, s, c.want)
			}
		})
	}
}
