package blob

import (
	"fmt"
	"strings"
)

const (
	// MaxName is the longest name in bytes, what object stores take.
	MaxName = 1024
	// MaxSegment is the longest segment of a name; it leaves room below the
	// 255 of file systems.
	MaxSegment = 200
)

// CheckName returns nil or an ErrName that says what is wrong.
func CheckName(name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("name of %d bytes: %w", len(name), ErrName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if why := segmentFault(segment); why != "" {
			return fmt.Errorf("name %q: %s: %w", name, why, ErrName)
		}
	}
	return nil
}

// CheckPrefix returns nil for what some name may begin with: names, a name and
// a slash, or a name cut off anywhere.
func CheckPrefix(prefix string) error {
	if len(prefix) > MaxName {
		return fmt.Errorf("prefix of %d bytes: %w", len(prefix), ErrName)
	}
	folder, last := SplitName(prefix)
	if folder != "" || strings.HasPrefix(prefix, "/") {
		if err := CheckName(folder); err != nil {
			return fmt.Errorf("prefix %q: %w", prefix, err)
		}
	}
	if why := startFault(last); why != "" {
		return fmt.Errorf("prefix %q: %s: %w", prefix, why, ErrName)
	}
	return nil
}

// SplitName cuts a name at its last slash, which neither part keeps.
func SplitName(name string) (folder, last string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

func segmentFault(s string) string {
	switch {
	case s == "":
		return "empty segment"
	case s[len(s)-1] == '.':
		return "segment ends with a dot"
	case isDevice(s):
		return "a device on windows"
	}
	return startFault(s)
}

// startFault is what is wrong with the beginning of a segment.
func startFault(s string) string {
	switch {
	case len(s) > MaxSegment:
		return "segment too long"
	case s != "" && s[0] == '.':
		return "segment begins with a dot"
	case strings.Contains(s, ".."):
		return "two dots"
	}
	for i := range len(s) {
		if !allowed(s[i]) {
			return fmt.Sprintf("character %q", s[i])
		}
	}
	return ""
}

func allowed(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// isDevice tells the names that Windows keeps for devices in every folder, with
// any extension.
func isDevice(segment string) bool {
	stem, _, _ := strings.Cut(segment, ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	if len(stem) != 4 || stem[3] < '0' || stem[3] > '9' {
		return false
	}
	return stem[:3] == "com" || stem[:3] == "lpt"
}
