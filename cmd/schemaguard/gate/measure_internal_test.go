package gate

import "testing"

// Many migrations take not much longer than few, and each is tried.
func TestManyMigrationsShareTheRows(t *testing.T) {
	t.Parallel()
	for migrations, want := range map[int]int{0: 300_000, 1: 300_000, 2: 300_000, 4: 150_000, 12: 50_000, 40: 50_000} {
		if got := (Measure{Rows: 300_000}).sharing(migrations).Rows; got != want {
			t.Errorf("%d migrations are tried on %d rows each, want %d", migrations, got, want)
		}
	}
}
