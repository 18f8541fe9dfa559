package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"mailbrick/archive"
	"mailbrick/archive/blob"
	"mailbrick/archive/blob/s3"
	"mailbrick/archive/seal"
	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/graph"
	"mailbrick/index"
	"mailbrick/index/kql"
)

const (
	exitFailed    = 1
	exitUsage     = 2
	exitPartly    = 3
	exitNoArchive = 10
	exitInUse     = 11
	exitWrongKey  = 12

	exitCodes = "0 done; 1 failed; 2 usage; 3 done, with failed items or mailboxes (listed); 10 no archive there; " +
		"11 in use by another writer; 12 wrong key."
)

// errPartly says that the work is done but for what was listed.
var errPartly = errors.New("done, but not everything: what failed is listed above")

// errRefusedParts says that all is done but what the server lets nobody read who asks with these rights.
var errRefusedParts = errors.New("done, but for parts that the server refuses: they are listed above")

// verdict is what a kind of error means to a person: the exit code and what to do.
type verdict struct {
	is   error
	code int
	hint string
}

// verdicts are looked through from the top: the first that fits speaks.
var verdicts = [...]verdict{
	{errPartly, exitPartly, "run the same command again: it takes up what failed"},
	{errRefusedParts, exitPartly, "running it again does not help where a right is missing: give it to the account (docs/sources.md), or do not ask for that part"},
	{context.Canceled, exitFailed, "interrupted; what had come in is kept, and the next run goes on from there"},
	{s3.ErrDenied, exitFailed, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; docs/operation.md lists the rights that they need"},
	{fs.ErrPermission, exitFailed, "this user may not read or write there: run it as the one whose files these are, or give him the right"},
	{s3.ErrNoBucket, exitNoArchive, "make the bucket with your store's tools, or name another with --archive; AWS_ENDPOINT_URL says which store"},
	{s3.ErrUnavailable, exitFailed, "check the network and AWS_ENDPOINT_URL, and run the same command again; nothing that was committed is lost"},
	{s3.ErrCondition, exitFailed, "two writers would destroy each other's work there: use a store that heeds it, as Amazon S3 does"},
	{archive.ErrNoArchive, exitNoArchive, "make one with `mailbrick init`, or name another with --archive or MAILBRICK_ARCHIVE"},
	{archive.ErrNotArchive, exitNoArchive, "name an archive with --archive or MAILBRICK_ARCHIVE"},
	{archive.ErrExists, exitFailed, "an archive is made in an empty folder or a new one; in a bucket, under a prefix of its own"},
	{archive.ErrInUse, exitInUse, "wait for the other process to end, or give --wait a longer time"},
	{archive.ErrConflict, exitInUse, "another machine writes this mailbox; let one of them do it"},
	{archive.ErrWrongKey, exitWrongKey, "give the archive's password with --password-file or MAILBRICK_PASSWORD, or a holder's key with --identity"},
	{archive.ErrLastHolder, exitFailed, "add another holder first: `mailbrick key add`"},
	{archive.ErrNotEncrypted, exitFailed, "it was made with --insecure-no-encryption; whoever has its files can read it"},
	{archive.ErrUnexplained, exitFailed, "`mailbrick key list` and `log` show who is there and who was added; remove whom you do not know (`key remove`), or add him again, and rotate then"},
	{archive.ErrKeysChanged, exitInUse, "run the same command again"},
	{archive.ErrClock, exitFailed, "set this machine's clock right; if the time of the last record is the wrong one, MAILBRICK_ANY_CLOCK=1 goes on from it"},
	{seal.ErrPlugin, exitFailed, "the program age-plugin-NAME must be installed where commands are found"},
	{seal.ErrWorkFactor, exitFailed, "no Mailbrick makes such a file; somebody put it into the archive's keys/ folder"},
	{archive.ErrVersion, exitFailed, "a newer Mailbrick wrote this; use that one"},
	{archive.ErrRollback, exitFailed, "if an older copy was put back on purpose: `mailbrick rebuild --catalog --index` accepts it"},
	{archive.ErrPruned, exitFailed, "run the same command again: what it needs is stored again"},
	{archive.ErrHeld, exitFailed, "`mailbrick hold list` shows the holds; `forget` without --apply shows what would go"},
	{archive.ErrAlive, exitFailed, "the next backup would bring it back; --living forgets it all the same"},
	{archive.ErrNoKey, exitFailed, "put a copy of the archive's keys/ folder back; without its key nobody opens the archive"},
	{errLeftAlone, exitPartly, "`mailbrick repair` mends what can be mended; then run the same command again"},
	{errMendable, exitFailed, "`mailbrick repair` mends it"},
	{errBeyondRepair, exitFailed, "put copies of these files back as they were; `mailbrick verify --read-all` names the items that need them"},
	{archive.ErrDamaged, exitFailed, "`mailbrick repair` mends what can be mended; copies of packs/ and journal/ files can be put back as they are"},
	{archive.ErrHoldExists, exitFailed, "`mailbrick hold list` shows it; choose another name, or release it first"},
	{archive.ErrNoHold, exitFailed, "`mailbrick hold list` shows the holds there are"},
	{archive.ErrNotFound, exitFailed, "`mailbrick mailboxes`, `snapshots` and `ls` show what is there"},
	{blob.ErrLocked, exitFailed, "a lock of the object store keeps it; run the same command again when the lock has ended"},
	{blob.ErrFull, exitFailed, "make room and run the same command again; nothing that was committed is lost"},
	{index.ErrFull, exitFailed, "make room; the next command goes on with the index"},
	{index.ErrInUse, exitInUse, "wait for the other process to end"},
	{index.ErrDamaged, exitFailed, "`mailbrick rebuild --index` makes the index anew"},
	{ews.ErrCredentials, exitFailed, "check --user and --user-password-file; some servers want DOMAIN\\user or the address"},
	{ews.ErrNotExchange, exitFailed, "check the URL: it usually ends in /EWS/Exchange.asmx"},
	{auth.ErrInsecure, exitFailed, "use https; plain http is for this machine's own addresses only"},
}

// explain gives the exit code and the hint of an error.
func explain(err error) (code int, hint string) {
	var u *usage
	if errors.As(err, &u) {
		return exitUsage, "`mailbrick VERB --help` shows an example"
	}
	var p *policyMistake
	if errors.As(err, &p) {
		return exitUsage, "mend that line; `mailbrick retention --help` shows a policy"
	}
	var q *kql.Error
	if errors.As(err, &q) {
		return exitUsage, q.Hint
	}
	var a *auth.Error
	if errors.As(err, &a) && a.Hint() != "" {
		return exitFailed, a.Hint()
	}
	for _, v := range verdicts {
		if errors.Is(err, v.is) {
			return v.code, v.hint
		}
	}
	var g *graph.Error
	if errors.As(err, &g) {
		return exitFailed, g.Hint()
	}
	var e *ews.Error
	if errors.As(err, &e) {
		return exitFailed, e.Hint()
	}
	return exitFailed, ""
}

// report tells an error to a person or a program and gives the exit code.
func report(talk io.Writer, asJSON bool, err error) int {
	if err == nil {
		return 0
	}
	code, hint := explain(err)
	if asJSON {
		line, _ := json.Marshal(struct { // three plain fields always marshal
			Error string `json:"error"`
			Hint  string `json:"hint"`
			Code  int    `json:"code"`
		}{err.Error(), hint, code})
		fmt.Fprintf(talk, "%s\n", line)
		return code
	}
	fmt.Fprintf(talk, "mailbrick: %s\n", plain(strings.ReplaceAll(err.Error(), "\n", "; "))) // errors that are joined
	if hint != "" {
		fmt.Fprintf(talk, "hint: %s\n", plain(hint))
	}
	return code
}
