package main

import (
	"syscall"
	"testing"
)

// The process's memory has a soft limit derived from the memory for bodies, unless GOMEMLIMIT is set.
func TestMemoryHasASoftLimit(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	for _, c := range []struct {
		env  []string
		want string
	}{
		{nil, "2.68435456e+08"}, // 256 MiB
		{[]string{"WAYBILL_BODY_MEMORY=64"}, "5.36870912e+08"},
		{[]string{"WAYBILL_MEMORY_LIMIT=128"}, "1.34217728e+08"},
		{[]string{"WAYBILL_MEMORY_LIMIT=128", "GOMEMLIMIT=64MiB"}, "6.7108864e+07"},
	} {
		admin := freeAddress(t)
		s := serving{program: start(t, append(c.env, "DATABASE_URL="+w.db.AppURL), "serve",
			"--addr", "127.0.0.1:0", "--admin-addr", admin, "--drain", "0")}
		s.await()
		_, metrics := text(t, "GET", "http://"+admin+"/metrics", "", "")
		has(t, metrics, "go_gc_gomemlimit_bytes{", "} "+c.want+"\n")
		s.stop(syscall.SIGTERM)
	}
}
