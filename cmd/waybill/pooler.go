package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io"
	"maps"
	"slices"
	"text/template"

	"waybill/db"
)

//go:embed pooler.sql
var poolerSQL string

var poolerPage = template.Must(template.New("pooler.sql").Parse(poolerSQL))

// poolerOptions are the parameters of the script.
type poolerOptions struct {
	Database, Login string
	Settings        []sessionSetting
}

// sessionSetting is a setting that sessions start with.
type sessionSetting struct{ Name, Value string }

// runPooler prints the SQL that gives a role the settings of its sessions. It needs no database.
func runPooler(_ context.Context, args []string, out io.Writer) error {
	var o poolerOptions
	var c db.Config
	flags := newFlags("pooler", out)
	env := &environment{flags: flags}
	flags.StringVar(&o.Database, "database", "waybill", "name of the database")
	flags.StringVar(&o.Login, "login", db.AppRole, "role that logs in: waybill_app, or a member of it")
	registerLimits(env, &c)
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, o.check(), checkLimits(&c)); err != nil {
		return err
	}
	own := db.SessionSettings(c)
	if o.Login == db.AppRole {
		delete(own, "role")
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		o.Settings = append(o.Settings, sessionSetting{name, own[name]})
	}
	return poolerPage.Execute(out, o)
}

func (o *poolerOptions) check() error {
	if !plainName.MatchString(o.Database) || !plainName.MatchString(o.Login) {
		return errors.New("--database and --login may contain only lower-case letters, digits and underscores")
	}
	return nil
}
