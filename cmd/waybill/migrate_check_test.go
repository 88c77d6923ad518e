package main

import (
	"strings"
	"testing"
)

func TestMigrateCheckNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", "no/such.yaml"}, "no/such.yaml"},
		{[]string{"--config", "../schemaguard/waybill.yaml", "--base", "no-such-commit"}, "no-such-commit"},
		{[]string{"--sideways"}, "unknown flag -sideways; see: waybill migrate check -h"},
		{[]string{"sideways"}, "unexpected argument"},
	} {
		var out strings.Builder
		err := run(t.Context(), append([]string{"migrate", "check"}, c.args...), &out)
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%v: got %v, %q; want %s", c.args, err, out.String(), c.want)
		}
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"migrate", "check", "-h"}, &out); err == nil ||
		!strings.Contains(out.String(), "-longest-lock") {
		t.Errorf("the help: %v, %s", err, out.String())
	}
}
