package fetch_test

import (
	"strings"

	"mailbrick/fetch/exchangetest"
)

// Operations of a backup, by protocol.
const (
	soapOperations  = "GetFolder FindFolder SyncFolderItems ExportItems"
	graphOperations = "graph.settings graph.getFolder graph.listFolders graph.listChildFolders graph.itemDelta graph.exportItems"
	allOperations   = soapOperations + " " + graphOperations
	exports         = "ExportItems graph.exportItems"
)

// weather is every fault of the simulator upon what a backup asks for, by chance. One request in eight is struck where foul
// is 1.
func weather(seed uint64, foul float64) (list []exchangetest.Fault) {
	for _, kind := range kindsOfWeather() {
		for _, f := range kind.faults {
			for _, op := range strings.Fields(kind.operations) {
				f.Operation, f.Probability, f.Times = op, kind.chance*foul/float64(len(kind.faults)), -1
				f.Seed = seed<<8 + uint64(len(list))
				list = append(list, f)
			}
		}
	}
	return list
}

// kindOfWeather are faults that share a chance.
type kindOfWeather struct {
	operations string
	chance     float64
	faults     []exchangetest.Fault
}

// codes are faults of an action that differ by code alone.
func codes(like exchangetest.Fault, names string) (list []exchangetest.Fault) {
	for _, name := range strings.Fields(names) {
		like.Code = name
		list = append(list, like)
	}
	return list
}

