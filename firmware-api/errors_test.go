package firmwareapi_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faultCode finds the codes of the errors that a file makes.
var faultCode = regexp.MustCompile(`(?:fault\.(?:New|Wrap)\(fault\.\w+, |refuse\(c, [\w.]+, |\bcode\w+ += )"([a-z0-9]+\.[a-z_]+)"`)

// word finds whatever looks like a code.
var word = regexp.MustCompile(`"([a-z0-9]+\.[a-z_]+)"`)

// officeOnly are errors of the same files that no handheld can meet.
var officeOnly = map[string]string{
	"verbale.already_recorded": "the office's entry of a verbale", "verbale.bad_causale": "the office's entry of a verbale",
	"verbale.register_used": "the office's entry of a verbale", "code.no_number": "an order of the office's platform",
	"code.on_verbale": "annulling a code", "code.undo_too_late": "annulling a code",
	"creditor.exists": "adding a creditor", "device.bad_name": "adding a handheld", "device.unknown": "managing handhelds", "device.revoked": "inviting a handheld",
	"invite.unknown": "inviting a person", "operator.bad_name": "adding an operator", "operator.login_taken": "adding an operator",
	"message.bad_expiry": "writing a message", "message.bad_text": "writing a message", "message.bad_id": "writing a message", "message.other_body": "writing a message", "message.too_many": "writing a message",
	"device.not_enrolled": "lending to a handheld that is not enrolled: it cannot call",
	"lease.bad_id":        "openapi.yaml says it first", "lease.bad_want": "openapi.yaml says it first", "return.bad_id": "openapi.yaml says it first", "return.bad_positions": "openapi.yaml says it first",
	"code.bad_reason": "openapi.yaml says it first", "photo.bad_id": "openapi.yaml says it first", "photo.bad_hash": "openapi.yaml says it first", "feedback.bad_cursor": "openapi.yaml says it first", "feedback.bad_limit": "openapi.yaml says it first",
	"print.bad_id": "openapi.yaml says it first", "creditor.changed": "two people change a creditor", "verbale.bad_reason": "the office's entry of a verbale",
	"auth.missing":   "an API without signatures",
	"photo.no_bytes": "the office looks at a photo", "photo.not_shown": "the office looks at a photo", "photo.bad_size": "the office looks at a photo",
	"idempotency.bad_key": "the office's API", "idempotency.missing": "the office's API",
	"print.busy": "the office's prints", "print.other_request": "the office's prints", "print.unknown": "the office's prints",
}

// TestErrorTable: the README has every error that a handheld can meet, and none that
// nobody makes.
func TestErrorTable(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(raw), "\n## What to do with an error\n")
	if !ok {
		t.Fatal("no table of errors")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	said := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z0-9]+\\.[a-z_]+)`").FindAllStringSubmatch(table, -1) {
		said[m[1]] = true
	}
	made, known := map[string]bool{}, map[string]bool{}
	for _, pattern := range []string{
		"*.go", "../internal/web/*.go", "../internal/photos/*.go", "../internal/feedback/*.go", "../internal/pool/pool.go", "../internal/pool/back.go", "../internal/pool/void.go",
		"../internal/registry/registry.go", "../internal/verbali/verbali.go", "../internal/verbali/givenup.go", "../internal/prints/prints.go", "../internal/documents/shift.go", "../internal/escpos/*.go",
		"../internal/multe/code.go", "../internal/multe/device.go", "../internal/multe/creditor.go", "../internal/multe/lease.go", "../internal/multe/photo.go",
		"../internal/multe/personal.go", "../internal/multe/slip.go", "../internal/multe/spoil.go", "../internal/multe/verbale.go",
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("nothing is ", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range faultCode.FindAllStringSubmatch(string(text), -1) {
				made[m[1]] = true
			}
			for _, m := range word.FindAllStringSubmatch(string(text), -1) {
				known[m[1]] = true
			}
		}
	}
	if len(made) < 40 {
		t.Fatalf("only %d errors found: the pattern is wrong", len(made))
	}
	var missing, dead []string
	for code := range made {
		if !said[code] && officeOnly[code] == "" && !strings.HasSuffix(code, "_") {
			missing = append(missing, code)
		}
	}
	for code := range said {
		prefix, _, _ := strings.Cut(code, "_")
		if !known[code] && !known[prefix+"_"] {
			dead = append(dead, code)
		}
	}
	for code := range officeOnly {
		if said[code] {
			t.Errorf("%s is of the office, and in the table", code)
		}
	}
	slices.Sort(missing)
	slices.Sort(dead)
	if len(missing)+len(dead) > 0 {
		t.Errorf("not in the table: %v\nmade by nobody: %v", missing, dead)
	}
}
