package gate_test

// The least number of cases: one that is lost is told.
const (
	leastPlanted  = 125
	leastHarmless = 47
)
