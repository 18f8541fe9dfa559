// Package retention says which versions of items may go, and when. It owns the policy: its text, and how it judges a version.
// It must never know how bytes are stored, and it removes nothing: who asks hands the versions in and does what is said.
//
// # What a policy is
//
// Rules in order, as TOML. The first rule that fits a version judges it; a version that none fits stays.
//
//	[[rule]]
//	name    = "finance"                   # how plans and the journal call it; "rule 1" when it is left out
//	mailbox = ["*@finance.example.com"]   # patterns: * any run, ? one character, [a-z] one of these; left out: all
//	folder  = ["Inbox/Invoices"]          # paths, each with what lies below it; left out: all
//	class   = ["IPM.Note"]                # message classes, each with those below it (IPM.Note.SMIME); left out: all
//	keep    = "90d"                       # every version that the mailbox held in the last 90 days
//	daily   = 30                          # what it held at the beginning of each of the last 30 days,
//	weekly  = 26                          # weeks (they begin on Monday),
//	monthly = 24                          # months
//	yearly  = 10                          # and years
//	deleted = "7y"                        # the last version of an item, so long after it vanished from the mailbox
//
// A span is a number of days (d), weeks (w), months (m) or years (y), or "forever". Case does not matter in patterns, paths and
// classes. A rule must say at least one of the last six: one that says nothing of what stays is a slip. Numbers are at most
// 10,000. A mistake is told with its line.
//
// # How it judges
//
// A version was what the mailbox held from the snapshot that first shows it up to the one that does not. A rule keeps it when
//
//   - it is alive: the latest state of an item that is in the mailbox never goes, whatever a policy says;
//   - the mailbox held it at any moment of the span "keep";
//   - the mailbox held it at one of the moments that daily, weekly, monthly and yearly name;
//   - it is the last of its item, which vanished less than "deleted" ago. Where deleted is left out that is always so: mail that
//     people deleted goes only when a policy says when;
//   - a hold is on it.
//
// Else it goes. All is in UTC, so that no day has 23 hours. A month before the 31st is the last day of a shorter month.
//
// A snapshot stays on offer while a rule that speaks of its mailbox keeps what the mailbox held then; a version that no snapshot on
// offer shows is still found by its id and by searching all versions.
//
// Each version is judged by itself, by nothing but its own times and the moment of judging. So judging again after what was to
// go has gone finds nothing more, a longer span or a higher number never lets more go, and nothing but the version at hand has
// to be in memory. The moments are the beginnings of calendar days, weeks, months and years: what is kept for a day's sake
// is, when that day is long ago, what is kept for its month's, and no run's hour decides which of a day's snapshots it is.
package retention
