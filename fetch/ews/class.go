package ews

import (
	"net/http"
	"time"

	"mailbrick/fetch/throttle"
)

// Class is what to do about an error.
type Class uint8

const (
	Transient Class = iota + 1 // try again soon
	BackOff                    // leave the server alone for a while, then try again
	Resync                     // what we know of folders, state or place is outdated: find out anew, then try again
	Item                       // this item only: record it and go on
	Permanent                  // nothing more for this mailbox in this run
	Shrink                     // ask for less at a time
	Version                    // another schema version; the client sees to it
	Auth                       // stop with this account
	Bug                        // the request is wrong; never send it again
	OK                         // not an error to the caller: what he wants is there, or is not meant to be
)

func (c Class) String() string {
	names := [...]string{"", "transient", "back-off", "resync", "item", "permanent", "shrink", "version", "auth", "bug", "ok"}
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// classOfCode is the table of response codes: the whole of what the client and its callers decide by. A code that is
// not in it is Transient for a few tries and then the item's (Error.Class).
func classOfCode(code string) (Class, bool) {
	switch code {
	case "ErrorServerBusy", "ErrorExceededConnectionCount", "ErrorExceededSubscriptionCount", "ErrorTooManyObjectsOpened":
		return BackOff, true

	case "ErrorTimeoutExpired", "ErrorExceededFindCountLimit",
		"ErrorMessageSizeExceeded", "ErrorDataSizeLimitExceeded", "ErrorRequestStreamTooBig":
		return Shrink, true

	case "ErrorInternalServerTransientError", "ErrorADUnavailable", "ErrorADOperation", "ErrorInsufficientResources",
		"ErrorNotEnoughMemory", "ErrorConnectionFailed", "ErrorServiceUnavailable", "ErrorRequestAborted",
		"ErrorClientDisconnected", "ErrorDataSourceOperation", "ErrorMailboxStoreUnavailable", "ErrorMailboxFailover",
		"ErrorMailboxMoveInProgress", "ErrorInternalServerError", "ErrorBatchProcessingStopped":
		return Transient, true

	case "ErrorNoRespondingCASInDestinationSite", "ErrorProxyRequestNotAllowed",
		"ErrorProxyServiceDiscoveryFailed", "ErrorCrossSiteRequest", "ErrorWrongServerVersion",
		"ErrorFolderNotFound", "ErrorSyncFolderNotFound", "ErrorParentFolderNotFound", "ErrorToFolderNotFound",
		"ErrorInvalidSyncStateData",
		"ErrorSubscriptionNotFound", "ErrorInvalidSubscription", "ErrorExpiredSubscription", "ErrorMissedNotificationEvents",
		"ErrorReadEventsFailed", "ErrorInvalidWatermark", "ErrorNewEventStreamConnectionOpened",
		"ErrorSubscriptionUnsubscribed", "ErrorSubscriptionAccessDenied":
		return Resync, true

	case "ErrorItemNotFound",
		"ErrorInvalidChangeKey", "ErrorStaleObject", "ErrorIrresolvableConflict", "ErrorChangeKeyRequired",
		"ErrorChangeKeyRequiredForWriteOperations",
		"ErrorInvalidId", "ErrorInvalidIdEmpty", "ErrorInvalidIdMalformed", "ErrorInvalidIdMalformedEwsLegacyIdFormat",
		"ErrorInvalidIdMonikerTooLong", "ErrorInvalidIdNotAnItemAttachmentId", "ErrorInvalidIdReturnedByResolveNames",
		"ErrorInvalidIdStoreObjectIdTooLong", "ErrorInvalidIdTooManyAttachmentLevels", "ErrorInvalidIdXml",
		"ErrorCannotUseFolderIdForItemId", "ErrorCannotUseItemIdForFolderId",
		"ErrorCalendarCannotUseIdForOccurrenceId", "ErrorCalendarCannotUseIdForRecurringMasterId",
		"ErrorCorruptData", "ErrorItemCorrupt", "ErrorFolderCorrupt", "ErrorContentConversionFailed",
		"ErrorMimeContentConversionFailed", "ErrorPropertyUpdate", "ErrorUnsupportedTypeForConversion",
		"ErrorObjectTypeChanged", "ErrorVirusDetected", "ErrorCannotOpenFileAttachment",
		"ErrorRecurrenceHasNoOccurrence", "ErrorCalendarInvalidRecurrence",
		"ErrorItemSave", "ErrorItemSavePropertyError",
		"ErrorAccessDenied", "ErrorCreateItemAccessDenied", "ErrorCreateSubfolderAccessDenied":
		return Item, true

	case "ErrorNoDestinationCASDueToKerberosRequirements", "ErrorNoDestinationCASDueToSSLRequirements",
		"ErrorNoDestinationCASDueToVersionMismatch", "ErrorNoApplicableProxyCASServersAvailable",
		"ErrorMailboxConfiguration",
		"ErrorQuotaExceeded", "ErrorMessagePerFolderCountReceiveQuotaExceeded",
		"ErrorNonExistentMailbox", "ErrorMailRecipientNotFound", "ErrorMissingExchangePrincipal", "ErrorAccountDisabled",
		"ErrorInvalidSmtpAddress", "ErrorNonPrimarySmtpAddress",
		"ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorImpersonationFailed",
		"ErrorTokenSerializationDenied", "ErrorInvalidExchangeImpersonationHeaderData",
		"ErrorExportRemoteArchiveItemsFailed", "ErrorGetRemoteArchiveFolderFailed", "ErrorFindRemoteArchiveFolderFailed",
		"ErrorGetRemoteArchiveItemFailed",
		"ErrorOrganizationAccessBlocked", "ErrorInvalidLicense":
		return Permanent, true

	case "ErrorInvalidServerVersion", "ErrorIncorrectSchemaVersion", "ErrorInvalidSchemaVersionForMailboxVersion":
		return Version, true

	case "ErrorPasswordExpired", "ErrorPasswordChangeRequired":
		return Auth, true

	case "ErrorSchemaValidation", "ErrorInvalidRequest", "ErrorInvalidOperation", "ErrorInvalidPropertyRequest",
		"ErrorInvalidArgument":
		return Bug, true

	case "ErrorFolderExists", "ErrorArchiveMailboxNotEnabled", "NoError":
		return OK, true
	}
	return Transient, false
}

// classOfStatus is the table of answers that carry no code. 302 is here only if it does not lead to the server's page of
// errors, which is Transient.
func classOfStatus(status int) Class {
	switch status {
	case http.StatusUnauthorized, statusLocked, http.StatusProxyAuthRequired:
		return Auth
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return Resync
	case http.StatusRequestEntityTooLarge:
		return Shrink
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return BackOff
	case http.StatusBadRequest:
		return Bug
	case http.StatusRequestTimeout:
		return Transient
	}
	if status >= 500 {
		return Transient
	}
	return Permanent
}

// statusLocked is what Exchange Online says of an account that is locked or must change its password.
const statusLocked = 456

// codeTimeout asks for less at a time; where that is not possible it is a passing error.
const codeTimeout = "ErrorTimeoutExpired"

// Parts of the throttling policy, as servers name them, that bound requests at once.
const (
	policyCalls = "MaxConcurrency"
	policySyncs = "ConcurrentSyncCalls"
)

// loadOf is the table of what errors say about load. Requests that are too many at once need not be followed by a pause
// but by fewer at once.
func loadOf(e *Error) throttle.Kind {
	class, _ := e.rule()
	code := e.deciding()
	crowd := e.Policy == policyCalls || e.Policy == policySyncs
	switch {
	case code == "ErrorExceededConnectionCount", class == BackOff && crowd && e.BackOff == 0:
		return throttle.Crowded
	case class == BackOff:
		return throttle.Busy
	}
	switch code {
	case "ErrorTimeoutExpired", "ErrorExceededFindCountLimit", "ErrorInsufficientResources", "ErrorNotEnoughMemory":
		return throttle.Slow
	case "":
		if e.Status == http.StatusUnauthorized {
			return throttle.Slow // servers say that under load too; where it is the password, nothing more is sent anyway
		}
		return throttle.Lost
	}
	return throttle.Refused
}

// floorOf is the shortest first wait after an error of this class and code.
func floorOf(class Class, code string) time.Duration {
	switch {
	case code == "ErrorMailboxStoreUnavailable", code == "ErrorMailboxMoveInProgress":
		return time.Minute
	case code == "ErrorMailboxFailover":
		return 30 * time.Second
	case code == "ErrorExceededConnectionCount": // others of ours end soon and make room
		return time.Second
	case class == BackOff:
		return 10 * time.Second
	}
	return time.Second
}

// hintOf says what to do about a code that a person can do something about.
func hintOf(code string) string {
	switch code {
	case "ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorImpersonationFailed":
		return "give the account the right to impersonate this mailbox (ApplicationImpersonation, full_access_as_app)"
	case "ErrorNonExistentMailbox", "ErrorMailRecipientNotFound", "ErrorMissingExchangePrincipal":
		return "check the address: there is no such mailbox, or it is on another server"
	case "ErrorAccessDenied":
		return "the account has no right to this mailbox or folder: give it full access, or use impersonation"
	case "ErrorNonPrimarySmtpAddress":
		return "use the primary address of the mailbox"
	case "ErrorPasswordExpired", "ErrorPasswordChangeRequired":
		return "the account needs a new password"
	case "ErrorQuotaExceeded":
		return "the mailbox is full: an administrator must raise its quota"
	}
	return ""
}
