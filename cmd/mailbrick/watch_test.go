package main

import (
	"bufio"
	stdbytes "bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailbrick/fetch/exchangetest"
)

// watching is a server, an archive and the programs that work on both.
type watching struct {
	*testing.T
	dir       string
	s         *exchangetest.Server
	url       string
	authority *httptest.Server
	process   *os.Process
	ended     chan error // of the watch at hand

	mu   sync.Mutex // guards what follows
	log  []map[string]any
	text strings.Builder
	more chan struct{} // closed and made anew with each line
}

const quick = "[watch]\npoll = \"30ms\"\npoll_most = \"60ms\"\nsettle = \"10ms\"\nretry = \"20ms\"\nretry_most = \"100ms\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n"

func newWatching(t *testing.T, mailboxes ...string) *watching {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("signals")
	}
	w := &watching{T: t, dir: t.TempDir(), s: exchangetest.New(exchangetest.Options{}), more: make(chan struct{})}
	w.s.AddAccount("backup", "secret")
	for _, m := range mailboxes {
		w.s.AddMailbox(m)
	}
	srv := httptest.NewServer(w.s)
	w.url = srv.URL
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close(); w.s.Close() })
	w.write("pw", "secret\n")
	w.write("app", "app-secret\n")
	w.authority = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { // its tokens are the account's password
		out.Header().Set("Content-Type", "application/json")
		io.WriteString(out, `{"token_type":"Bearer","expires_in":3600,"access_token":"secret"}`)
	}))
	t.Cleanup(w.authority.Close)
	w.write("archive-pw", "correct horse\n")
	if code, _, talk := w.mailbrick("", "init", "--insecure-no-encryption"); code != 0 {
		t.Fatal(talk)
	}
	return w
}

func (w *watching) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

// ews and graph are sources of the configuration.
func (w *watching) ews(mailboxes string) string {
	return fmt.Sprintf("[[source]]\nname=\"hq\"\news=%q\nuser=\"backup\"\nuser_password_file=\"pw\"\nimpersonate=true\nmailboxes=[%s]\n", w.url+exchangetest.Path, mailboxes)
}

func (w *watching) graph(mailboxes string) string {
	return fmt.Sprintf("[[source]]\nname=\"cloud\"\ngraph=%q\nauthority=%q\nclient_id=\"app\"\nclient_secret_file=\"app\"\nmailboxes=[%s]\n",
		w.url+exchangetest.GraphPath, w.authority.URL+"/contoso.example", mailboxes)
}

func (w *watching) config(text string) { w.write("config.toml", "archive = \"archive\"\n"+text) }

