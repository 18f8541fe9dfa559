package ews_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"mailbrick/fetch/ews"
)

// TestExchangeWhoseMailbox: without impersonation the mailbox that is wanted is opened or refused, never replaced by the
// account's own.
func TestExchangeWhoseMailbox(t *testing.T) {
	t.Parallel()
	s, impersonating := exchange(t)
	s.AddAccount("anne", "word")
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	annes := folders(t, impersonating)["Inbox"].ID
	for _, test := range []struct{ name, user, mailbox, code string }{
		{"not said", "anne", "", ""},
		{"own", "anne", mailbox, ""},
		{"another's", "anne", "bob@example.org", "ErrorAccessDenied"},
		{"nobody's", "anne", "nobody@example.org", "ErrorNonExistentMailbox"},
		{"account without a mailbox", "backup", mailbox, "ErrorAccessDenied"},
		{"nobody's, account without a mailbox", "backup", "nobody@example.org", "ErrorNonExistentMailbox"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := ews.New(ews.Options{URL: srv.URL, User: test.user, Password: "word", Mailbox: test.mailbox})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.GetFolders(t.Context(), ews.FolderRef{Distinguished: "inbox"})
			_, findErr := c.FindFolders(t.Context(), ews.FolderRef{Distinguished: "msgfolderroot"})
			if test.code == "" {
				if err != nil || findErr != nil || got[0].ID != annes {
					t.Errorf("%+v, %v, %v", got, err, findErr)
				}
				return
			}
			for _, err := range []error{err, findErr} {
				var e *ews.Error
				if !errors.As(err, &e) || e.Code != test.code || e.Hint() == "" {
					t.Errorf("%v, want %s", err, test.code)
				}
			}
		})
	}
}
