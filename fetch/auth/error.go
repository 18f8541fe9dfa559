package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a caller decides by.
var (
	// ErrInsecure: credentials would go over plain HTTP to another machine.
	ErrInsecure = errors.New("refusing to send credentials over plain http")
	// ErrOtherHost: a request with credentials was to go to a host that they are not for.
	ErrOtherHost = errors.New("refusing to send credentials to another host")
	// ErrRefused: who signs in is refused, or the server does not take this way. Asking again does not help.
	ErrRefused = errors.New("the credentials are refused")
)

// Error is a sign-in that did not work.
type Error struct {
	Server     string        // host that said no
	Code       string        // "AADSTS7000215", "invalid_client"; "" if there was none
	Text       string        // the server's words, one sentence
	Status     int           // HTTP status, 0 if there was no answer
	RetryAfter time.Duration // how long the server asks to be left alone, 0 if it does not say

	cause error // ErrRefused, or what happened to the connection
	hint  string
}

func (e *Error) Error() string {
	parts := []string{"sign in at " + e.Server}
	if e.Code != "" {
		parts = append(parts, e.Code)
	} else if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if e.cause != nil && (e.Text == "" || e.cause != ErrRefused) {
		parts = append(parts, e.cause.Error())
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.cause }

// Hint says to a person what to do, "" if there is nothing to say.
func (e *Error) Hint() string { return e.hint }
