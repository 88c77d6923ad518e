package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"text/template"

	"waybill/db"
)

//go:embed setup.sql
var setupSQL string

var setupPage = template.Must(template.New("setup.sql").Parse(setupSQL))

// setupOptions are the parameters of the setup script.
type setupOptions struct {
	Database, Owner, App, Locale string
	// Password verifiers as PostgreSQL stores them; "" for none.
	OwnerVerifier, AppVerifier string
}

// runSetup prints the SQL script that a superuser runs once. It needs no database.
func runSetup(_ context.Context, args []string, out io.Writer) error {
	o := setupOptions{App: db.AppRole}
	flags := newFlags("setup", out)
	flags.StringVar(&o.Database, "database", "waybill", "name of the database")
	flags.StringVar(&o.Owner, "owner", "waybill_owner", "role that owns and migrates the schema")
	flags.StringVar(&o.Locale, "locale", "C.UTF-8", "locale of the database, for the encoding UTF8")
	envFile := flags.String("env", "",
		"generate passwords for the roles, and write the URLs to this new file (host and port from PGHOST and "+
			"PGPORT)")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	if *envFile != "" {
		if err := o.writePasswords(*envFile); err != nil {
			return err
		}
	}
	return setupPage.Execute(out, o)
}

var (
	plainName   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	plainLocale = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,60}$`)
)

func (o *setupOptions) check() error {
	switch {
	case !plainName.MatchString(o.Database), !plainName.MatchString(o.Owner):
		return errors.New("--database and --owner may contain only lower-case letters, digits and underscores")
	case o.Owner == o.App:
		return fmt.Errorf("--owner is %s, which must not own the schema", o.App)
	case !plainLocale.MatchString(o.Locale):
		return errors.New("--locale must be the name of a locale, such as C.UTF-8")
	}
	return nil
}

// writePasswords generates two passwords. The script contains only their verifiers, which are useless
// for a login if it is logged or kept in a history.
func (o *setupOptions) writePasswords(name string) (err error) {
	owner, app := rand.Text(), rand.Text()
	if o.OwnerVerifier, err = scramVerifier(owner); err != nil {
		return err
	}
	if o.AppVerifier, err = scramVerifier(app); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s already exists, and its passwords may be in use: choose another name, or remove it",
			name)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(
		file, "# For migrate and tenant; and for serve, work and jobs.\nOWNER_URL='%s'\nAPP_URL='%s'\n",
		o.url(o.Owner, owner), o.url(o.App, app))
	return errors.Join(err, file.Close())
}

func (o *setupOptions) url(role, password string) string {
	host := cmp.Or(os.Getenv("PGHOST"), "localhost")
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + o.Database}
	if host[0] == '/' { // the directory of a socket
		u.RawQuery = url.Values{"host": {host}, "port": {cmp.Or(os.Getenv("PGPORT"), "5432")}}.Encode()
		return u.String()
	}
	u.Host = net.JoinHostPort(host, cmp.Or(os.Getenv("PGPORT"), "5432"))
	return u.String()
}

// scramVerifier returns the verifier that PostgreSQL stores for a password (RFC 5803), so that the password
// itself is never sent. The password must be ASCII.
func scramVerifier(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt),
		encode(stored[:]), encode(sign("Server Key"))), nil
}
