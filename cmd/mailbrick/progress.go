package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far long work has come: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	mu       sync.Mutex // guards the rest
	w        io.Writer
	terminal bool
	what     string
	unit     string
	total    int64
	now      int64
	note     string
	start    time.Time
	shown    time.Time
	drawn    bool
}

// progress begins to show work; total 0 is work whose end is not known.
func (o *common) progress(what string, total int64, unit string) *progress {
	p := &progress{w: o.talk, what: what, unit: unit, total: total, start: time.Now()}
	p.shown = p.start
	if o.quiet {
		p.w = io.Discard
	}
	if f, ok := o.talk.(*os.File); ok && !o.quiet {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// set tells how far the work is.
func (p *progress) set(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = now
	p.draw()
}

// add tells of more work done, with a word about it.
func (p *progress) add(n int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now += n
	p.note = note
	p.draw()
}

// expect raises the total as more work becomes known.
func (p *progress) expect(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
}

const (
	terminalPace = 100 * time.Millisecond
	plainPace    = 10 * time.Second
)

func (p *progress) draw() {
	pace := plainPace
	if p.terminal {
		pace = terminalPace
	}
	if time.Since(p.shown) < pace {
		return
	}
	p.shown = time.Now()
	p.drawn = true
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", p.line())
		return
	}
	fmt.Fprintf(p.w, "mailbrick: %s\n", p.line())
}

func (p *progress) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s", p.what)
	took := time.Since(p.start)
	rate := float64(p.now) / max(took.Seconds(), 0.001)
	if p.total > 0 {
		part := min(1, float64(p.now)/float64(p.total))
		const width = 24
		full := int(part * width)
		fmt.Fprintf(&b, " [%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", width-full), part*100)
	}
	fmt.Fprintf(&b, " %d %s, %.0f/s", p.now, p.unit, rate)
	if p.total > p.now && p.now > 0 {
		fmt.Fprintf(&b, ", %s left", time.Duration(float64(p.total-p.now)/rate*float64(time.Second)).Round(time.Second))
	}
	if p.note != "" {
		b.WriteString(", " + p.note)
	}
	return b.String()
}

// done takes the bar away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// bytes writes a number of bytes for people.
func bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n), 0
	for v >= unit && i < 5 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", v, " KMGTP"[i])
}
