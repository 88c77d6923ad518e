//go:build !unix

package faults

import (
	"io/fs"
	"os/exec"
)

func own(string, fs.FileInfo) error { return errSkipped }

func ownByServer(string) error { return errSkipped }

func runAsServer(*exec.Cmd) error { return errSkipped }

func killProcess(int) error { return errSkipped }
