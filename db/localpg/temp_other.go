//go:build !linux

package localpg

func memoryFolder() string { return "" }
