//go:build !linux && !darwin

package opendir

import (
	"errors"
	"os"
)

const hasOpenat = false

func openat(*os.File, string, int) (*os.File, error) { return nil, errors.ErrUnsupported }

func renameat(*os.File, string, string) error { return errors.ErrUnsupported }
