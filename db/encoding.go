package db

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// CheckEncoding rejects a database whose encoding is not UTF8: it would refuse all characters outside
// of its encoding.
func CheckEncoding(conn *pgconn.PgConn) error {
	if encoding := conn.ParameterStatus("server_encoding"); encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s and must be UTF8: create another one with "+
			"CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' and set its address", encoding)
	}
	return nil
}
