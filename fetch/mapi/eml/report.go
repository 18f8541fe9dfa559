package eml

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mailbrick/fetch/mapi"
)

// Ids of the properties of reports [MS-OXOMSG] 2.2.2, [MS-OXPROPS] 2.
const (
	idDeliverTime      uint16 = 0x0010
	idReportTime       uint16 = 0x0032
	idOriginalSubject  uint16 = 0x0049
	idOriginalClass    uint16 = 0x004B
	idOriginalSubmit   uint16 = 0x004E
	idOriginalTo       uint16 = 0x0074
	idDisposition      uint16 = 0x0080
	idDispositionMode  uint16 = 0x0081
	idReasonCode       uint16 = 0x0C04
	idDiagnosticCode   uint16 = 0x0C05
	idSupplementary    uint16 = 0x0C1B
	idStatusCode       uint16 = 0x0C20
	idRemoteAgent      uint16 = 0x0C21
	idReportText       uint16 = 0x1001
	idOriginalID       uint16 = 0x1046
	idReportingAgent   uint16 = 0x6820
	noDiagnostic       int32  = -1
	maxReported               = 10000 // recipients of a report
	reportOfNote              = "REPORT.IPM.Note"
	classRead                 = "REPORT.IPM.Note.IPNRN"
	classNotRead              = "REPORT.IPM.Note.IPNNRN"
	deliveryStatusKind        = "message/delivery-status"
	dispositionKind           = "message/disposition-notification"
)

var errNoReport = errors.New("not the status of a report")

func isReport(m *mapi.Message) bool { return strings.HasPrefix(strings.ToUpper(m.Class()), "REPORT.") }

// readDeliveryStatus: a group of fields for the message, and one for each
// recipient, who becomes a row if what happened is the worst that did
// [RFC 3464] 2; [MS-OXCMAIL] 2.2.3.7.1.
func readDeliveryStatus(data []byte) (*mapi.Message, error) {
	m := &mapi.Message{}
	agent := ""
	var worst int
	for groups := 0; len(data) > 0 && groups < maxReported; groups++ {
		var group header
		group, _, data = splitHeader(data)
		if len(group) == 0 {
			if line, rest := cutLine(data); len(strings.TrimSpace(string(line))) > 0 {
				data = rest // a line that is no field
			}
			continue
		}
		if a := group.get("reporting-mta"); a != "" {
			agent = a
		}
		if !group.has("final-recipient") && !group.has("original-recipient") {
			continue
		}
		switch severity := severityOf(group.get("action")); {
		case severity > worst:
			worst, m.Recipients = severity, m.Recipients[:0]
			fallthrough
		case severity == worst:
			m.Recipients = append(m.Recipients, reported(group, int32(len(m.Recipients))))
		}
	}
	if len(m.Recipients) == 0 && agent == "" {
		return nil, errNoReport
	}
	suffix := ".NDR"
	if len(m.Recipients) > 0 {
		suffix = actions()[worst].suffix
	}
	m.Properties = mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, reportOfNote+suffix), mapi.NewText(idOriginalClass, "IPM.Note")}
	if agent != "" {
		m.Properties = append(m.Properties, mapi.NewText(idReportingAgent, agent))
	}
	return m, nil
}

type action struct{ name, suffix string }

// actions are what became of a message, in rising severity [MS-OXCMAIL] 2.2.3.7.1.1.
func actions() []action {
	return []action{{"delivered", ".DR"}, {"expanded", ".Expanded.DR"}, {"relayed", ".Relayed.DR"}, {"delayed", ".Delayed.DR"}, {"failed", ".NDR"}}
}

// severityOf an action; one that is not known is a failure.
func severityOf(name string) int {
	for i, a := range actions() {
		if strings.HasPrefix(strings.ToLower(name), a.name) {
			return i
		}
	}
	return len(actions()) - 1
}

