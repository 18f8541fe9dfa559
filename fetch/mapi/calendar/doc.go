// Package calendar turns appointments, meeting requests, responses and
// cancellations, and tasks from property trees into iCalendar and back [RFC
// 5545, MS-OXCICAL, MS-OXOCAL, MS-OXOTASK].
//
// It owns iCalendar's lines and the binary structures in the properties of
// calendars. It must never know mail, stores or protocols.
//
// Apply sets the properties that Exchange would, Write writes the one object
// that the properties mean; what Apply read Write writes with the same instances
// at the same moments. Split cuts a calendar of many, Lost names what Apply
// leaves behind, IsException tells a modified instance from what a person attached.
//
// # Classes
//
//	METHOD           message class                        [MS-OXCICAL] 2.1.3.1.1.1
//	none, PUBLISH    IPM.Appointment; IPM.Task of a VTODO
//	REQUEST          IPM.Schedule.Meeting.Request
//	CANCEL           IPM.Schedule.Meeting.Canceled
//	REPLY            IPM.Schedule.Meeting.Resp.Pos, .Neg, .Tent by PARTSTAT; .Tent for any other
//	COUNTER          IPM.Schedule.Meeting.Resp.Tent with PidLidAppointmentCounterProposal;
//	                 DTSTART and DTEND are proposed, X-MS-OLK-ORIGINALSTART, -END what they were
//
// # Time zones
//
// A zone is a rule for each year. A VTIMEZONE counts before what is known by
// its name, IANA's or Windows'; rules go from the year before the event to ten
// years behind it. Times without a zone are in the calendar's: X-WR-TIMEZONE, its
// only VTIMEZONE, else UTC. Written zones have Windows' name where it is known.
//
// # Series
//
// A rule becomes a pattern by the templates of [MS-OXCICAL] 2.1.3.2.2, or one
// that means the same days. A pattern has an instance on the last day of a month
// too short for it, a rule has none: those are deleted where the series ends (else
// Lost says RRULE:SHORT-MONTHS), and written BYMONTHDAY=28,29,30;BYSETPOS=-1. Any other rule leaves the first
// instance, and Lost says RRULE. A series in a calendar that is not Gregorian is
// written as its first instance.
//
// # PidLidAppointmentRecur
//
// All integers little endian; days and times are minutes since 1601-01-01 local
// to the series. [MS-OXOCAL] 2.2.1.44.5:
//
//	recurrence = pattern  3006:u32  writer:u32 = 3009 (or 3008)
//	             start:u32 end:u32 (minutes since midnight)
//	             n:u16  n*exception  size:u32 reserved[size]
//	             n*extended  size:u32 reserved[size]
//
//	pattern    = 3004:u16 3004:u16  frequency:u16 (200A daily 200B weekly     2.2.1.44.1
//	             200C monthly 200D yearly)
//	             type:u16  calendar:u16 (0, 1 Gregorian)
//	             first:u32  period:u32 (minutes for type 0, weeks for 1, else months)
//	             sliding:u32  specific
//	             end:u32 (2021 day, 2022 count, 2023 or FFFFFFFF never)
//	             count:u32  firstDOW:u32 (0 Sunday)
//	             n:u32 n*deleted:u32  n:u32 n*modified:u32
//	             startDay:u32  endDay:u32 (5AE980DF never)
//
//	specific   = type 0 (day)                nothing
//	             1 (week)                    days:u32, bit 0 Sunday
//	             2, A (month) 4, C (its end) day:u32
//	             3, B (n-th of month)        days:u32 n:u32 (5 last)
//
//	exception  = start:u32 end:u32 original:u32 flags:u16 and by its bits    2.2.1.44.2
//	             0001 n+1:u16 n:u16 subject[n]   0010 n+1:u16 n:u16 location[n]
//	             0002 meetingType:u32            0020 busyStatus:u32
//	             0004 reminderDelta:u32          0040 attachment:u32
//	             0008 reminderSet:u32            0080 subType:u32
//	                                             0100 color:u32
//	             the left column first; 0200 (body) has no field
//
//	extended   = [ size:u32 highlight[size] ] from writer 3009 on            2.2.1.44.3
//	             size:u32 reserved[size]                                     2.2.1.44.4
//	             [ start:u32 end:u32 original:u32
//	               [ n:u16 subject[2n] ] with 0001   UTF-16
//	               [ n:u16 location[2n] ] with 0010
//	               size:u32 reserved[size] ]         with 0001 or 0010
//
// first is the first day of the pattern ever: startDay modulo period, by days,
// weeks or months (2.2.1.44.1.1). PidLidTaskRecurrence is a pattern alone
// [MS-OXOTASK] 2.2.2.2.15. A modified instance stands with its original day among
// the deleted and with its new one among the modified; all it says is in a hidden
// attachment, a message embedded (2.2.10).
//
// # Time zone properties
//
//	PidLidTimeZoneStruct = bias:i32 standardBias:i32 daylightBias:i32        2.2.1.39
//	             0:u16 standard:SYSTEMTIME  0:u16 daylight:SYSTEMTIME
//
//	definition = 02 01  header:u16 (bytes from here to the rules)            2.2.1.41
//	             2:u16  n:u16 name[2n] (UTF-16)  rules:u16  rules*rule
//	rule       = 02 01  3E:u16  flags:u16 (1 of a series, 2 effective)       2.2.1.41.1
//	             year:u16  x[14] (0; Outlook: 1 January)  bias:i32 standardBias:i32 daylightBias:i32
//	             standard:SYSTEMTIME  daylight:SYSTEMTIME
//	SYSTEMTIME = year month dayOfWeek day hour minute second milliseconds, u16 each;
//	             year 0: the day-th dayOfWeek of month (5 last); month 0: no change
//
// # PidLidGlobalObjectId
//
//	04000000 8200E000 74C5B710 1A82E008                                      2.2.1.27
//	year:u16 (big endian) month:u8 day:u8, of the instance it is, else 0
//	created:FILETIME  0[8]  size:u32 data[size]
//
// A UID that is such an id in hexadecimal stands for it; any other is its data:
// "vCal-Uid" 01000000 UID 00 [MS-OXCICAL] 2.1.3.1.1.20.26.
//
// # Limits
//
// An iCalendar object has 64 MiB, 2^20 lines, 65536 components nested 16 deep; a
// series 20000 instances that are looked at and 4096 modified ones. Bytes behind a
// structure are kept. 64 zones of a calendar are looked at, and what Split makes
// has 256 MiB at most. Lines that are none are left out. What is not UTF-8 is
// taken for Windows-1252.
package calendar
