package ews

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/beevik/etree"

	"mailbrick/fetch/wire"
)

const (
	poxPath     = "/autodiscover/autodiscover.xml"
	poxRequest  = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
	poxResponse = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
)

func poxURL(host string) string { return "https://" + host + poxPath }

// pox asks the older service: first without credentials, which go only to who asks for them. [MS-OXDSCLI]
func (d *search) pox(ctx context.Context, target string) (string, error) {
	for {
		if d.asked("pox", target) {
			return "", d.failed("", errLoop)
		}
		s, err := d.poxSend(ctx, target)
		if err != nil {
			return "", err
		}
		if !s.redirect() {
			next, found, err := d.poxAnswer(ctx, s)
			if err != nil || found {
				return next, err
			}
			target = next
			continue
		}
		next, found, err := d.follow(s.url, s.location)
		if err != nil || found {
			return next, err
		}
		target = next
	}
}

func (d *search) poxSend(ctx context.Context, target string) (*said, error) {
	body, err := poxBody(d.address)
	if err != nil {
		return nil, err
	}
	s, err := d.send(ctx, d.o.HTTP, http.MethodPost, target, body)
	if err != nil || s.status != http.StatusUnauthorized {
		return s, err
	}
	if d.o.SignIn == nil {
		return nil, d.nothing(s)
	}
	via, err := d.o.SignIn(target)
	if err != nil {
		return nil, d.failed("", err)
	}
	defer wire.CloseIdle(via)
	s, err = d.send(ctx, via, http.MethodPost, target, body)
	if err == nil && s.status == http.StatusUnauthorized {
		e := d.failed("https://"+s.url.Host, ErrCredentials)
		e.Status, e.class, e.hint = s.status, Auth, credentialsHint
		return nil, e
	}
	return s, err
}

func poxBody(address string) (string, error) {
	doc := etree.NewDocument()
	doc.CreateProcInst("xml", `version="1.0" encoding="utf-8"`)
	root := doc.CreateElement("Autodiscover")
	root.CreateAttr("xmlns", poxRequest)
	r := root.CreateElement("Request")
	addText(r, "EMailAddress", address)
	addText(r, "AcceptableResponseSchema", poxResponse)
	return doc.WriteToString()
}

// poxDocument is the part of an answer that counts here.
type poxDocument struct {
	Response struct {
		Error struct {
			ErrorCode string
		}
		Account struct {
			Action       string
			RedirectAddr string
			RedirectURL  string `xml:"RedirectUrl"`
			Protocol     []poxProtocol
		}
	}
}

type poxProtocol struct {
	Type   string
	EwsURL string `xml:"EwsUrl"`
}

// readPOX reads an answer. A document with a DTD is refused: there are no entities but those of XML itself.
func readPOX(body []byte) (*poxDocument, bool) {
	var doc poxDocument
	if bytes.Contains(bytes.ToUpper(body), []byte("<!DOCTYPE")) || xml.Unmarshal(body, &doc) != nil {
		return nil, false
	}
	return &doc, true
}

// ewsURL is the address for machines outside, else that for those inside. [MS-OXDSCLI] 2.2.4.1.1.2.6.38
func (p *poxDocument) ewsURL() string {
	for _, kind := range []string{"EXPR", "EXHTTP", "EXCH"} {
		for _, protocol := range p.Response.Account.Protocol {
			if strings.TrimSpace(protocol.Type) == kind && strings.TrimSpace(protocol.EwsURL) != "" {
				return protocol.EwsURL
			}
		}
	}
	return ""
}

// poxAnswer takes what an answer says: the address, or where to ask next.
func (d *search) poxAnswer(ctx context.Context, s *said) (next string, found bool, err error) {
	doc, ok := readPOX(s.body)
	if !ok || s.status != http.StatusOK {
		return "", false, d.nothing(s)
	}
	account := &doc.Response.Account
	switch action := strings.TrimSpace(account.Action); {
	case strings.EqualFold(action, "redirectUrl"):
		return d.follow(s.url, account.RedirectURL)
	case strings.EqualFold(action, "redirectAddr"):
		next, err = d.otherAddress(ctx, strings.TrimSpace(account.RedirectAddr))
		return next, true, err
	case doc.ewsURL() != "":
		next, err = d.settle(doc.ewsURL())
		return next, true, err
	}
	e := d.nothing(s)
	e.Code = word(d.hide(doc.Response.Error.ErrorCode))
	return "", false, e
}

// otherAddress begins anew with the address that a mailbox has elsewhere: one of the same domain, or of a tenant's.
func (d *search) otherAddress(ctx context.Context, address string) (string, error) {
	if d.hops++; d.hops > maxHops {
		return "", d.failed("", errLoop)
	}
	domain, ok := domainOf(address)
	switch {
	case !ok:
		return "", d.failed("a redirect to no address", nil)
	case strings.HasSuffix(domain, ".onmicrosoft.com"): // a mailbox that was moved to Exchange Online
		return OnlineURL, nil
	case !d.own(domain):
		return "", d.failed("leads to an address in "+domain+", which is not of "+d.root, ErrStrayRedirect)
	}
	d.address, d.domain = address, domain
	found, err := d.all(ctx)
	d.over = true
	return found, err
}
