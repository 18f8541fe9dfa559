package throttle

import "time"

// window counts what began in the last stretch of time. A window without a length or a limit admits all.
type window struct {
	most   int64
	length time.Duration
	marks  []mark // oldest first
	sum    int64
}

type mark struct {
	at time.Time
	n  int64
}

func (w *window) open() bool { return w.most <= 0 || w.length <= 0 }

// room says from when on n more fit, now or before if they do.
func (w *window) room(now time.Time, n int64) time.Time {
	if w.open() || n <= 0 {
		return now
	}
	w.forget(now)
	sum := w.sum
	for _, m := range w.marks {
		if sum+n <= w.most {
			return now
		}
		sum -= m.n
		now = m.at.Add(w.length)
	}
	return now // nothing is left in it then: what is bigger than the window goes alone
}

func (w *window) add(now time.Time, n int64) {
	if w.open() || n <= 0 {
		return
	}
	w.marks = append(w.marks, mark{now, n})
	w.sum += n
}

// forget drops what is older than the window. What began exactly a length ago is out of it.
func (w *window) forget(now time.Time) {
	old := 0
	for old < len(w.marks) && now.Sub(w.marks[old].at) >= w.length {
		w.sum -= w.marks[old].n
		old++
	}
	w.marks = w.marks[old:]
}
