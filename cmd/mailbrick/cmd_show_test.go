package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/mapi"
	"mailbrick/fetch/mapi/fasttransfer"
)

// TestShowOfACrowd: of an item of very many parts as much is shown as has room, and what is not shown is told of.
func TestShowOfACrowd(t *testing.T) {
	t.Parallel()
	for n, all := range map[int]bool{1000: true, 500_000: false} {
		var blob strings.Builder
		m := &mapi.Message{Recipients: slices.Repeat([]mapi.Bag{{mapi.NewInt32(mapi.PidTagRecipientType, 1)}}, n)}
		if err := fasttransfer.Encode(&blob, m, fasttransfer.EncodeOptions{}); err != nil {
			t.Fatal(err)
		}
		told := ""
		read, err := readMessage(strings.NewReader(blob.String()), func(format string, args ...any) { told += fmt.Sprintf(format, args...) })
		if err != nil || all != (len(read.Recipients) == n) || all == strings.Contains(told, "left out") {
			t.Errorf("%d recipients: %d shown, %q, %v", n, len(read.Recipients), told, err)
		}
	}
}
