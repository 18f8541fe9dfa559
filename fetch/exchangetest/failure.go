package exchangetest

import (
	"strconv"
	"time"
)

// failure is a request or a part of one that Exchange refuses. A part's failure
// is a response message; a whole request's is a SOAP fault.
type failure struct {
	code   string
	text   string
	values []value // t:Value elements of MessageXml
	class  string  // "" is Error
}

type value struct{ name, text string }

func fail(code string) *failure { return &failure{code: code, text: textOf(code)} }

func (f *failure) Error() string { return f.code }

// with adds a value that the client needs to act.
func (f *failure) with(name, text string) *failure {
	f.values = append(f.values, value{name, text})
	return f
}

// backOff tells the client how long to stay away.
func (f *failure) backOff(d time.Duration) *failure {
	if d <= 0 {
		return f
	}
	return f.with("BackOffMilliseconds", strconv.FormatInt(d.Milliseconds(), 10))
}

// stopped is what parts of a request get after one that stopped the batch.
func stopped() *failure {
	f := fail("ErrorBatchProcessingStopped")
	f.class = "Warning"
	return f
}

// textOf is the sentence Exchange sends with a code.
func textOf(code string) string {
	switch code {
	case "ErrorAccessDenied":
		return "Access is denied. Check credentials and try again."
	case "ErrorArchiveMailboxNotEnabled":
		return "This mailbox is not enabled for an archive."
	case "ErrorBatchProcessingStopped":
		return "Request processing stopped because of an error in a previous item."
	case "ErrorCannotUseFolderIdForItemId":
		return "Id must be an item Id."
	case "ErrorCannotUseItemIdForFolderId":
		return "Id must be a folder Id."
	case "ErrorChangeKeyRequiredForWriteOperations":
		return "The change key is required for this operation."
	case "ErrorContentConversionFailed", "ErrorMimeContentConversionFailed":
		return "Content conversion failed."
	case "ErrorCorruptData":
		return "Data is corrupt."
	case "ErrorCrossMailboxMoveCopy":
		return "Items cannot be moved or copied between mailboxes."
	case "ErrorDeleteDistinguishedFolder":
		return "Distinguished folders cannot be deleted."
	case "ErrorExceededConnectionCount":
		return "You have exceeded the available concurrent connections for your account.  Try again once your other requests have completed."
	case "ErrorExceededFindCountLimit":
		return "You have exceeded the maximum number of objects that can be returned by the Find operation. Use paging to reduce the result size and try your request again."
	case "ErrorTimeoutExpired":
		return "The request timed out. Try it again with fewer items."
	case "ErrorFolderExists":
		return "A folder with the specified name already exists."
	case "ErrorFolderNotFound", "ErrorToFolderNotFound", "ErrorParentFolderNotFound", "ErrorSyncFolderNotFound", "ErrorSavedItemFolderNotFound":
		return "The specified folder could not be found in the store."
	case "ErrorIncorrectSchemaVersion":
		return "The request is not supported in the schema version it was sent with."
	case "ErrorInternalServerError":
		return "An internal server error occurred. The operation failed."
	case "ErrorInvalidChangeKey":
		return "The change key is invalid."
	case "ErrorInvalidIdEmpty":
		return "Id must be non-empty."
	case "ErrorInvalidIdMalformed":
		return "Id is malformed."
	case "ErrorInvalidPropertyAppend":
		return "Append action is invalid for property."
	case "ErrorInvalidPropertyDelete":
		return "Delete action is invalid for property."
	case "ErrorInvalidPropertySet":
		return "Set action is invalid for property."
	case "ErrorInvalidRequest":
		return "The request is invalid."
	case "ErrorInvalidServerVersion":
		return "The specified server version is invalid."
	case "ErrorInvalidSyncStateData":
		return "Synchronization state data is corrupt or otherwise invalid."
	case "ErrorIrresolvableConflict":
		return "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item."
	case "ErrorItemCorrupt":
		return "The item is corrupt."
	case "ErrorItemNotFound":
		return "The specified object was not found in the store."
	case "ErrorMailboxStoreUnavailable":
		return "The mailbox database is temporarily unavailable."
	case "ErrorMessageDispositionRequired":
		return "Message disposition is required for messages."
	case "ErrorNoFolderClassOverride":
		return "The folder class cannot be overridden."
	case "ErrorNonExistentMailbox":
		return "The SMTP address has no mailbox associated with it."
	case "ErrorSchemaValidation":
		return "The request failed schema validation."
	case "ErrorServerBusy":
		return "The server cannot service this request right now. Try again later."
	case "ErrorUpdatePropertyMismatch":
		return "The property to update does not match the property that was given."
	}
	return "The operation failed with " + code + "."
}
