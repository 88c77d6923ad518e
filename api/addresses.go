package api

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// EmailAddress is an email address in a body: what HTML's <input type=email> takes, with the
// letters of every script. The constraint users_email_check has the same rule.
type EmailAddress string

const (
	labelEnd    = `[^\s\x00-/:-@\[-\x60{-\x7f]`   // a letter or a digit, of any script
	labelMiddle = `[^\s\x00-,./:-@\[-\x60{-\x7f]` // or a hyphen
	label       = labelEnd + `(?:` + labelMiddle + `{0,61}` + labelEnd + `)?`
	emailForm   = `^[^\s\x00-\x1f"(),:;<>@\[\\\]\x7f]{1,64}@` + label + `(?:\.` + label + `)*$`
)

// Schema implements huma.SchemaProvider.
func (EmailAddress) Schema(huma.Registry) *huma.Schema {
	return patternedText(emailForm, "an email address", 3, 254)
}

func (EmailAddress) rule() *textRule {
	return &textRule{func(text string) bool {
		return !strings.ContainsFunc(text, func(r rune) bool { return !isVisible(r) })
	}, "expected an email address"}
}

// E164 is a phone number in a body. The constraints of phone numbers have the same rule.
type E164 string

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// Schema implements huma.SchemaProvider.
func (E164) Schema(huma.Registry) *huma.Schema {
	return patternedText(e164.String(), "an E.164 number", 0, 0)
}

// patternedText is the schema of text that matches a pattern; what describes the pattern in words. A limit of
// 0 means none.
func patternedText(pattern, what string, least, most int) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Pattern: pattern, PatternDescription: what}
	if most > 0 {
		s.MinLength, s.MaxLength = &least, &most
	}
	s.PrecomputeMessages()
	return s
}

// ruled is a type of text that has a rule beyond its pattern.
type ruled interface{ rule() *textRule }

// ruleOf is the rule of a struct's field, nil if it has none.
func ruleOf(f reflect.StructField) *textRule {
	if t, _ := bare(f.Type); t != nil {
		if r, ok := reflect.Zero(t).Interface().(ruled); ok {
			return r.rule()
		}
	}
	return textRules[f.Tag.Get("pattern")]
}