// reported is the row of a recipient that a report tells of.
func reported(group header, row int32) mapi.Bag {
	address := group.get("original-recipient")
	if address == "" {
		address = group.get("final-recipient")
	}
	b := recipient(mapi.Address{Email: afterType(address)}, mapi.RecipientTo, row)
	status, _, _ := strings.Cut(group.get("status"), " ")
	if code := statusCode(status); code != 0 {
		b = append(b, mapi.NewInt32(idStatusCode, code), mapi.NewInt32(idReasonCode, 0), mapi.NewInt32(idDiagnosticCode, noDiagnostic))
	}
	remote, info := afterType(group.get("remote-mta")), group.get("x-supplementary-info")
	if info == "" { // [MS-OXCMAIL] 2.2.3.7.1.2
		info = strings.TrimRight(fmt.Sprintf("<%s #%s %s", remote, status, group.get("diagnostic-code")), " ") + ">"
	}
	b = append(b, mapi.NewText(idSupplementary, info))
	if remote != "" {
		b = append(b, mapi.NewText(idRemoteAgent, remote))
	}
	return b
}

// afterType is the value of a field without the type in front [RFC 3464] 2.1.2.
func afterType(s string) string {
	if _, value, found := strings.Cut(s, ";"); found {
		s = value
	}
	return strings.Trim(s, " \t<>")
}

// statusCode writes 5.1.1 as 511; 0 where a digit does not do [MS-OXOMSG] 2.2.2.
func statusCode(s string) int32 {
	var code int32
	parts := strings.Split(s, ".")
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > 9 {
			return 0
		}
		code = code*10 + int32(n)
	}
	if len(parts) != 3 {
		return 0
	}
	return code
}

// readDisposition: what became of a message at its reader [RFC 8098] 3.
func readDisposition(data []byte) (*mapi.Message, error) {
	h, _, _ := splitHeader(data)
	mode, what, found := strings.Cut(h.get("disposition"), ";")
	if !found {
		return nil, errNoReport
	}
	what = strings.TrimSpace(what)
	kind, _, _ := strings.Cut(strings.ToLower(what), "/")
	class := classNotRead
	if kind == "displayed" || kind == "processed" || kind == "dispatched" {
		class = classRead
	}
	b := mapi.Bag{mapi.NewText(mapi.PidTagMessageClass, class), mapi.NewText(idOriginalClass, "IPM.Note"),
		mapi.NewText(idDisposition, what), mapi.NewText(idDispositionMode, strings.TrimSpace(mode))}
	if id := h.get("original-message-id"); id != "" {
		b = append(b, mapi.NewText(idOriginalID, id))
	}
	return &mapi.Message{Properties: b}, nil
}

// stamp says when: the report was made when it was sent [MS-OXCMAIL] 2.2.3.7.1.
func stamp(m *mapi.Message) {
	sent := m.Sent()
	for i := range m.Recipients {
		if sent.IsZero() {
			return
		}
		m.Recipients[i].Set(mapi.NewTime(idReportTime, sent))
		if !strings.HasSuffix(m.Class(), ".NDR") {
			m.Recipients[i].Set(mapi.NewTime(idDeliverTime, sent))
		}
	}
}

// original adds what the message says that the report came with, or its header.
func (c *content) original(list []mapi.Attachment) {
	for i := range list {
		a := &list[i]
		in := a.Embedded
		if in == nil && strings.EqualFold(a.Properties.Text(mapi.PidTagAttachMimeTag), "text/rfc822-headers") {
			h, _, _ := splitHeader(a.Properties.Binary(mapi.PidTagAttachData))
			in = &mapi.Message{Properties: fieldProperties(h), Recipients: recipients(h)}
		}
		if in == nil {
			continue
		}
		c.add(mapi.NewText(idOriginalSubject, in.Subject()))
		if id := in.MessageID(); id != "" {
			c.add(mapi.NewText(idOriginalID, id))
		}
		if t := in.Sent(); !t.IsZero() {
			c.add(mapi.NewTime(idOriginalSubmit, t))
		}
		if to := in.To(); len(to) > 0 {
			c.add(mapi.NewText(idOriginalTo, joinAddresses(to)))
		}
		return
	}
}

