package exchangetest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// writeWhole sends the failures that know no protocol.
func writeWhole(w http.ResponseWriter, d Fault) {
	h := w.Header()
	switch d.Action {
	case ActionStatus:
		if d.RetryAfterSeconds > 0 {
			h.Set("Retry-After", strconv.Itoa(d.RetryAfterSeconds))
		}
		if d.Status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Basic realm="exchangetest"`)
		}
		w.WriteHeader(d.Status)
	case ActionHTML:
		writePage(w, d.Status)
	case ActionRedirect:
		h.Set("Location", d.Location)
		w.WriteHeader(max(d.Status, http.StatusFound))
	case ActionErrorPage:
		h.Set("Location", "/ews/genericerrorpage.htm?aspxerrorpath=/ews/exchange.asmx")
		w.WriteHeader(http.StatusFound)
	case ActionEndless:
		writeEndless(w, d.AfterBytes)
	case ActionWrongLength:
		h.Set("Content-Type", "text/xml; charset=utf-8")
		h.Set("Content-Length", "65536")
		io.WriteString(w, xmlDeclaration+"<s:Envelope") // the connection is closed for what is missing
	case ActionEntityBomb:
		h.Set("Content-Type", "text/xml; charset=utf-8")
		writeEntityBomb(w)
	}
}

// writeEndless goes on until the client goes, or until a number of bytes if it is not 0.
func writeEndless(w http.ResponseWriter, most int64) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	n, err := io.WriteString(w, xmlDeclaration+`<s:Envelope xmlns:s="`+nsSOAP+`"><s:Body>`)
	piece := strings.Repeat("<a>endless</a>", 2048)
	for sent := int64(n); err == nil && (most == 0 || sent < most); sent += int64(n) {
		n, err = io.WriteString(w, piece)
	}
	panic(http.ErrAbortHandler)
}

// writeEntityBomb makes two to the power of forty letters out of a page.
func writeEntityBomb(w io.Writer) {
	fmt.Fprint(w, xmlDeclaration, `<!DOCTYPE s:Envelope [<!ENTITY e0 "x">`)
	for i := range 40 {
		fmt.Fprintf(w, `<!ENTITY e%d "&e%d;&e%d;">`, i+1, i, i)
	}
	fmt.Fprint(w, `]><s:Envelope xmlns:s="`+nsSOAP+`"><s:Body>&e40;</s:Body></s:Envelope>`)
}