func kindsOfWeather() []kindOfWeather {
	fault := exchangetest.Fault{Action: exchangetest.ActionFault}
	item := exchangetest.Fault{Action: exchangetest.ActionItemError}
	answer := func(status int) exchangetest.Fault {
		return exchangetest.Fault{Action: exchangetest.ActionFault, Status: status}
	}
	status := func(status, retryAfter int) exchangetest.Fault {
		return exchangetest.Fault{Action: exchangetest.ActionStatus, Status: status, RetryAfterSeconds: retryAfter}
	}
	one := func(f exchangetest.Fault) []exchangetest.Fault { return []exchangetest.Fault{f} }
	only := func(a exchangetest.Action) []exchangetest.Fault { return one(exchangetest.Fault{Action: a}) }
	return []kindOfWeather{
		// Throttling, in all its forms. ews.md 14, graph.md 7
		{soapOperations, 0.02, append(codes(fault, "ErrorServerBusy ErrorTooManyObjectsOpened ErrorExceededConnectionCount ErrorTimeoutExpired ErrorInsufficientResources ErrorExceededFindCountLimit"),
			exchangetest.Fault{Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 4000},
			exchangetest.Fault{Action: exchangetest.ActionFault, Code: "ErrorInternalServerError", Inner: "ErrorServerBusy"},
			exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", BackOffMilliseconds: 3000})},
		{"SyncFolderItems", 0.005, one(exchangetest.Fault{Action: exchangetest.ActionItemError, Code: "ErrorServerBusy", BackOffMilliseconds: 31017})}, // ConcurrentSyncCalls
		{graphOperations, 0.01, append(codes(answer(429), "ApplicationThrottled TooManyRequests activityLimitReached"), codes(answer(503), "ErrorServerBusy serviceNotAvailable ErrorInsufficientResources")...)},
		{allOperations, 0.02, []exchangetest.Fault{status(429, 7), status(429, 0), status(503, 11), status(503, 0), status(504, 0), status(502, 0), status(500, 0), status(408, 0), status(401, 0)}},
		// Passing errors, and those of a store that moves or fails over. ews.md 15
		{soapOperations, 0.015, codes(fault, "ErrorInternalServerTransientError ErrorADUnavailable ErrorConnectionFailed ErrorRequestAborted ErrorInternalServerError ErrorBatchProcessingStopped ErrorNobodyKnows "+
			"ErrorMailboxStoreUnavailable ErrorMailboxFailover ErrorMailboxMoveInProgress")},
		{graphOperations, 0.015, append(codes(answer(503), "ErrorMailboxStoreUnavailable ErrorMailboxFailover ErrorMailboxMoveInProgress"), codes(answer(500), "ErrorInternalServerError UnknownError generalException ErrorNobodyKnows")...)},
		{soapOperations, 0.001, append(codes(fault, "ErrorNoRespondingCASInDestinationSite ErrorWrongServerVersion ErrorProxyServiceDiscoveryFailed ErrorInvalidServerVersion"),
			exchangetest.Fault{Action: exchangetest.ActionMove}, exchangetest.Fault{Action: exchangetest.ActionFailover})},
		// Connections and those in between.
		{allOperations, 0.02, []exchangetest.Fault{
			{Action: exchangetest.ActionCut}, {Action: exchangetest.ActionCut, AfterBytes: 900}, {Action: exchangetest.ActionHTML}, {Action: exchangetest.ActionHTML, Status: 503},
			{Action: exchangetest.ActionErrorPage}, {Action: exchangetest.ActionRedirect, Location: "http://elsewhere.example/"}, {Action: exchangetest.ActionEndless, AfterBytes: 1 << 18},
			{Action: exchangetest.ActionWrongLength}, {Action: exchangetest.ActionEntityBomb}, {Action: exchangetest.ActionStall, DelayMilliseconds: 40_000},
			{Action: exchangetest.ActionStall, DelayMilliseconds: 1_000_000}}},
		// The authority.
		{"token", 0.2, []exchangetest.Fault{status(503, 3), status(429, 5), status(500, 0), {Action: exchangetest.ActionHTML}}},
		// Items.
		{exports, 0.01, codes(item, "ErrorCorruptData ErrorItemCorrupt ErrorContentConversionFailed ErrorVirusDetected ErrorAccessDenied ErrorInternalServerError ErrorMessageSizeExceeded ErrorNobodyKnows")},
		{exports, 0.005, codes(exchangetest.Fault{Action: exchangetest.ActionItemError, BackOffMilliseconds: 2000, StopRest: true}, "ErrorServerBusy ErrorMailboxStoreUnavailable ErrorMailboxMoveInProgress ErrorTimeoutExpired")},
		{exports, 0.006, append(only(exchangetest.ActionTruncateInside), only(exchangetest.ActionTruncateEnd)...)},
		{exports, 0.02, only(exchangetest.ActionTruncateAfter)},
		{"graph.exportItems", 0.003, only(exchangetest.ActionNoData)},
		// States that are lost, and lists that are odd.
		{"SyncFolderItems", 0.01, codes(item, "ErrorInvalidSyncStateData")},
		{"graph.itemDelta", 0.01, append(codes(answer(410), "resyncRequired syncStateNotFound"), status(410, 0))},
		{"graph.itemDelta", 0.05, only(exchangetest.ActionEmptyPage)},
		{"graph.itemDelta", 0.05, only(exchangetest.ActionRepeat)},
		// What is not so: an item that is well is said to be gone, or other bytes come; the mailbox or the right to it is denied.
		{exports, 0.01, codes(item, "ErrorItemNotFound")},
		{exports, 0.001, only(exchangetest.ActionGarbage)},
		{"SyncFolderItems", 0.004, codes(item, "ErrorSyncFolderNotFound ErrorAccessDenied ErrorFolderCorrupt")},
		{"graph.itemDelta", 0.004, append(codes(answer(404), "ErrorFolderNotFound ErrorItemNotFound"), append(codes(answer(403), "ErrorAccessDenied"), codes(answer(400), "ErrorFolderCorrupt")...)...)},
		{"graph.listFolders graph.listChildFolders graph.getFolder", 0.004, codes(answer(404), "ErrorFolderNotFound ErrorItemNotFound")},
		{"GetFolder FindFolder", 0.004, codes(item, "ErrorFolderNotFound ErrorItemNotFound")},
		{soapOperations, 0.002, append(codes(fault, "ErrorNonExistentMailbox ErrorImpersonateUserDenied ErrorMailboxConfiguration ErrorAccessDenied ErrorSchemaValidation ErrorPasswordExpired"), status(456, 0))},
		{graphOperations, 0.002, append(codes(answer(404), "ErrorNonExistentMailbox ResourceNotFound"), codes(answer(403), "ErrorAccessDenied Authorization_RequestDenied")...)},
		{allOperations, 0.002, []exchangetest.Fault{status(403, 0), status(404, 0), status(413, 0), status(509, 0)}},
	}
}
