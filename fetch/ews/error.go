package ews

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mailbrick/fetch/wire"
)

// What a caller decides by. All but context errors and the caller's own come inside an *Error.
var (
	// ErrTruncated: the answer or the data in it was cut. Nothing of the item may be kept; asking again later helps.
	ErrTruncated = errors.New("the server's answer is cut short")
	// ErrNotExchange: whatever answers there is no Exchange Web Services.
	ErrNotExchange = errors.New("the answer is not from Exchange Web Services")
	// ErrCredentials: user, password or token are refused. Asking again may lock the account.
	ErrCredentials = errors.New("the server refuses the credentials")
	// ErrUnknownOutcome: the answer to an upload was lost; the item may be in the folder or not. Look before sending again.
	ErrUnknownOutcome = errors.New("the outcome of the upload is not known")
)

// Error is what a server said no with, or what kept a request from its answer.
type Error struct {
	Code      string        // ResponseCode, "" if there was none
	Inner     string        // InnerErrorResponseCode, which tells more than ErrorInternalServerError
	Text      string        // the server's words, addresses taken out
	Operation string        // "ExportItems"
	Policy    string        // what of the throttling policy was exceeded ("MaxConcurrency"), "" if the server does not say
	BackOff   time.Duration // how long the server asks to be left alone, 0 if it does not say
	Status    int           // HTTP status, 0 if there was no answer

	hint  string
	cause error // a sentinel above, or what happened to the connection
	class Class // when neither code nor status tell it
	final bool  // asked again often enough
	split bool  // the request could be made smaller
	unmet bool  // nobody took the connection

	unsent bool // it was not sent
}

func (e *Error) Error() string {
	var b strings.Builder
	part := func(s string) {
		if s == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(s)
	}
	part(e.Operation)
	part(e.Code)
	part(e.Inner)
	if e.Code == "" && e.Status != 0 && e.Status != 200 {
		part(fmt.Sprintf("HTTP %d", e.Status))
	}
	part(e.Text)
	if e.cause != nil {
		part(e.cause.Error())
	}
	if e.BackOff > 0 {
		b.WriteString(fmt.Sprintf(" (asks for a pause of %v)", e.BackOff))
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.cause }

// Hint says to a person what to do, "" if there is nothing to say.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return hintOf(e.deciding())
}

// Class says what a caller does. What was asked again often enough is Item if it may be the item's fault, and Shrink if the
// request holds more than one thing, of which one may be why.
func (e *Error) Class() Class {
	class, known := e.rule()
	if !e.final || class != Transient {
		return class
	}
	switch {
	case e.Code != "" && (!known || e.Code == "ErrorInternalServerError"):
		return Item
	case e.split && !e.ofMailbox():
		return Shrink
	}
	return class
}

// Unanswered says that the server took the request, as often as it was sent, and did not do it: it said nothing, or that
// something passing was in the way, and nothing of the mailbox as a whole.
func (e *Error) Unanswered() bool {
	passing := e.Class() == Transient || e.deciding() == codeTimeout && !e.split
	return e.final && !e.unmet && !e.unsent && passing && !e.ofMailbox()
}

// Elsewhere says that this address may not be that of the mailbox any more: Autodiscover tells where it is now.
func (e *Error) Elsewhere() bool {
	switch e.deciding() {
	case "ErrorMailboxMoveInProgress", "ErrorNoRespondingCASInDestinationSite", "ErrorProxyRequestNotAllowed", "ErrorProxyServiceDiscoveryFailed",
		"ErrorCrossSiteRequest", "ErrorWrongServerVersion":
		return true
	}
	return e.Code == "" && e.Status/100 == 3 && e.Class() == Resync
}

// ofMailbox says whether the mailbox as a whole is away for a while.
func (e *Error) ofMailbox() bool {
	switch e.deciding() {
	case "ErrorMailboxStoreUnavailable", "ErrorMailboxFailover", "ErrorMailboxMoveInProgress":
		return true
	}
	return false
}

// rule gives the class of the table, and whether the table knows it.
func (e *Error) rule() (Class, bool) {
	if e.Code == "ErrorInternalServerError" && e.Inner != "" {
		if class, ok := classOfCode(e.Inner); ok {
			return class, true
		}
	}
	if e.Code != "" {
		return classOfCode(e.Code)
	}
	if e.class != 0 {
		return e.class, true
	}
	return classOfStatus(e.Status), true
}

// deciding gives the code that rule went by.
func (e *Error) deciding() string {
	if e.Code == "ErrorInternalServerError" && e.Inner != "" {
		if _, ok := classOfCode(e.Inner); ok {
			return e.Inner
		}
	}
	return e.Code
}

// code is what a server calls an error, if it is no secret.
func (c *Client) code(text string) string {
	if c.opts.Hide != nil {
		text = c.opts.Hide(text)
	}
	return wire.Code(text)
}

// scrub takes out of a server's text what is secret, the addresses that the user did not give, line breaks and excess.
func (c *Client) scrub(text string) string {
	if c.opts.Hide != nil {
		text = c.opts.Hide(text)
	}
	words := strings.Fields(text)
	for i, w := range words {
		switch {
		case strings.Contains(w, "eyJ"), strings.Contains(w, "TlRMTVNTUA"): // a token begins so, and what NTLM sends
			words[i] = "(secret)"
		case strings.Contains(w, "@") && !c.given(w):
			words[i] = "(address)"
		}
	}
	text = strings.ToValidUTF8(strings.Join(words, " "), "")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, text)
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return text
}

const maxErrorText = 400

// given says whether the user named this address.
func (c *Client) given(word string) bool {
	word = strings.Trim(word, "'\"<>()[].,;:")
	return word != "" && (strings.EqualFold(word, c.opts.Impersonate) || strings.EqualFold(word, c.opts.Mailbox) || strings.EqualFold(word, c.opts.User))
}
