//go:build !linux && !darwin

package opendir

import (
	"errors"
	"os"
)

const hasOpenat = false

// NoWait: no pipe is among the files.
const NoWait = 0

func openat(*os.File, string, int) (*os.File, error) { return nil, errors.ErrUnsupported }

func openDir(*os.Root, string) (*os.File, error) { return nil, errors.ErrUnsupported }

func unlinkat(*os.File, string) error { return errors.ErrUnsupported }

func renameat(*os.File, string, string) error { return errors.ErrUnsupported }
