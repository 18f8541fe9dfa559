package graph

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What a caller decides by. All but context errors and the caller's own come inside an *Error.
var (
	// ErrTruncated: the answer or the data in it was cut. Nothing of the item may be kept; asking again later helps.
	ErrTruncated = errors.New("the server's answer is cut short")
	// ErrNotGraph: whatever answers there is no Microsoft Graph.
	ErrNotGraph = errors.New("the answer is not from Microsoft Graph")
	// ErrCredentials: the application or its token is refused.
	ErrCredentials = errors.New("the server refuses the credentials")
	// ErrInsecure: a token or mail would go over plain HTTP to another machine.
	ErrInsecure = errors.New("refusing to send a token over plain http")
	// ErrOtherHost: the server pointed to a host where nothing of ours may go.
	ErrOtherHost = errors.New("refusing to follow a link to another place")
	// ErrNationalCloud: the cloud has no API for the export of mailboxes.
	ErrNationalCloud = errors.New("this cloud has no mailbox export in Microsoft Graph")
	// ErrNoArchive: the user has no archive mailbox.
	ErrNoArchive = errors.New("there is no archive mailbox")
	// ErrUnknownOutcome: the answer to an import was lost; the item may be in the folder or not. Look before sending again.
	ErrUnknownOutcome = errors.New("the outcome of the import is not known")
)

// Error is what a server said no with, or what kept a request from its answer.
type Error struct {
	Code      string        // the most specific that the table knows, else the outermost; "" if there was none
	Text      string        // the server's words, addresses and links taken out
	Operation string        // "exportItems"
	BackOff   time.Duration // how long the server asks to be left alone, 0 if it does not say
	Status    int           // HTTP status, 0 if there was no answer

	target string // where a redirect leads
	hint   string
	cause  error // a sentinel above, or what happened to the connection
	class  Class // when neither code nor status tell it
	final  bool  // asked again often enough
	unmet  bool  // nobody took the connection
	unsent bool  // it was not sent
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
	if e.Code == "" && e.Status != 0 && e.Status/100 != 2 {
		part(fmt.Sprintf("HTTP %d", e.Status))
	}
	part(e.Text)
	if e.cause != nil {
		part(e.cause.Error())
	}
	if e.BackOff > 0 {
		fmt.Fprintf(&b, " (asks for a pause of %v)", e.BackOff)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.cause }

// Hint says to a person what to do, "" if there is nothing to say.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return hintOf(e.Code)
}

// Class says what a caller does. An error of the server's own making that did not pass may be the item's fault.
func (e *Error) Class() Class {
	class := e.rule()
	if e.final && class == Transient && e.internal() {
		return Item
	}
	return class
}

// internal says whether the server stumbled over what it was asked.
func (e *Error) internal() bool {
	return strings.EqualFold(e.Code, "ErrorInternalServerError") || e.Status == http.StatusInternalServerError && e.Code == ""
}

// Unanswered says that the server took the request, as often as it was sent, and did not do it: it said nothing, or that
// something passing was in the way, and nothing of the mailbox as a whole.
func (e *Error) Unanswered() bool {
	passing := e.Class() == Transient || e.timedOut()
	return e.final && !e.unmet && !e.unsent && passing && !ofMailbox(e.Code)
}

// timedOut asks for less at a time; where that is not possible it is a passing error.
func (e *Error) timedOut() bool { return strings.EqualFold(e.Code, "ErrorTimeoutExpired") }

func (e *Error) rule() Class {
	if e.class != 0 {
		return e.class
	}
	if class, ok := classOfCode(e.Code); ok {
		return class
	}
	if e.Status/100 == 2 {
		return Transient // the error of one item, of a code nobody knows
	}
	return classOfStatus(e.Status)
}

// scrub takes out of a server's text the addresses that the user did not give, links, tokens, line breaks and excess.
func (c *Client) scrub(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		switch {
		case strings.Contains(w, "://"), strings.Contains(strings.ToLower(w), "authtoken"), strings.Contains(w, "eyJ"):
			words[i] = "(link)"
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
	return word != "" && strings.EqualFold(word, c.opts.Mailbox)
}
