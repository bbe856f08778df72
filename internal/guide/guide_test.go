package guide_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"preavviso/internal/guide"
)

var dotted = regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)

// kinds finds every kind of discrepancy that our code can open: constants named
// kind… or Trouble…, and words written where a kind is wanted.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	add := func(e ast.Expr, where token.Position) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && dotted.MatchString(s) {
				found[s] = where.String()
			}
		}
	}
	fset := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "storetest") {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if (strings.HasPrefix(strings.ToLower(name.Name), "kind") || strings.HasPrefix(name.Name, "Trouble")) && i < len(n.Values) {
						add(n.Values[i], fset.Position(n.Pos()))
					}
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if ok && (sel.Sel.Name == "Report" && len(n.Args) == 6 || sel.Sel.Name == "NewDiscrepancy" && len(n.Args) == 5) {
					for _, a := range n.Args {
						add(a, fset.Position(n.Pos()))
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 40 {
		t.Fatalf("only %d kinds found in the tree", len(found))
	}
	return found
}

// TestEveryKind checks that a person who meets a trouble is answered all three
// questions, in sentences.
func TestEveryKind(t *testing.T) {
	for kind, where := range kinds(t) {
		text, ok := guide.Of(kind)
		if !ok || !text.Complete() {
			t.Errorf("%s (%s): say in internal/guide what happened, what it means for the citizen and what to do now", kind, where)
			continue
		}
		for _, s := range []string{text.Happened, text.Citizen, text.Now} {
			if !strings.HasSuffix(s, ".") || utf8.RuneCountInString(s) > 240 {
				t.Errorf("%s: %q is no sentence of at most 240 characters", kind, s)
			}
		}
	}
	if _, ok := guide.Of("never.heard"); ok {
		t.Error("a kind that nobody knows has a text")
	}
}
