package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestReportIsOneLine: an error is told in one line, and where it is several, each can be told from the next.
func TestReportIsOneLine(t *testing.T) {
	t.Parallel()
	var talk strings.Builder
	code := report(&talk, false, fmt.Errorf("export: %w", errors.Join(errors.New("disk\x1b[31m full"), errors.New("finish failed"))))
	if want := "mailbrick: export: disk [31m full; finish failed\n"; code != exitFailed || talk.String() != want {
		t.Fatalf("%d, %q, want %q", code, talk.String(), want)
	}
}
