// Package kql reads the Keyword Query Language in its mail dialect (also called KeyQL): text in, a typed tree out.
//
// It owns the grammar, the properties, what a date or a size means, and the words in which a mistake is told. It must
// never know how a query is answered: it knows no index, no store and no mail format.
//
// # Grammar
//
//	query       = orExpr
//	orExpr      = andExpr { "OR" andExpr }
//	andExpr     = run { "AND" run }
//	run         = unary { unary }                       side by side, see below
//	unary       = { "-" | "+" | "NOT" } primary
//	primary     = "(" orExpr ")" | restriction | phrase | word
//	restriction = NAME OP value                         no space around OP
//	OP          = ":" | "=" | "<>" | "<" | "<=" | ">" | ">="
//	value       = atom [ ".." atom ] | "(" orExpr of atoms ")"
//	phrase      = '"' ... '"' [ "*" ] | '"' ... '*"'
//	word        = characters but space ( ) " , perhaps a "*" at the end
//
// Operators are upper case and stand alone as words; "and" is a word like any other (and gets a warning). "-" and "+"
// are operators at the start of a word only. Binding from strong to weak: parentheses, property operator, NOT and "-",
// side by side, AND, OR. Property names and values do not care about case. Curly quotes count as straight ones.
//
// # Side by side
//
// Things without an operator between them form a run. In a run, restrictions of the same property that are not
// excluded are alternatives (OR), wherever they stand in the run; everything else must hold (AND):
//
//	from:ann subject:merger from:bob    (from:ann OR from:bob) AND subject:merger
//	-from:ann -from:bob                 NOT from:ann AND NOT from:bob
//	merger budget                       merger AND budget
//
// # Values
//
// Text matches whole words of the property, in order when there are several. A "*" after at least three letters finds
// all words that begin so; anywhere else it is an error. What lies between words (see IsWord) only parts them, so
// W-2, "w 2" and w.2 ask for the same. An empty value (subject:"") finds items without that property.
//
// A date is an interval: a day is [D, D+1), a time is as wide as its last digit. ":" and "=" mean inside, "<>" outside,
// "<" before its start, "<=" before its end, ">" from its end, ">=" from its start, A..B from the start of A to the end
// of B. Forms: 2021-04-15, 2021-04-15T10:00[:00[.0000000]][Z|+02:00], 4/15/2021 (month first), today, yesterday,
// "this week", "last week" (weeks start on Monday), "this month", "last month", "this year", "last year",
// "last 7 days", "last 30 days" (today is the last of them). Without a zone they are in Options.Zone.
//
// A size is a number of bytes, or one followed by KB, MB or GB (1024 each).
//
// # Not supported yet
//
// NEAR, ONEAR, XRANK, WORDS, ANY, ALL, NONE, the conditions (c:c) and (c:s), and a number of properties are known by
// name and refused by name.
package kql
