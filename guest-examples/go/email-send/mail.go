package main

import (
	"strings"
	"unicode"

	"flowmonkey"
)

// render puts the value of each {{name}} in its place. Values are not searched for placeholders.
func render(template string, vars map[string]string) (string, error) {
	var text strings.Builder
	for {
		before, tail, found := strings.Cut(template, "{{")
		text.WriteString(before)
		if !found {
			return text.String(), nil
		}
		name, after, closed := strings.Cut(tail, "}}")
		if !closed {
			return "", flowmonkey.Fatal("BAD_TEMPLATE", "a placeholder is not closed")
		}
		name = strings.TrimSpace(name)
		value, found := vars[name]
		if !found {
			return "", flowmonkey.Fatalf("MISSING_VARIABLE", "the placeholder %q has no value", name)
		}
		text.WriteString(value)
		template = after
	}
}

// isAddress catches slips, not every address that cannot exist: only the mail service knows those.
func isAddress(text string) bool {
	odd := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '@' }
	user, domain, _ := strings.Cut(text, "@")
	return user != "" && !strings.ContainsFunc(user, odd) &&
		strings.Contains(domain, ".") && !strings.ContainsFunc(domain, odd)
}
