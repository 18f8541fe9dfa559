package ews

import (
	"errors"
	"fmt"

	"mailbrick/fetch/auth"
)

// signInError is a request that was not sent, because whoever signs it in could not.
func signInError(op *operation, s *auth.Error) *Error {
	e := &Error{Operation: op.name, class: Transient, unsent: true, BackOff: s.RetryAfter, cause: s, hint: s.Hint()}
	if errors.Is(s, auth.ErrRefused) {
		e.class, e.cause = Auth, fmt.Errorf("%w: %w", ErrCredentials, s)
	}
	return e
}
