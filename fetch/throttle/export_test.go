package throttle

const (
	LongestFloor = longestFloor
	MostRests    = mostRests
)

// Rests is how many pauses a governor keeps.
func (g *Governor) Rests() int { return len(g.rests) }
