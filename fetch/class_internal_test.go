package fetch

import (
	"errors"
	"testing"

	"mailbrick/fetch/ews"
	"mailbrick/fetch/graph"
)

// TestOneItemRefusedEndsNoRun: what a server answers for one item of many is that item's, however final it sounds.
func TestOneItemRefusedEndsNoRun(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"item of a remote archive": itemError(&ews.Error{Code: "ErrorExportRemoteArchiveItemsFailed", Status: 200}),
		"access, EWS":              itemError(&ews.Error{Code: "ErrorAccessDenied", Status: 200}),
		"access, Graph":            graphItemError(&graph.Error{Code: "ErrorAccessDenied", Status: 200}),
	} {
		if !errors.Is(err, ErrItem) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := itemError(&ews.Error{Code: "ErrorPasswordExpired", Status: 200}); errors.Is(err, ErrItem) || errors.Is(err, ErrAgain) {
		t.Errorf("the account's: %v", err)
	}
}
