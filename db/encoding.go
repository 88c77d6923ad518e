package db

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// CheckEncoding rejects a database whose encoding is not UTF8, which would refuse all characters outside of
// its encoding, and a session with another encoding of its own, which would store other characters than it
// was sent.
func CheckEncoding(conn *pgconn.PgConn) error {
	if encoding := conn.ParameterStatus("server_encoding"); encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s and must be UTF8: create another one with "+
			"CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' and set its address", encoding)
	}
	if encoding := conn.ParameterStatus(clientEncoding); encoding != "UTF8" {
		return &SessionError{fmt.Sprintf("the client_encoding of a session is %s and must be UTF8: a connection "+
			"pooler, or something else on the way to the database, changes it", encoding)}
	}
	return nil
}
