package ews

import "testing"

func TestClass(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		e    Error
		want Class
	}{
		{"busy", Error{Code: "ErrorServerBusy"}, BackOff},
		{"code before status", Error{Code: "ErrorServerBusy", Status: 500}, BackOff},
		{"not tried", Error{Code: "ErrorBatchProcessingStopped"}, Transient},
		{"folder gone", Error{Code: "ErrorSyncFolderNotFound"}, Resync},
		{"id", Error{Code: "ErrorInvalidIdMalformed"}, Item},
		{"id of a folder", Error{Code: "ErrorCannotUseFolderIdForItemId"}, Item},
		{"remote archive", Error{Code: "ErrorExportRemoteArchiveItemsFailed"}, Permanent},
		{"too large", Error{Code: "ErrorMessageSizeExceeded"}, Shrink},
		{"schema", Error{Code: "ErrorInvalidServerVersion"}, Version},
		{"password", Error{Code: "ErrorPasswordExpired"}, Auth},
		{"malformed", Error{Code: "ErrorSchemaValidation"}, Bug},
		{"exists", Error{Code: "ErrorFolderExists"}, OK},
		{"inner busy", Error{Code: "ErrorInternalServerError", Inner: "ErrorServerBusy"}, BackOff},
		{"inner quota", Error{Code: "ErrorInternalServerError", Inner: "ErrorQuotaExceeded"}, Permanent},
		{"inner unknown", Error{Code: "ErrorInternalServerError", Inner: "ErrorX"}, Transient},
		{"inner of another", Error{Code: "ErrorItemSave", Inner: "ErrorServerBusy"}, Item},
		{"unknown", Error{Code: "ErrorNeverHeardOf"}, Transient},
		{"unknown, asked often", Error{Code: "ErrorNeverHeardOf", final: true}, Item},
		{"internal, asked often", Error{Code: "ErrorInternalServerError", final: true}, Item},
		{"store, asked often", Error{Code: "ErrorMailboxStoreUnavailable", final: true}, Transient},
		{"cut, asked often", Error{class: Transient, final: true}, Transient},
		{"cut, asked often for many", Error{class: Transient, final: true, split: true}, Shrink},
		{"401", Error{Status: 401}, Auth},
		{"403", Error{Status: 403}, Permanent},
		{"404", Error{Status: 404}, Permanent},
		{"302", Error{Status: 302}, Resync},
		{"413", Error{Status: 413}, Shrink},
		{"429", Error{Status: 429}, BackOff},
		{"500", Error{Status: 500}, Transient},
		{"503", Error{Status: 503}, BackOff},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.e.Class(); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	c := &Client{opts: Options{Impersonate: "anne@example.org", User: "backup"}}
	got := c.scrub("Use 'Anne@example.org' or\n <bob@example.org>, not x.")
	if want := "Use 'Anne@example.org' or (address) not x."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e := &Error{Operation: "GetFolder", Status: 503, BackOff: 5e9, Text: "later"}
	if want := "GetFolder: HTTP 503: later (asks for a pause of 5s)"; e.Error() != want {
		t.Errorf("%q", e.Error())
	}
}

func TestMayBeOneItemsDoing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		e          Error
		class      Class
		unanswered bool
		elsewhere  bool
	}{
		{"silence", Error{final: true, class: Transient}, Transient, true, false},
		{"silence over many", Error{final: true, class: Transient, split: true}, Shrink, false, false},
		{"passing", Error{final: true, Code: "ErrorADUnavailable"}, Transient, true, false},
		{"passing, over many", Error{final: true, Code: "ErrorADUnavailable", split: true}, Shrink, false, false},
		{"time-out", Error{final: true, Code: "ErrorTimeoutExpired"}, Shrink, true, false},
		{"time-out over many", Error{final: true, Code: "ErrorTimeoutExpired", split: true}, Shrink, false, false},
		{"not asked often enough", Error{Code: "ErrorADUnavailable"}, Transient, false, false},
		{"nobody there", Error{final: true, class: Transient, unmet: true}, Transient, false, false},
		{"store away", Error{final: true, Code: "ErrorMailboxStoreUnavailable", split: true}, Transient, false, false},
		{"on the move", Error{final: true, Code: "ErrorMailboxMoveInProgress"}, Transient, false, true},
		{"another server", Error{Code: "ErrorProxyRequestNotAllowed"}, Resync, false, true},
		{"redirect", Error{Status: 302}, Resync, false, true},
		{"error page", Error{Status: 302, class: Transient}, Transient, false, false},
	} {
		if got := tt.e.Class(); got != tt.class || tt.e.Unanswered() != tt.unanswered || tt.e.Elsewhere() != tt.elsewhere {
			t.Errorf("%s: %v, unanswered %v, elsewhere %v", tt.name, got, tt.e.Unanswered(), tt.e.Elsewhere())
		}
	}
}
