package db_test

// noun is what a noun's own file adds to the tables from which nothing may be missing, so that a new noun changes
// none of them. What it does not say is missing there, by name.
type noun struct {
	table string
	// rows, unless other files make them, inserts $2 rows for the tenant $1, each with other values. In one, the
	// constraints whose names say their meaning are violated; among many, the costs of reads are those of a page.
	rows     string
	races    []check           // one for each "Closes:" of its statements
	rules    []check           // the guards without a race
	breaches map[string]string // what violates its other constraints: see breaches
	costs    func(costFixture) map[string][]readCost
}

// nouns are those that were added.
var nouns []noun

// has adds a noun. Its result is for a variable, so that a file can do so.
func has(n noun) bool {
	nouns = append(nouns, n)
	return true
}

// ofNouns returns what each noun adds to a list.
func ofNouns(list func(noun) []check) (all []check) {
	for _, n := range nouns {
		all = append(all, list(n)...)
	}
	return all
}
