package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// untilParentEnds ends the context when the "go run" that started this process is
// killed: it would leave us, and the database, behind without a word. Other parents,
// such as a shell, may well end first.
func untilParentEnds(ctx context.Context) context.Context {
	parent := os.Getppid()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err != nil || strings.TrimSpace(string(name)) != "go" {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for os.Getppid() == parent {
			time.Sleep(500 * time.Millisecond)
		}
		cancel()
	}()
	return ctx
}
