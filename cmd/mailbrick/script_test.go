package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/archive/blob/dir"
	"mailbrick/fetch/exchangetest"
)

// TestMain makes the program a command of the scripts: this test binary called by another name. The other name says too, in the
// file $PEAK, how much memory it held at most.
func TestMain(m *testing.M) {
	cli.HelpFlag = sharedHelp()
	testscript.Main(m, map[string]func(){"mailbrick": main, "mailbrick-measured": measured})
}

// measured asks the kernel itself: what it tells whoever waits for a process counts the memory of its parent.
func measured() {
	code := process()
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		_ = os.WriteFile(os.Getenv("PEAK"), status, 0o600) // who reads it notices
	}
	os.Exit(code)
}

// TestScript runs the stories of testdata. They speak of the archive $WORK/archive, its password is in the environment, the
// password of the server's account "backup" in $WORK/pw, and the invented mailboxes are below $MAIL.
func TestScript(t *testing.T) {
	t.Parallel()
	mail, err := filepath.Abs(filepath.Join(root, "testdata", "mail"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MAIL", mail)
			e.Setenv("MAILBRICK_ARCHIVE", filepath.Join(e.WorkDir, "archive"))
			e.Setenv("MAILBRICK_PASSWORD", "correct horse")
			return os.WriteFile(filepath.Join(e.WorkDir, "pw"), []byte("secret\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       scriptExits,
			"exchange":    scriptExchange,
			"stats":       scriptStats,
			"certificate": scriptCertificate,
			"soap":        scriptSOAP,
			"web":         scriptWeb,
			"authority":   scriptAuthority,
			"keys":        scriptKeys,
			"field":       scriptField,
			"column":      scriptColumn,
			"now":         scriptNow,
			"empty":       scriptEmpty,
			"flip":        scriptFlip,
			"occupy":      scriptOccupy,
		},
	})
}

// want ends a script that uses a command wrongly.
func want(ts *testscript.TestScript, neg, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

// scriptExits runs a program and holds its exit code against the one that is promised.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) > 1, "exits CODE PROGRAM [ARGUMENT...]")
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != code {
		ts.Fatalf("exit code %d, want %d\n%s", got, code, ts.ReadFile("stderr"))
	}
}

// scriptExchange runs `mailbrick simulate` with the account backup:secret until the script ends, sets EWS, GRAPH and AUTHORITY
// to its URLs and keeps what it said while loading in exchange.log.
func scriptExchange(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, true, "exchange [ADDRESS=DIR...] [FLAG FILE...]")
	line := []string{"mailbrick", "simulate", "--user", "backup:secret"}
	for _, a := range args {
		if flag, value, is := strings.Cut(a, "="); is && strings.HasPrefix(flag, "--") {
			if flag == "--app" {
				id, secret, _ := strings.Cut(value, ":")
				if strings.HasSuffix(secret, ".pem") {
					secret = ts.MkAbs(secret)
				}
				value = id + ":" + secret
			} else if address, dir, is := strings.Cut(value, "="); is {
				value = address + "=" + ts.MkAbs(dir)
			} else {
				value = ts.MkAbs(value)
			}
			line = append(line, flag, value)
			continue
		}
		if address, dir, is := strings.Cut(a, "="); is {
			line = append(line, "--mailbox", address+"="+ts.MkAbs(dir))
			continue
		}
		if !strings.HasPrefix(a, "-") {
			a = ts.MkAbs(a) // the program runs in this process, whose folder is another
		}
		line = append(line, a)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var talk strings.Builder
	done := make(chan int, 1)
	go func() {
		code := run(ctx, line, strings.NewReader(""), in, &talk)
		in.Close() // whoever waits for the line that did not come gets an end
		done <- code
	}()
	ts.Defer(func() {
		cancel()
		<-done
	})
	var ready struct{ EWS, Graph, Authority string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		ts.Fatalf("simulate: %v %s", err, talk.String())
	}
	go io.Copy(io.Discard, out)
	ts.Check(os.WriteFile(ts.MkAbs("exchange.log"), []byte(talk.String()), 0o600))
	ts.Setenv("EWS", ready.EWS)
	ts.Setenv("GRAPH", ready.Graph)
	ts.Setenv("AUTHORITY", ready.Authority)
}

// scriptStats writes what the simulated Exchange counted into a file.
func scriptStats(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "stats FILE")
	resp, err := http.Get(strings.TrimSuffix(ts.Getenv("EWS"), exchangetest.Path) + exchangetest.StatsPath)
	ts.Check(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// scriptCertificate makes an application's certificate: NAME.pem with its key, for the program, and NAME.public.pem without, for
// the authority.
func scriptCertificate(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "certificate NAME")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	ts.Check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".public.pem"), public, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pem"), append(private, public...), 0o600))
}

