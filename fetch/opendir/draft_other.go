//go:build !linux

package opendir

import (
	"errors"
	"os"
)

func unnamed(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

func link(_, _ *os.File, _ string) error { return errors.ErrUnsupported }
