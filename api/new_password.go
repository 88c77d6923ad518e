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

// minPassword is the minimum length of a password in characters.
const minPassword = 8

// prepare returns the canonical form of a password for hashing (PRECIS OpaqueString, RFC 8265), so that
// passwords that look the same on two keyboards are the same. It returns an error for control
// characters and the like.
func prepare(password string) (string, error) { return precis.OpaqueString.String(password) }

// formsOf returns the forms in which a password is compared: prepared, and as typed if that differs,
// since older hashes are of unprepared passwords. The number of forms depends only on the input.
func formsOf(password string) []string {
	prepared, err := prepare(password)
	if err != nil || prepared == password {
		return []string{password}
	}
	return []string{prepared, password}
}

// newPassword prepares a password to be stored. wrong explains why it is not acceptable, or is "".
func newPassword(password string) (prepared, wrong string) {
	prepared, err := prepare(password)
	switch {
	case strings.TrimSpace(password) == "" || err == nil && strings.TrimSpace(prepared) == "":
		return "", "The password must not be blank."
	case err != nil:
		return "", "The password may contain letters, digits, symbols and spaces, but no control characters."
	case utf8.RuneCountInString(prepared) < minPassword:
		return "", "The password must have at least 8 characters."
	case len(prepared) > maxPassword:
		return "", "The password must have at most 72 bytes."
	case isCommon(prepared):
		return "", "This password is too common: attackers try it first."
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

// HashPassword hashes a new password like create-user does, for command-line programs. wrong explains
// why it is not acceptable, or is "".
func HashPassword(password string, cost int) (hash, wrong string, err error) {
	prepared, wrong := newPassword(password)
	if wrong != "" {
		return "", wrong, nil
	}
	made, err := bcrypt.GenerateFromPassword([]byte(prepared), cost)
	return string(made), "", err
}
