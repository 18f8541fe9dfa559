package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"mailbrick/fetch/exchangetest"
)

// bigRoom is how much more memory than a run without it an item of any size may take.
const bigRoom = 64 << 20

// TestBigItem: an item of 250 MB (an eighth more than the room in the short suite, so that it cannot be held even once) goes all
// the way by either protocol, from the server into the archive, into the index, and back into another mailbox, in a program of
// its own each time, which must not need 64 MiB more for it than without it.
func TestBigItem(t *testing.T) {
	if raced() {
		t.Skip("the race detector takes several times the memory")
	}
	t.Parallel()
	size := int64(bigRoom + bigRoom/8)
	if os.Getenv("MAILBRICK_TORTURE") != "" {
		size = 250_000_000
	}
	for _, by := range []string{"ews", "graph"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			idle, peak := carried(t, by, 0), carried(t, by, size)
			for step, without := range idle {
				t.Logf("%s: %s: %.1f MiB with an item of %d MB, %.1f without: %.1f more", by, step, mib(peak[step]), size/1e6, mib(without), mib(peak[step]-without))
				if peak[step]-without > bigRoom {
					t.Errorf("%s: %s takes more than %.0f MiB", by, step, mib(bigRoom))
				}
			}
		})
	}
}

// raced says that the race detector is at work, whose memory is not the program's.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// carried is the peak of memory of each step of a run with twenty small items and, unless its size is 0, a big one in a mailbox of
// its own. That one is restored alone, since Graph lets no other follow it for a while. The archive is opened by an identity: a
// password takes 64 MiB for a moment, behind which an item could hide.
func carried(t *testing.T, by string, size int64) map[string]int64 {
	t.Helper()
	r := newTrial(t, exchangetest.Options{MaxRequestBytes: 512 << 20})
	identity := filepath.Join(r.work, "identity")
	if code, text := r.mailbrick("key", "add", "--archive", r.archive, "--password-file", r.password, "--name", "machine", "--host-identity", identity); code != 0 {
		t.Fatal(text)
	}
	words := r.signedIn(by, r.serve(r.exchange), "--identity", identity)
	mailboxes := map[string][]string{}
	add := func(run string, mailbox string, items int, size int64) {
		mailbox += "@contoso.example"
		mailboxes[run] = append(mailboxes[run], "-m", mailbox)
		if err := r.exchange.Make(mailbox, 1, items, size); err != nil {
			t.Fatal(err)
		}
	}
	back, want := "small", "20 items: 20 restored"
	for _, run := range []string{"", "too"} {
		add(run, "small"+run, 20, 0)
		if size > 0 {
			add(run, "big"+run, 1, size)
			back, want = "big", "1 items: 1 restored"
		}
	}
	r.exchange.AddMailbox("new@contoso.example")
	peaks := map[string]int64{}
	step := func(name, said string, args ...string) {
		t.Helper()
		var text string
		if text, peaks[name] = r.apart(nil, args...); !strings.Contains(text, said) {
			t.Fatalf("%s: %s", name, text)
		}
	}
	step("backup", "20 items, 20 added", append(words("backup", "--no-index"), mailboxes[""]...)...)
	step("backup and index", "20 items, 20 added", append(words("backup"), mailboxes["too"]...)...)
	step("restore", want, words("restore", "--mailbox", back+"@contoso.example", "--to-mailbox", "new@contoso.example")...)
	if err := os.RemoveAll(r.archive); err != nil {
		t.Fatal(err)
	}
	return peaks
}

// apart runs the program in a process of its own and gives its words and the most memory it held.
func (r *trial) apart(environment []string, words ...string) (text string, peak int64) {
	r.t.Helper()
	file := filepath.Join(r.work, "peak")
	c := exec.CommandContext(r.t.Context(), "mailbrick-measured", words...)
	c.Env = append([]string{"HOME=" + r.work, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + r.work, "PEAK=" + file}, environment...)
	out, _ := c.CombinedOutput() // the text tells
	status, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(line, "%d kB", &peak); err != nil {
		r.t.Fatal("how much memory it held:", err)
	}
	return string(out), peak << 10
}
