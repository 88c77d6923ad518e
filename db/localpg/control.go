package localpg

import (
	"regexp"
	"strings"
)

// Control returns a shell command that controls the server after this process has ended and kept the
// folder: pg_ctl with "start", "stop" or "status". It switches to the server's user if that is another
// one.
func (s *Server) Control(action string) string {
	line := shell(s.programs.path("pg_ctl"), "-D", s.folder.data(), "-l", s.folder.log(), "-w", action)
	if s.account == nil {
		return line
	}
	return shell("su", "-s", "/bin/sh", s.account.name, "-c", line)
}

var plain = regexp.MustCompile(`^[\w./:=@%+-]+$`)

// shell quotes words for the shell where necessary.
func shell(words ...string) string {
	for i, word := range words {
		if !plain.MatchString(word) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
