package ews

import (
	"errors"
	"fmt"

	"mailbrick/fetch/auth"
	"mailbrick/fetch/wire"
)

// signInError is a request that was not sent, because whoever signs it in could not.
func signInError(op *operation, s *auth.Error) *Error {
	e := &Error{Operation: op.name, class: Transient, unsent: true, BackOff: s.RetryAfter, cause: s, hint: s.Hint()}
	switch {
	case errors.Is(s, auth.ErrRefused):
		e.class, e.cause = Auth, fmt.Errorf("%w: %w", ErrCredentials, s)
	case wire.TLSHint(s) != "": // no certificate becomes a good one by asking again
		e.class = Permanent
	}
	return e
}
