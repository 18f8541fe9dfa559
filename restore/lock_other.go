//go:build !linux && !darwin

package restore

import "os"

// lock: folders have none here. Of two at once one may take away the drafts of the other, which stops that.
func lock(*os.File) error { return nil }
