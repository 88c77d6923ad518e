package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// untilParentEnds returns a context that ends when the "go run" that started this process is killed,
// which would leave the process and its database running. Other parents, such as a shell, may end
// first.
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
