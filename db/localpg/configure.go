package localpg

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// settingsFile is rewritten at each start. It is included at the end of postgresql.conf, so that manual
// changes there are kept.
const settingsFile = "waybill.conf"

func include(conf string) error {
	f, err := os.OpenFile(conf, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "\ninclude '%s'\n", settingsFile); err != nil {
		return err
	}
	return f.Close()
}

// choosePort sets the port and the passwords.
func (s *Server) choosePort() (err error) {
	o := s.options
	s.port = 5432 // without TCP it is only part of the socket's name
	if !o.TCP {
		return nil
	}
	pick := o.pick
	if pick == nil {
		pick = freePort
	}
	if s.port = o.Port; s.port == 0 {
		if s.port, err = pick(); err != nil {
			return err
		}
	}
	if s.passwords == nil { // a standby has its primary's
		s.passwords, err = s.folder.passwords()
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *Server) settings() map[string]string {
	o := s.options
	all := map[string]string{
		"unix_socket_directories": s.folder.socket,
		"unix_socket_permissions": "0700",
		"listen_addresses":        "",
		"port":                    strconv.Itoa(s.port),
		"password_encryption":     "scram-sha-256",
		"max_connections":         "200",
		// DETAIL and CONTEXT contain values of rows and parameters.
		"log_error_verbosity": "terse",
	}
	if o.TCP {
		all["listen_addresses"] = "127.0.0.1"
	}
	if !o.Durable {
		maps.Copy(all, map[string]string{
			"fsync":              "off",
			"synchronous_commit": "off",
			"full_page_writes":   "off",
			"max_connections":    "300",
			"shared_buffers":     "128MB",
			"max_wal_size":       "256MB", // the folder may be in memory
		})
	}
	maps.Copy(all, o.Settings)
	return all
}

// Access to the socket's private folder is enough to log in as any role; TCP requires a password.
const hostBased = `local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
`

// configure writes the files that PostgreSQL reads at start.
func (s *Server) configure() error { return s.folder.configure(s.settings(), s.account) }

func (f *folder) configure(settings map[string]string, as *account) error {
	var conf strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	if err := f.write(settingsFile, conf.String(), as); err != nil {
		return err
	}
	return f.write("pg_hba.conf", hostBased, as)
}

func (f *folder) write(name, text string, as *account) error {
	path := filepath.Join(f.data(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return as.own(path, 0o600)
}
