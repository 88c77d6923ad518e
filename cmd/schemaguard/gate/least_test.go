package gate_test

// The least number of cases: one that is lost is told.
const (
	leastPlanted  = 93
	leastHarmless = 34
)
