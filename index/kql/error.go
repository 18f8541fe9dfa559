package kql

import "fmt"

// Error is a mistake in a query and where it stands.
type Error struct {
	Column  int    // counted in characters from 1
	Problem string // what is wrong
	Hint    string // what to do about it; may be empty
}

// Error gives column and problem; the hint is kept apart for who talks to people.
func (e *Error) Error() string { return fmt.Sprintf("query, column %d: %s", e.Column, e.Problem) }

// Warning is something in a query that works but may not mean what was meant.
type Warning struct {
	Column int
	Text   string
}

func problem(column int, hint, format string, args ...any) *Error {
	return &Error{Column: column, Problem: fmt.Sprintf(format, args...), Hint: hint}
}
