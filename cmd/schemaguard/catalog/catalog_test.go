package catalog

import "testing"

// A name says its meaning if it is a pattern's, with the table and one of its columns; not if it only looks like it.
func TestSaysItsMeaning(t *testing.T) {
	t.Parallel()
	patterns := []string{"{table}_pkey", "{table}_{column}_check"}
	for name, want := range map[string]bool{
		"vans_pkey": true, "vans_name_check": true, "vans_names_check": false, "vans_check": false,
		"drivers_name_check": false, "vans_name_key": false, "vans__check": false,
	} {
		if saysItsMeaning(patterns, "vans", []string{"id", "name"}, name) != want {
			t.Errorf("%s: want %t", name, want)
		}
	}
	if saysItsMeaning(nil, "vans", []string{"name"}, "vans_name_check") {
		t.Error("a name says its meaning by no pattern")
	}
}
