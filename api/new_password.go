package api

import (
	_ "embed"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// minPassword is how many characters a password has at least.
const minPassword = 8

// prepare returns the one form in which a password is hashed (PRECIS OpaqueString, RFC
// 8265): what looks the same on two keyboards is the same password. It fails for control
// characters and the like, which no keyboard has.
func prepare(password string) (string, error) { return precis.OpaqueString.String(password) }

// formsOf lists what a password is compared as: prepared, and as it was typed where that
// is another, since hashes are stored that were made before passwords were prepared. How
// many there are depends on what was submitted alone.
func formsOf(password string) []string {
	prepared, err := prepare(password)
	if err != nil || prepared == password {
		return []string{password}
	}
	return []string{prepared, password}
}

// newPassword prepares a password that is to be stored. wrong says what keeps it from being
// one, "" if nothing does.
func newPassword(password string) (prepared, wrong string) {
	prepared, err := prepare(password)
	switch {
	case strings.TrimSpace(password) == "" || err == nil && strings.TrimSpace(prepared) == "":
		return "", "A password is not blank."
	case err != nil:
		return "", "A password has letters, digits, signs and spaces, and no control characters."
	case utf8.RuneCountInString(prepared) < minPassword:
		return "", "A password has at least 8 characters."
	case len(prepared) > maxPassword:
		return "", "A password has at most 72 bytes."
	case isCommon(prepared):
		return "", "This password is one of the commonest, which are tried first."
	}
	return prepared, ""
}

//go:embed common_passwords.txt
var commonPasswords string

var common = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(commonPasswords) {
		all[strings.ToLower(strings.TrimSpace(line))] = true
	}
	return all
})

func isCommon(prepared string) bool { return common()[strings.ToLower(norm.NFKC.String(prepared))] }

// HashPassword makes the hash of a new password, as create-user does, for a program that
// has a terminal to ask for it. wrong says what keeps it from being one, "" if nothing does.
func HashPassword(password string, cost int) (hash, wrong string, err error) {
	prepared, wrong := newPassword(password)
	if wrong != "" {
		return "", wrong, nil
	}
	made, err := bcrypt.GenerateFromPassword([]byte(prepared), cost)
	return string(made), "", err
}
