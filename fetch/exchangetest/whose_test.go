package exchangetest_test

import (
	"testing"

	"mailbrick/fetch/exchangetest"
)

// TestWhoseFolderWithoutImpersonation: a folder may say whose it is meant to be; the server never gives another's, nor
// the account's own in its place.
func TestWhoseFolderWithoutImpersonation(t *testing.T) {
	t.Parallel()
	c := newClient(t, exchangetest.Options{})
	c.server.AddAccount("anna", "secret")
	c.server.AddMailbox("bob@example.org")
	c.mailbox = "bob@example.org"
	bobs := c.folder("inbox")
	c.mailbox = ""
	named := func(address string) string {
		return `<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>` + address + `</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`
	}
	for _, test := range []struct{ name, user, folder, code string }{
		{"own", "anna", named(box), "NoError"},
		{"own in other letters", "anna", named("ANNA@example.org"), "NoError"},
		{"not named", "anna", distinguished("inbox"), "NoError"},
		{"another's", "anna", named("bob@example.org"), "ErrorAccessDenied"},
		{"nobody's", "anna", named("nobody@example.org"), "ErrorNonExistentMailbox"},
		{"another's by id", "anna", bobs.folder(), "ErrorNonExistentMailbox"},
		{"another's, account without a mailbox", "backup", named(box), "ErrorAccessDenied"},
		{"nobody's, account without a mailbox", "backup", named("nobody@example.org"), "ErrorNonExistentMailbox"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := *c
			c.t, c.user = t, test.user
			get := `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>` + test.folder + `</m:FolderIds></m:GetFolder>`
			equal(t, "GetFolder", c.one(c.do(get)), test.code)
			find := `<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:ParentFolderIds>` + test.folder + `</m:ParentFolderIds></m:FindFolder>`
			equal(t, "FindFolder", c.one(c.do(find)), test.code)
		})
	}
	c.user = "backup"
	both := `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>` + named(box) + distinguished("inbox") + bobs.folder() + `</m:FolderIds></m:GetFolder>`
	equal(t, "without a mailbox", codes(c.do(both)), []string{"ErrorAccessDenied", "ErrorNonExistentMailbox", "ErrorNonExistentMailbox"})
}
