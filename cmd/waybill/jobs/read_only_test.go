package jobs

import (
	"fmt"
	"testing"

	"waybill/cmd/waybill/texts/fakegateway"
)

// While the database is read-only no job can be fetched. Afterwards the workers continue without a
// restart.
func TestWorkersGoOnWhenTheDatabaseTakesWritesAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	c.submit(5)
	writer, err := c.owner.Acquire(t.Context())
	c.must(err)
	t.Cleanup(writer.Release)
	var name string
	c.must(writer.QueryRow(t.Context(), "SELECT current_database()").Scan(&name))
	readOnly := func(on bool) {
		_, err := writer.Exec(t.Context(),
			fmt.Sprintf("ALTER DATABASE %q SET default_transaction_read_only = %t", name, on))
		c.must(err)
	}
	c.work(c.gateway(fake))
	c.eventually("the texts are sent", func() bool { return c.count(countSent) == 5 })
	readOnly(true)
	c.store.Pool().Reset()
	c.eventually("the database takes no writes", func() bool { return c.store.CheckWritable(t.Context()) != nil })
	readOnly(false)
	c.must(c.store.CheckWritable(t.Context()))
	c.submit(5)
	c.eventually("the later texts are sent",
		func() bool { return c.count(countSent) == 10 && c.count(countUnfinished) == 0 })
}
