package ews

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/wire"
)

const findPatience = 30 * time.Second // with one answer

// said is an answer, read.
type said struct {
	status   int
	body     []byte
	location string
	url      *url.URL
}

func (s *said) redirect() bool { return s.status >= 301 && s.status <= 308 && s.location != "" }

// send asks once and reads the answer. A page is never more than its status.
func (d *search) send(ctx context.Context, via http.RoundTripper, method, target, body string) (*said, error) {
	ctx, cancel := context.WithTimeout(ctx, findPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, d.failed("an address that cannot be asked", nil)
	}
	r.Header.Set("User-Agent", "Mailbrick")
	r.Header.Set("Accept-Encoding", "identity") // it is short, and nothing is to unpack to more than came
	if body != "" {
		r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	} else {
		r.Body, r.GetBody = http.NoBody, nil
	}
	resp, err := via.RoundTrip(r)
	if err != nil {
		return nil, d.unanswered(r.URL, err)
	}
	defer resp.Body.Close()
	s := &said{status: resp.StatusCode, location: resp.Header.Get("Location"), url: r.URL}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		return s, nil
	}
	s.body, err = io.ReadAll(wire.Limit(resp.Body, maxFound))
	if err != nil {
		return nil, d.unanswered(r.URL, err)
	}
	return s, nil
}

// unanswered is a candidate that is not there.
func (d *search) unanswered(u *url.URL, err error) error {
	var s *auth.Error
	if errors.As(err, &s) {
		e := d.failed("", s)
		e.hint = s.Hint()
		return e
	}
	e := d.failed(u.Scheme+"://"+u.Host, wire.PlainError(err, d.hide))
	switch hint := wire.TLSHint(err); {
	case hint != "":
		e.hint = hint
	case !errors.Is(err, wire.ErrTooLong):
		e.class = Transient
	}
	return e
}

// json asks the newer service, which wants no credentials.
func (d *search) json(ctx context.Context, host string) (string, error) {
	target := "https://" + host + "/autodiscover/autodiscover.json/v1.0/" + url.PathEscape(d.address) + "?Protocol=EWS"
	for {
		if d.asked("json", target) {
			return "", d.failed("", errLoop)
		}
		s, err := d.send(ctx, d.o.HTTP, http.MethodGet, target, "")
		if err != nil {
			return "", err
		}
		if !s.redirect() {
			return d.jsonAnswer(s)
		}
		next, found, err := d.follow(s.url, s.location)
		if err != nil || found {
			return next, err
		}
		target = next
	}
}

func (d *search) jsonAnswer(s *said) (string, error) {
	var answer struct{ Protocol, URL, ErrorCode string }
	if json.Unmarshal(s.body, &answer) != nil || answer.URL == "" && answer.ErrorCode == "" {
		return "", d.nothing(s)
	}
	if s.status == http.StatusOK && answer.URL != "" {
		return d.settle(answer.URL)
	}
	e := d.nothing(s)
	e.Code = word(d.hide(answer.ErrorCode))
	return "", e
}

func (d *search) nothing(s *said) *Error {
	e := d.failed(s.url.Scheme+"://"+s.url.Host+" knows nothing of it", nil)
	e.Status = s.status
	return e
}

// word is a code of a server's, if it is one.
func word(s string) string {
	if len(s) > 60 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F }) {
		return ""
	}
	return s
}

// unsafeRedirect asks by plain http where to go: only the direction is taken, and only to https.
func (d *search) unsafeRedirect(ctx context.Context) (string, error) {
	s, err := d.send(ctx, d.o.HTTP, http.MethodGet, "http://autodiscover."+d.domain+poxPath, "")
	if err != nil {
		return "", err
	}
	if !s.redirect() {
		return "", d.nothing(s)
	}
	next, found, err := d.follow(s.url, s.location)
	if err != nil || found {
		return next, err
	}
	return d.pox(ctx, next)
}

// services asks the servers that the domain names. Anybody may have forged that answer: it is a redirect as others.
func (d *search) services(ctx context.Context) (string, error) {
	list, err := d.o.LookupSRV(ctx, d.domain)
	if err != nil || len(list) == 0 {
		return "", nil // most domains have none
	}
	for _, s := range list[:min(len(list), fewServices)] {
		host := strings.TrimSuffix(s.Target, ".")
		if host == "" {
			continue
		}
		if s.Port != 443 {
			host += ":" + strconv.Itoa(int(s.Port))
		}
		next, found, err := d.follow(&url.URL{Scheme: "https", Host: d.domain}, poxURL(host))
		if err == nil && !found {
			next, err = d.pox(ctx, next)
		}
		if err == nil && next != "" || errors.Is(err, ErrCredentials) || d.over {
			return next, err
		}
		d.note(err)
	}
	return "", nil
}
