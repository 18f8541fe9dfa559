package fasttransfer

// Poison overwrites all memory that the next Scan takes back.
func (s *Scanner) Poison() { s.poison() }