// mailbrick runs a verb on the archive in this process.
func (w *watching) mailbrick(in string, args ...string) (code int, out, talk string) {
	w.Helper()
	var o, e stdbytes.Buffer
	line := append([]string{"mailbrick"}, args...)
	if args[0] != "watch" {
		line = append(line, "--archive", filepath.Join(w.dir, "archive"), "--wait", "0s")
	}
	code = run(w.Context(), line, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

// start begins to watch in a process of its own: this test binary by the program's name.
func (w *watching) start(env ...string) {
	w.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"mailbrick", "watch", "--config", filepath.Join(w.dir, "config.toml")}
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = w.dir
	talk, err := cmd.StderrPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.process, w.ended = cmd.Process, make(chan error, 1)
	w.mu.Lock()
	w.log = nil
	w.mu.Unlock()
	ended := w.ended
	go func() {
		w.read(talk)
		ended <- cmd.Wait()
	}()
	w.Cleanup(func() { _ = cmd.Process.Kill() })
}

func (w *watching) read(talk io.Reader) {
	for s := bufio.NewScanner(talk); s.Scan(); {
		line := map[string]any{}
		if json.Unmarshal(s.Bytes(), &line) != nil {
			line["plain"] = s.Text()
		}
		w.mu.Lock()
		w.text.WriteString(s.Text() + "\n")
		w.log = append(w.log, line)
		close(w.more)
		w.more = make(chan struct{})
		w.mu.Unlock()
	}
}

const enough = 30 * time.Second

// until waits for a line of the log that comes after those at hand at the last call, and forgets those up to it.
func (w *watching) until(is func(line map[string]any) bool) map[string]any {
	w.Helper()
	deadline := time.After(enough)
	for {
		w.mu.Lock()
		for i, line := range w.log {
			if is(line) {
				w.log = w.log[i+1:]
				w.mu.Unlock()
				return line
			}
		}
		more := w.more
		w.mu.Unlock()
		select {
		case <-more:
		case <-deadline:
			w.Fatalf("it was not logged:\n%s", w.said())
		}
	}
}

func (w *watching) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// done waits until a run of a mailbox has brought so many items.
func (w *watching) done(mailbox string, added int) {
	w.Helper()
	for added > 0 {
		line := w.until(func(line map[string]any) bool { return line["msg"] == "mailbox done" && line["mailbox"] == mailbox })
		added -= int(line["added"].(float64))
	}
	if added < 0 {
		w.Errorf("%s: %d too many", mailbox, -added)
	}
}

func (w *watching) logged(msg string) map[string]any {
	w.Helper()
	return w.until(func(line map[string]any) bool { return line["msg"] == msg })
}

// stop ends the watch by a signal and waits for it.
func (w *watching) stop(how os.Signal) error {
	w.Helper()
	if err := w.process.Signal(how); err != nil {
		w.Fatal(err)
	}
	select {
	case err := <-w.ended:
		return err
	case <-time.After(enough):
		w.Fatalf("it does not end:\n%s", w.said())
	}
	return nil
}

// mail lets a message come.
func (w *watching) mail(mailbox, subject string) {
	w.Helper()
	body := `<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId><m:Items><t:Message><t:Subject>` + subject +
		`</t:Subject><t:Body BodyType="Text">the body of ` + subject + `</t:Body></t:Message></m:Items></m:CreateItem>`
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.url+exchangetest.Path, strings.NewReader(fmt.Sprintf(envelope, mailbox, body)))
	if err != nil {
		w.Fatal(err)
	}
	req.SetBasicAuth("backup", "secret")
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "NoError") {
		w.Fatalf("%v %s", err, text)
	}
}

const (
	ann = "ann@contoso.example"
	bob = "bob@contoso.example"
)

// TestWatchNotified: what happens on a server that tells is in the archive soon, though nobody asks.
func TestWatchNotified(t *testing.T) {
	t.Parallel()
	w := newWatching(t, ann, bob)
	w.config(strings.Replace(quick, "30ms", "10h", 1) + w.ews(`"`+ann+`","`+bob+`"`))
	w.mail(ann, "already there")
	w.start()
	w.done(ann, 1)
	for range 3 {
		w.mail(bob, "news")
		w.done(bob, 1)
	}
	w.mail(ann, "more")
	w.done(ann, 1)
	if err := w.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if code, out, talk := w.mailbrick("", "search", "--count", "news"); code != 0 || out != "3\n" {
		t.Error(code, out, talk)
	}
}

// TestWatchPolled: a server that tells nothing is asked.
func TestWatchPolled(t *testing.T) {
	t.Parallel()
	w := newWatching(t, ann)
	w.config(quick + w.graph(`"`+ann+`"`))
	w.start()
	w.logged("mailbox done")
	for range 2 {
		w.mail(ann, "news")
		w.done(ann, 1)
	}
	if err := w.stop(syscall.SIGINT); err != nil {
		t.Error(err)
	}
}

// TestWatchReload: mailboxes come and go, and a configuration that cannot be read changes nothing.
func TestWatchReload(t *testing.T) {
	t.Parallel()
	w := newWatching(t, ann, bob)
	w.config(quick + w.ews(`"`+ann+`"`))
	w.mail(ann, "one")
	w.mail(bob, "two")
	w.start()
	w.done(ann, 1)
	w.config("nonsense = 1\n" + quick + w.ews(`"`+ann+`"`))
	w.hangUp()
	if line := w.logged("configuration not read: the old one stays"); !strings.Contains(line["cause"].(string), "config.toml:2: nonsense is not known") {
		t.Error(line)
	}
	w.mail(ann, "three")
	w.done(ann, 1)
	w.config(quick + w.ews(`"`+bob+`"`))
	w.hangUp()
	w.logged("configuration read anew")
	w.done(bob, 1)
	w.mail(ann, "nobody looks")
	w.mail(bob, "four")
	w.done(bob, 1)
	// A password that has changed is read anew.
	w.s.AddAccount("other", "new secret")
	w.write("pw", "new secret\n")
	w.config(quick + strings.Replace(w.ews(`"`+bob+`"`), `"backup"`, `"other"`, 1))
	w.hangUp()
	w.logged("configuration read anew")
	w.mail(bob, "five")
	w.done(bob, 1)
	if err := w.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if _, out, _ := w.mailbrick("", "mailboxes", "--json"); !strings.Contains(out, `"items":2`) || !strings.Contains(out, `"items":3`) {
		t.Error(out)
	}
}

