package localpg

import (
	"regexp"
	"strings"
)

// Control is a line for the shell that works on the server after this process
// has ended and left the folder: pg_ctl with "start", "stop" or "status". It
// switches to the server's user where that is another one.
func (s *Server) Control(action string) string {
	line := shell(s.programs.path("pg_ctl"), "-D", s.folder.data(), "-l", s.folder.log(), "-w", action)
	if s.account == nil {
		return line
	}
	return shell("su", "-s", "/bin/sh", s.account.name, "-c", line)
}

var plain = regexp.MustCompile(`^[\w./:=@%+-]+$`)

// shell quotes words for the shell, where they need it.
func shell(words ...string) string {
	for i, word := range words {
		if !plain.MatchString(word) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
