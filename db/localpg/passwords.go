package localpg

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// passwords returns the roles' passwords for TCP, generated at the first call and stored with the data.
func (f *folder) passwords() (map[string]string, error) {
	text, err := os.ReadFile(f.file("passwords.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return f.newPasswords()
	}
	if err != nil {
		return nil, err
	}
	var known map[string]string
	return known, json.Unmarshal(text, &known)
}

func (f *folder) newPasswords() (map[string]string, error) {
	made := map[string]string{Superuser: rand.Text(), Owner: rand.Text(), App: rand.Text()}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return nil, err
	}
	return made, os.WriteFile(f.file("passwords.json"), text, 0o600)
}
