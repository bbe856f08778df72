package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
)

// useCases are the packages that write history.
var useCases = []string{"access", "dispatch", "documents", "exports", "feedback", "flussi", "inbox", "owners", "payments", "photos", "pool", "prints", "receipts", "registry", "verbali", "webhooks", "worklist"}

// writers are the functions of those packages that take an action as a string.
var writers = []string{"add", "audit", "batch", "change", "code", "putDevice", "revise", "appealed", "look", "put", "logged", "countFailure", "end"}

// TestEveryActionHasASentence reads the actions out of the source of the use
// cases, so that a new one cannot reach the office without a text.
func TestEveryActionHasASentence(t *testing.T) {
	used := map[string]bool{}
	for _, k := range []multe.ChangeKind{multe.ChangeActivate, multe.ChangeReset, multe.ChangeUpdate, multe.ChangeVoid} {
		used["change."+string(k)] = true // "change." + string(kind), package verbali
	}
	for _, s := range []multe.ChangeState{multe.ChangeSealed, multe.ChangeQueued, multe.ChangeApplied, multe.ChangeRefused, multe.ChangeUnknown} {
		used["change."+string(s)] = true // "change." + string(state), package dispatch
	}
	for _, s := range []multe.PhotoState{multe.PhotoWaiting, multe.PhotoKept, multe.PhotoRefused, multe.PhotoDropped, multe.PhotoExpired} {
		used["photo."+string(s)] = true // "photo." + string(state), package photos
	}
	for _, k := range multe.PrintKinds() {
		used["print."+string(k)] = true // "print." + string(kind), package prints
	}
	used["print.self_check"] = true // a constant of package prints, which its errors have too
	for _, name := range useCases {
		sources, err := filepath.Glob("../internal/" + name + "/*.go")
		if err != nil || len(sources) == 0 {
			t.Fatalf("no source of %s: %v", name, err)
		}
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				for _, e := range actions(n) {
					if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						if s, err := strconv.Unquote(lit.Value); err == nil && dotted.MatchString(s) {
							used[s] = true
						}
					}
				}
				return true
			})
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(sentences))); diff != "" {
		t.Errorf("actions (-written by the use cases +with a sentence):\n%s", diff)
	}
}

var dotted = regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)

// actions returns what n may use as an action.
func actions(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.KeyValueExpr: // AuditEntry{Action: "code.assigned"}
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Action" {
			return []ast.Expr{n.Value}
		}
	case *ast.ValueSpec: // const actionReturned = "code.returned"
		if strings.HasPrefix(n.Names[0].Name, "action") {
			return n.Values
		}
	case *ast.AssignStmt: // action = "code.available"
		if to, ok := n.Lhs[0].(*ast.Ident); ok && to.Name == "action" {
			return n.Rhs
		}
	case *ast.CallExpr: // h.audit("code.paid", …)
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if slices.Contains(writers, name) {
			return n.Args
		}
	}
	return nil
}

func TestSentence(t *testing.T) {
	for _, tt := range []struct {
		entry multe.AuditEntry
		want  string
	}{
		{multe.AuditEntry{Action: "code.paid"}, "Codice pagato."},
		{multe.AuditEntry{Action: "change.postponed", Code: "177"}, "Comunicazione rimandata: sarà ripetuta. Codice di PiemontePAY: 177."},
		{multe.AuditEntry{Action: "code.sold"}, "Evento «code.sold»."},
	} {
		if got := Sentence(tt.entry); got != tt.want {
			t.Errorf("Sentence(%+v) = %q, want %q", tt.entry, got, tt.want)
		}
	}
}