func joinAddresses(list []mapi.Address) string {
	var b strings.Builder
	for i, a := range list {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(display(a))
	}
	return b.String()
}

// report lays out a report of which no skeleton is known, or that was changed
// [RFC 3462] 3: the text, the status, what was returned.
func (e *writer) report(m *mapi.Message, body *node, others []*node) *node {
	if body == nil {
		body = plainNode(m.Properties.Text(idReportText))
	}
	kind, text := "delivery-status", deliveryStatus(m)
	if upper := strings.ToUpper(m.Class()); strings.HasSuffix(upper, "RN") {
		kind, text = "disposition-notification", disposition(m)
	}
	status := textNode("plain", "utf-8", []byte(text.text()))
	status.kind = "message/" + kind
	return e.multipart("report; report-type="+kind, "", append([]*node{body, status}, others...)...)
}

// deliveryStatus is the fields of a report of delivery, groups apart by an empty
// line [MS-OXCMAIL] 2.1.3.6.1.
func deliveryStatus(m *mapi.Message) header {
	agent := oneLine(m.Properties.Text(idReportingAgent))
	if agent == "" {
		agent = "dns; unknown"
	}
	h := header{newField("Reporting-MTA", agent)}
	action := "failed"
	class := strings.ToUpper(m.Class())
	for _, a := range actions() {
		if strings.HasSuffix(class, strings.ToUpper(a.suffix)) {
			action = a.name // the longest suffix comes last
		}
	}
	rows := m.To()
	for _, row := range m.Recipients {
		if mapi.RecipientKind(row) != mapi.RecipientTo || len(rows) == 0 {
			continue
		}
		address := rows[0].Email
		rows = rows[1:]
		h = append(h, field{lines: "\r\n"}, newField("Final-Recipient", "rfc822; "+oneLine(address)), newField("Action", action))
		info := oneLine(row.Text(idSupplementary))
		_, told, _ := strings.Cut(strings.TrimSuffix(info, ">"), "#")
		status, diagnostic, _ := strings.Cut(told, " ")
		if code, ok := row.Int32(idStatusCode); ok && code >= 200 && code <= 599 && statusCode(status) != code {
			status = fmt.Sprintf("%d.%d.%d", code/100, code/10%10, code%10)
		}
		if status == "" {
			status = map[string]string{"failed": "5.0.0", "delayed": "4.0.0"}[action]
		}
		h = append(h, newField("Status", cmp.Or(status, "2.0.0")))
		for _, f := range [][2]string{{"Diagnostic-Code", diagnostic}, {"Remote-MTA", oneLine(row.Text(idRemoteAgent))}, {"X-Supplementary-Info", info}} {
			if f[0] == "Remote-MTA" && f[1] != "" {
				f[1] = "dns; " + f[1]
			}
			if f[1] != "" {
				h = append(h, newField(f[0], f[1]))
			}
		}
	}
	return h
}

// disposition is the fields of a notification of reading.
func disposition(m *mapi.Message) header {
	b := m.Properties
	what, mode := oneLine(b.Text(idDisposition)), oneLine(b.Text(idDispositionMode))
	if what == "" {
		what = "displayed"
		if strings.HasSuffix(strings.ToUpper(m.Class()), "NNRN") {
			what = "deleted"
		}
	}
	if mode == "" {
		mode = "manual-action/MDN-sent-manually"
	}
	h := header{newField("Final-Recipient", "rfc822; "+oneLine(m.From().Email))}
	if id := oneLine(b.Text(idOriginalID)); id != "" {
		h = append(h, newField("Original-Message-ID", id))
	}
	return append(h, newField("Disposition", mode+"; "+what))
}