// scriptAuthority runs an authority until the script ends, and sets AUTHORITY to its URL. It lets every application in that
// knows the accounts' password, and its tokens are that.
func scriptAuthority(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "authority")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("client_secret") != "secret" || r.FormValue("scope") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`)
			return
		}
		io.WriteString(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"secret"}`)
	}))
	ts.Defer(s.Close)
	ts.Setenv("AUTHORITY", s.URL+"/contoso.example")
}

const envelope = `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>%s</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header>
<s:Body>%s</s:Body></s:Envelope>`

// scriptSOAP is the mailbox's owner at work: it sends an EWS request from a file in which $NAMES stand for the environment and
// ${base64:FILE} for a file.
func scriptSOAP(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 2, "soap ADDRESS FILE")
	body := os.Expand(ts.ReadFile(args[1]), func(name string) string {
		if file, is := strings.CutPrefix(name, "base64:"); is {
			return base64.StdEncoding.EncodeToString([]byte(ts.ReadFile(file)))
		}
		return ts.Getenv(name)
	})
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, ts.Getenv("EWS"), strings.NewReader(fmt.Sprintf(envelope, args[0], body)))
	ts.Check(err)
	req.SetBasicAuth("backup", "secret")
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(answer), "NoError") || strings.Contains(string(answer), `"Error"`) {
		ts.Fatalf("%s\n%s", resp.Status, answer)
	}
}

// scriptWeb runs a web server that is no Exchange until the script ends, and sets WEB to its URL.
func scriptWeb(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "web")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>")
	}))
	ts.Defer(s.Close)
	ts.Setenv("WEB", s.URL)
}

// lines reads the JSON objects of a file, which may be "stdout" or "stderr", one a line.
func lines(ts *testscript.TestScript, file string) []map[string]any {
	var out []map[string]any
	for text := range strings.Lines(ts.ReadFile(file)) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			ts.Fatalf("%s: %q is not a line of JSON: %v", file, text, err)
		}
		out = append(out, line)
	}
	return out
}

// scriptKeys checks that there are so many lines of JSON, and that each has the promised keys.
func scriptKeys(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) > 2, "keys FILE LINES KEY...")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := lines(ts, args[0])
	if len(got) != n {
		ts.Fatalf("%d lines, want %d\n%s", len(got), n, ts.ReadFile(args[0]))
	}
	for _, line := range got {
		for _, key := range args[2:] {
			if v, there := line[key]; !there || v == nil {
				ts.Fatalf("no %q in %v", key, line)
			}
		}
	}
}

// scriptField sets a variable to a value of the first line of JSON that has the given value under another key.
func scriptField(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3 || len(args) == 5, "field NAME FILE KEY [OTHERKEY VALUE]")
	for _, line := range lines(ts, args[1]) {
		if len(args) == 5 && fmt.Sprint(line[args[3]]) != args[4] {
			continue
		}
		if v, there := line[args[2]]; there {
			ts.Setenv(args[0], fmt.Sprint(v))
			return
		}
	}
	ts.Fatalf("no such line in\n%s", ts.ReadFile(args[1]))
}

// scriptColumn writes one value of each line of JSON into a file, one a line.
func scriptColumn(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 3, "column OUTFILE FILE KEY")
	var out strings.Builder
	for _, line := range lines(ts, args[1]) {
		fmt.Fprintln(&out, line[args[2]])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o600))
}

// scriptNow sets a variable to this moment.
func scriptNow(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "now NAME")
	ts.Setenv(args[0], time.Now().UTC().Format(time.RFC3339Nano))
}

// scriptEmpty checks that nothing is in a folder.
func scriptEmpty(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1, "empty DIR")
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s is in %s", entries[0].Name(), args[0])
	}
}

// scriptFlip changes one bit of the largest file that the pattern matches, in its middle or at an offset.
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 1 || len(args) == 2, "flip PATTERN [OFFSET]")
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(names) == 0 {
		ts.Fatalf("nothing matches %s", args[0])
	}
	name := slices.MaxFunc(names, func(a, b string) int { return int(size(a) - size(b)) })
	data, err := os.ReadFile(name)
	ts.Check(err)
	at := len(data) / 2
	if len(args) == 2 {
		at, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	data[at] ^= 1
	ts.Check(os.WriteFile(name, data, 0o600))
}

func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// scriptOccupy keeps the archive open in this process until the script ends.
func scriptOccupy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, len(args) == 0, "occupy")
	root := ts.Getenv("MAILBRICK_ARCHIVE")
	bucket, err := dir.Open(root)
	ts.Check(err)
	a, err := archive.Open(context.Background(), archive.Options{Bucket: bucket, Catalog: filepath.Join(root, "catalog"), Passphrase: ts.Getenv("MAILBRICK_PASSWORD")})
	ts.Check(err)
	ts.Defer(func() { ts.Check(a.Close()) })
}
