package calendar

import (
	"strings"
	"testing"
	"time"
)

// A zone made of a location has its offsets, at each hour of the years around.
func TestNamedZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Los_Angeles", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland",
		"America/Santiago", "Asia/Kathmandu", "Asia/Jerusalem", "Europe/London", "America/St_Johns", "Africa/Johannesburg"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			z := namedZone(name, 2018)
			for at := date(2017, 2, 1); at.Year() < 2021; at = at.Add(time.Hour) {
				_, want := at.In(loc).Zone()
				if got := z.offset(at); got != time.Duration(want)*time.Second {
					t.Fatalf("%v: %v, want %ds", at, got, want)
				}
			}
		})
	}
}

// Rules that stay the same are one rule: the last Sunday is told from the fourth.
func TestFewRules(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"Europe/Berlin": 1, "America/New_York": 1, "Australia/Sydney": 1, "Asia/Tokyo": 1, "Etc/UTC": 1} {
		if got := len(namedZone(name, 2023).rules); got > want {
			t.Errorf("%s: %d rules", name, got)
		}
	}
}

func TestWindowsZones(t *testing.T) {
	t.Parallel()
	lines := 0
	for line := range strings.Lines(strings.TrimSpace(windowsZones)) {
		lines++
		windows, names, _ := strings.Cut(strings.TrimSpace(line), "=")
		if windowsName(windows) != windows {
			t.Errorf("%s is %q", windows, windowsName(windows))
		}
		for name := range strings.FieldsSeq(names) {
			if _, err := time.LoadLocation(name); err != nil {
				t.Errorf("%s: %v", windows, err)
			}
			if got := windowsName(name); got != windows && !(name == "UTC" && got == "UTC") {
				t.Errorf("%s is %q, want %q", name, got, windows)
			}
		}
		if first, _, _ := strings.Cut(names, " "); ianaName(windows) != first {
			t.Errorf("%s is %q, want %s", windows, ianaName(windows), first)
		}
	}
	for _, name := range []string{"", "Standard", "Central", "Standard Time", "Europe", "=", "\n", "AUS Central Standard Time=Australia/Darwin"} {
		if windowsName(name) != "" || ianaName(name) != "" {
			t.Errorf("%q is a zone", name)
		}
	}
	if lines < 135 {
		t.Errorf("%d lines", lines)
	}
}

func TestLocation(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Europe/Berlin": "Europe/Berlin", "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin": "Europe/Berlin", "/mozilla.org/20050126_1/America/Indiana/Knox": "America/Indiana/Knox",
		"W. Europe Standard Time": "Europe/Berlin", "Local": "", "../../etc/passwd": "", "/etc/localtime": "", "": "", "Nowhere/City": "", "UTC": "UTC",
	} {
		got := ""
		if loc := location(name); loc != nil {
			got = loc.String()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// The VTIMEZONE of a zone is read as the same zone.
func TestZoneComponent(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Asia/Tehran", "Europe/Moscow"} {
		for _, year := range []int{2007, 2012, 2024} {
			z := namedZone(name, year)
			again := parseZone(z.component(), year)
			for at := date(year, 1, 1); at.Year() < year+3; at = at.Add(time.Hour) {
				if z.offset(at) != again.offset(at) {
					t.Errorf("%s %v: %v, then %v", name, at, z.offset(at), again.offset(at))
					break
				}
			}
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]time.Duration{"PT15M": 15 * time.Minute, "-PT15M": -15 * time.Minute, "P1DT2H3M4S": 26*time.Hour + 3*time.Minute + 4*time.Second, "P2W": 14 * 24 * time.Hour, "+PT0S": 0, "P": 0} {
		if got, ok := parseDuration(v); !ok || got != want {
			t.Errorf("%s: %v %v", v, got, ok)
		}
	}
	for _, v := range []string{"", "15M", "PT", "PXM", "P99999999999D", "P9999999W", "PT15"} {
		if got, ok := parseDuration(v); ok && v != "PT" {
			t.Errorf("%s: %v", v, got)
		}
	}
}