func (w *watching) hangUp() {
	w.Helper()
	if err := w.process.Signal(syscall.SIGHUP); err != nil {
		w.Fatal(err)
	}
}

// TestWatchStopped: a watch that is stopped or killed in the midst of a first backup goes on later, and nothing is there twice.
func TestWatchStopped(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]os.Signal{"terminated": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const items = 400
			w := newWatching(t, ann)
			if err := w.s.Make(ann, 4, items/4, 1000); err != nil {
				t.Fatal(err)
			}
			w.config(quick + w.ews(`"`+ann+`"`))
			w.start()
			for w.s.RequestsByOperation(ann)["ExportItems"] < 2 {
				time.Sleep(time.Millisecond) // for the condition
			}
			if err := w.stop(how); how == syscall.SIGTERM && err != nil {
				t.Error(err)
			}
			w.start()
			w.until(func(line map[string]any) bool {
				n, _ := line["items"].(float64)
				return line["msg"] == "mailbox done" && int(n) == items
			})
			if err := w.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if code, out, talk := w.mailbrick("", "verify"); code != 0 {
				t.Error(out, talk)
			}
		})
	}
}

// TestWatchOneFails: a mailbox that cannot be read is tried again, and does not keep the others waiting.
func TestWatchOneFails(t *testing.T) {
	t.Parallel()
	w := newWatching(t, ann, bob)
	w.s.AddFaults(exchangetest.Fault{Operation: "FindFolder", Mailbox: bob, Action: exchangetest.ActionFault, Code: "ErrorAccessDenied", Times: 3},
		exchangetest.Fault{Operation: "SyncFolderHierarchy", Mailbox: bob, Action: exchangetest.ActionFault, Code: "ErrorAccessDenied", Times: 3},
		exchangetest.Fault{Operation: "GetFolder", Mailbox: bob, Action: exchangetest.ActionFault, Code: "ErrorAccessDenied", Times: 3})
	w.config(quick + w.ews(`"`+bob+`","nobody@contoso.example","`+ann+`"`))
	w.mail(ann, "one")
	w.mail(bob, "two")
	w.start()
	w.until(func(line map[string]any) bool { return line["msg"] == "mailbox failed" && line["mailbox"] == bob })
	w.done(bob, 1)
	for range 3 {
		w.until(func(line map[string]any) bool {
			return line["msg"] == "mailbox failed" && line["mailbox"] == "nobody@contoso.example"
		})
	}
	w.mail(ann, "three")
	w.done(ann, 1)
	if err := w.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// TestWatchSocket: while a watch has the archive, verbs are run by it; what would change what it has open is not.
func TestWatchSocket(t *testing.T) {
	t.Parallel()
	w := newWatching(t, ann)
	w.config(quick + w.ews(`"`+ann+`"`))
	w.mail(ann, "the merger")
	w.start()
	w.done(ann, 1)
	if code, out, talk := w.mailbrick("", "search", "--json", "merger"); code != 0 || !strings.Contains(out, "the merger") {
		t.Fatal(code, out, talk)
	}
	_, out, _ := w.mailbrick("", "ls", "-m", ann, "--json")
	var item struct{ ID string }
	if err := json.Unmarshal([]byte(out), &item); err != nil {
		t.Fatal(err, out)
	}
	code, whole, _ := w.mailbrick("", "cat", item.ID)
	if code != 0 || len(whole) < 100 {
		t.Error(code, len(whole))
	}
	to := filepath.Join(t.TempDir(), "out")
	if code, _, talk := w.mailbrick(item.ID+"\n", "export", "--format", "blob", "-o", to, "-"); code != 0 {
		t.Error(code, talk)
	}
	var exported []byte
	filepath.Walk(to, func(p string, info os.FileInfo, err error) error {
		if err == nil && strings.HasSuffix(p, ".fts") {
			exported, err = os.ReadFile(p)
		}
		return err
	})
	if string(exported) != whole {
		t.Errorf("%d bytes exported, %d written by cat", len(exported), len(whole))
	}
	for _, args := range [][]string{{"stats", "--json"}, {"snapshots"}, {"versions", item.ID}, {"show", item.ID}, {"log"}, {"report", "exceptions"},
		{"hold", "add", "--name", "case", "--reason", "a claim", "--query", "merger", "--apply"}, {"hold", "list"}, {"hold", "show", "case"}, {"hold", "release", "case", "--reason", "over", "--apply"}} {
		if code, _, talk := w.mailbrick("", args...); code != 0 {
			t.Error(args, code, talk)
		}
	}
	for want, args := range map[int][]string{exitFailed: {"ls", "-m", "nobody@contoso.example"}, exitUsage: {"search"}, exitInUse: {"prune"}} {
		if code, _, talk := w.mailbrick("", args...); code != want {
			t.Error(args, code, talk)
		}
	}
	mail := t.TempDir()
	if err := os.WriteFile(filepath.Join(mail, "a.eml"), []byte("Subject: by hand\n\nhello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, talk := w.mailbrick("", "backup", "--from", mail, "--mailbox", "files"); code != 0 || !strings.Contains(out, "1 added") {
		t.Error(code, out, talk)
	}
	if code, out, talk := w.mailbrick("", "search", "--count", "hand"); code != 0 || out != "1\n" {
		t.Error(code, out, talk)
	}
	if info, err := os.Stat(socketPath(filepath.Join(w.dir, "archive"))); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := w.stop(syscall.SIGKILL); err == nil {
		t.Error("killed, and no error")
	}
	if code, _, talk := w.mailbrick("", "stats"); code != 0 { // the socket that is left over keeps nobody
		t.Error(talk)
	}
}

// TestWatchSaysNothingOfMail: no subject, body, secret or stranger's address is in the log, whatever goes wrong.
func TestWatchSaysNothingOfMail(t *testing.T) {
	t.Parallel()
	w := newWatching(t, ann, bob)
	w.s.AddFaults(exchangetest.Fault{Operation: "ExportItems", Mailbox: ann, Action: exchangetest.ActionItemError, Code: "ErrorCorruptData", Times: 2},
		exchangetest.Fault{Operation: "SyncFolderItems", Mailbox: bob, Action: exchangetest.ActionFault, Code: "ErrorServerBusy", BackOffMilliseconds: 1, Times: 2})
	w.config("[metrics]\nlisten = \"127.0.0.1:0\"\n" + quick + w.ews(`"`+ann+`"`) + w.graph(`"`+bob+`"`))
	w.mail(ann, "Vertraulich hush")
	w.mail(bob, "Vertraulich psst")
	w.start()
	at := w.logged("metrics")["listen"].(string)
	w.done(ann, 1)
	w.mail(bob, "Vertraulich again")
	w.until(func(line map[string]any) bool {
		return line["msg"] == "mailbox done" && line["mailbox"] == bob && line["items"] == 2.0
	})
	metrics := w.get("http://" + at + "/metrics")
	for _, want := range []string{"mailbrick_mailboxes 2\n", "mailbrick_mailbox_items{mailbox=\"" + bob + "\"} 2\n", "mailbrick_runs_total{result=\"complete\"}", "mailbrick_archive_head ",
		"mailbrick_index_behind_records ", "mailbrick_mailbox_last_success_timestamp_seconds{mailbox=\"" + ann + "\"}", "mailbrick_requests_total ", "mailbrick_mailbox_failures{"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in\n%s", want, metrics)
		}
	}
	if got := w.get("http://" + at + "/healthz"); got != "2 mailboxes, 0 failing\n" {
		t.Error(got)
	}
	if err := w.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	for _, secret := range []string{"Vertraulich", "hush", "the body", "secret", "app-secret"} {
		if strings.Contains(w.said()+metrics, secret) {
			t.Errorf("%q is said:\n%s", secret, w.said())
		}
	}
}

func (w *watching) get(url string) string {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}
