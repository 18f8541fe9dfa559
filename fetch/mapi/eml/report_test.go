package eml_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailbrick/fetch/mapi"
)

func bounce(action string) []byte {
	return lines("From: MAILER-DAEMON@example.com", "To: anna@example.com", "Subject: Undelivered", "Date: Tue, 2 Jan 2024 11:00:00 +0100", "MIME-Version: 1.0",
		"Content-Type: multipart/report; report-type=delivery-status; boundary=r", "", "--r", "Content-Description: Notification", "Content-Type: text/plain", "",
		"It did not go well.", "", "--r", "Content-Description: Delivery report", "Content-Type: message/delivery-status", "",
		"Reporting-MTA: dns; mx.example.com", "Arrival-Date: Tue, 2 Jan 2024 10:00:00 +0100", "X-Own: 1", "",
		"Final-Recipient: rfc822; bob@example.com", "Original-Recipient: rfc822;bob@example.org", "Action: "+action, "Status: 5.1.1 (unknown)",
		"Remote-MTA: dns; far.example.com", "Diagnostic-Code: smtp; 550 5.1.1", "    no such user", "Last-Attempt-Date: Tue, 2 Jan 2024 11:00:00 +0100", "",
		"Final-Recipient: rfc822; carol@example.com", "Action: "+action, "Status: 4.4.7", "",
		"Final-Recipient: rfc822; dave@example.com", "Action: delivered", "Status: 2.0.0", "", "--r", "Content-Type: message/rfc822", "",
		"From: anna@example.com", "To: bob@example.com", "Subject: the plan", "Message-ID: <1@example.com>", "Date: Tue, 02 Jan 2024 10:00:00 +0100", "", "words", "", "--r--", "")
}

func TestDeliveryReport(t *testing.T) {
	t.Parallel()
	for action, class := range map[string]string{"failed": "NDR", "delayed": "Delayed.DR", "delivered": "DR", "relayed": "Relayed.DR", "expanded": "Expanded.DR", "": "NDR"} {
		t.Run("action "+action, func(t *testing.T) {
			t.Parallel()
			raw := bounce(action)
			m := throughBlob(t, read(t, raw))
			b := m.Properties
			submitted, _ := b.Time(0x004E)
			got := fmt.Sprintf("%s|%s|%s|%s|%s|%v|%s|%v", m.Class(), b.Text(0x0049), b.Text(0x1046), b.Text(0x0074), b.Text(0x6820), submitted, strings.TrimSpace(m.BodyText()), m.To())
			want := "REPORT.IPM.Note." + class + "|the plan|<1@example.com>|bob@example.com|dns; mx.example.com|2024-01-02 09:00:00 +0000 UTC|" +
				"It did not go well.|[bob@example.org carol@example.com" + map[bool]string{true: " dave@example.com"}[class == "DR"] + "]"
			if got != want || len(m.Attachments) != 1 || m.Attachments[0].Embedded == nil {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			row := m.Recipients[0]
			code, _ := row.Int32(0x0C20)
			at, _ := row.Time(0x0032)
			if info := row.Text(0x0C1B); code != 511 || info != "<far.example.com #5.1.1 smtp; 550 5.1.1    no such user>" || !at.Equal(time.Date(2024, 1, 2, 10, 0, 0, 0, time.UTC)) {
				t.Errorf("recipient: %d %q %v", code, info, at)
			}
			if out := write(t, m); !bytes.Equal(out, raw) {
				t.Errorf("got\n%s", out)
			}
			again := read(t, write(t, strip(m)))
			if info := again.Recipients[0].Text(0x0C1B); again.Class() != m.Class() || info != row.Text(0x0C1B) || fmt.Sprint(again.To()) != fmt.Sprint(m.To()) {
				t.Errorf("laid out anew: %s", facts(again))
			}
			if to := again.Properties.Text(mapi.PidTagTransportMessageHeaders); !strings.Contains(to, "To: anna@example.com\r\n") {
				t.Errorf("the addressee is lost: %s", to)
			}
		})
	}
}

func TestReadReport(t *testing.T) {
	t.Parallel()
	for disposition, class := range map[string]string{"displayed": "IPNRN", "displayed/error": "IPNRN", "deleted": "IPNNRN"} {
		t.Run(disposition[:4], func(t *testing.T) {
			t.Parallel()
			raw := lines("From: bob@example.com", "To: anna@example.com", "Subject: Read: the plan", "Content-Type: multipart/report; report-type=disposition-notification; boundary=r",
				"", "--r", "", "It was.", "--r", "Content-Type: message/disposition-notification", "", "Reporting-UA: x; y", "Original-Recipient: rfc822; bob@example.com",
				"Original-Message-ID: <1@example.com>", "Disposition: automatic-action/MDN-sent-automatically; "+disposition, "", "--r", "Content-Type: text/rfc822-headers", "",
				"Subject: the plan", "--r--")
			m := throughBlob(t, read(t, raw))
			b := m.Properties
			got := strings.Join([]string{m.Class(), b.Text(0x1046), b.Text(0x0080), b.Text(0x0081), b.Text(0x0049), m.To()[0].Email}, "|")
			if want := "REPORT.IPM.Note." + class + "|<1@example.com>|" + disposition + "|automatic-action/MDN-sent-automatically|the plan|anna@example.com"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if out := write(t, m); !bytes.Equal(out, raw) {
				t.Errorf("got\n%s", out)
			}
			again := read(t, write(t, strip(m)))
			if again.Class() != m.Class() || again.Properties.Text(0x0080) != disposition {
				t.Errorf("laid out anew: %s", facts(again))
			}
		})
	}
}

func TestReportsThatSayNothing(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]string{"empty": "", "words": "sorry\r\n\r\nsorry", "blank lines": "\r\n\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := lines("To: a@b", "Content-Type: multipart/report; boundary=r", "", "--r", "", "text", "--r", "Content-Type: message/delivery-status", "", status, "--r--")
			m := read(t, raw)
			if m.Class() != "IPM.Note" || len(m.Attachments) != 1 {
				t.Error(facts(m))
			}
			roundTrip(t, raw)
		})
	}
}
