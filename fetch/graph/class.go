package graph

import (
	"net/http"
	"strings"
	"time"
)

// Class is what to do about an error.
type Class uint8

const (
	Transient Class = iota + 1 // try again soon
	BackOff                    // leave the mailbox alone for a while, then try again
	Resync                     // the delta link is worth nothing any more: list anew
	Gone                       // the item or folder is not there
	Item                       // this item only: record it and go on
	Full                       // the mailbox takes nothing more
	Permanent                  // nothing more for this mailbox in this run
	Shrink                     // ask for less at a time
	Auth                       // stop with this application
	Bug                        // the request is wrong; never send it again
	Exists                     // what was to be made is there
	Moved                      // it is in another part of the archive mailbox
)

func (c Class) String() string {
	names := [...]string{"", "transient", "back-off", "resync", "gone", "item", "full", "permanent", "shrink", "auth", "bug", "exists", "moved"}
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// classOfCode is the table of error codes: the whole of what the client and its callers decide by. Codes are compared
// without case: the same one comes in several. One that is not in it is judged by its status.
func classOfCode(code string) (Class, bool) {
	switch strings.ToLower(code) {
	case "applicationthrottled", "toomanyrequests", "activitylimitreached", "errorserverbusy", "errorexceededconnectioncount",
		"errortoomanyobjectsopened", "servicenotavailable", "serviceunavailable":
		return BackOff, true

	case "errorinternalservererror", "errorinternalservertransienterror", "errormailboxstoreunavailable", "errormailboxfailover",
		"errormailboxmoveinprogress", "errorinsufficientresources", "errorconnectionfailed", "errorrequestaborted",
		"errordatasourceoperation", "erroradunavailable", "erroradoperation", "generalexception", "unknownerror", "internalservererror",
		"errorbatchprocessingstopped":
		return Transient, true

	case "errortimeoutexpired", "errormessagesizeexceeded", "errordatasizelimitexceeded", "errorrequeststreamtoobig", "requestentitytoolarge":
		return Shrink, true

	case "resyncrequired", "syncstatenotfound", "syncstateinvalid", "errorinvalidsyncstatedata", "errorsyncfoldernotfound", "parameterdeltatokennotsupported":
		return Resync, true

	case "erroritemnotfound", "itemnotfound", "errorfoldernotfound", "errorparentfoldernotfound":
		return Gone, true

	case "errorcorruptdata", "erroritemcorrupt", "errorcontentconversionfailed", "errorpropertyupdate", "errorfoldercorrupt",
		"errorinvalididmalformed", "errorinvalidid", "errorinvalidchangekey", "errorirresolvableconflict", "errorstaleobject",
		"erroritemsave", "erroritemsavepropertyerror", "errorvirusdetected", "errorobjecttypechanged", "errorunsupportedtypeforconversion":
		return Item, true

	case "errorquotaexceeded", "errormessageperfoldercountreceivequotaexceeded":
		return Full, true

	case "erroraccessdenied", "accessdenied", "authorization_requestdenied", "erroraccountsuspend", "errororganizationaccessblocked",
		"resourcenotfound", "errorinvaliduser", "request_resourcenotfound", "mailboxnotenabledforrestapi", "mailboxnothostedinexchangeonline",
		"errornonexistentmailbox", "errormailboxconfiguration", "extensionerror", "errorinvalidlicense":
		return Permanent, true

	case "invalidauthenticationtoken", "unauthenticated", "authenticationerror", "unauthorized", "tokennotfound":
		return Auth, true

	case "errorinvalidrequest", "errorinvalidargument", "badrequest", "invalidrequest", "requestbroker--parseuri", "errorinvalidproperty",
		"unsupportedquerytype":
		return Bug, true

	case "errorfolderexists", "namealreadyexists":
		return Exists, true

	case "errorarchivefoldermovedpermanently":
		return Moved, true
	}
	return 0, false
}

// statusBandwidth is one of those that mean too much traffic.
const statusBandwidth = 509

// classOfStatus is the table of answers that carry no code we know.
func classOfStatus(status int) Class {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return Auth
	case http.StatusNotFound:
		return Gone
	case http.StatusConflict, http.StatusPreconditionFailed:
		return Item
	case http.StatusGone:
		return Resync
	case http.StatusRequestEntityTooLarge:
		return Shrink
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusBandwidth:
		return BackOff
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return Bug
	case http.StatusRequestTimeout, http.StatusFailedDependency:
		return Transient
	case http.StatusPermanentRedirect:
		return Moved
	}
	if status >= 500 {
		return Transient
	}
	return Permanent
}

// ofMailbox says whether the mailbox as a whole is away for a while.
func ofMailbox(code string) bool {
	switch strings.ToLower(code) {
	case "errormailboxstoreunavailable", "errormailboxmoveinprogress", "errormailboxfailover":
		return true
	}
	return false
}

// floorOf is the shortest first wait after a passing error.
func floorOf(code string) time.Duration {
	if ofMailbox(code) {
		return 30 * time.Second
	}
	return time.Second
}

// hintOf says what to do about a code that a person can do something about.
func hintOf(code string) string {
	switch strings.ToLower(code) {
	case "erroraccessdenied", "accessdenied", "authorization_requestdenied":
		return "the application lacks a permission or this mailbox is outside of its scope: docs/sources.md lists the rights"
	case "mailboxnotenabledforrestapi", "mailboxnothostedinexchangeonline", "extensionerror":
		return "the mailbox is not in Exchange Online, or has no licence: use --ews for mailboxes on-premises"
	case "errorinvaliduser", "request_resourcenotfound", "resourcenotfound", "errornonexistentmailbox":
		return "check the address: the tenant has no such user"
	case "errorquotaexceeded":
		return "the mailbox is full: an administrator must raise its quota"
	case "invalidauthenticationtoken", "unauthenticated":
		return "check tenant, client id and secret or certificate"
	}
	return ""
}
