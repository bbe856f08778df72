package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "preavviso/"

// anyone stands for every package of this module.
const anyone = "*"

// What several packages may import.
const (
	useCase = "internal/fault internal/multe internal/avviso internal/store internal/cds"
	httpAPI = "internal/fault internal/multe internal/avviso internal/web internal/pool internal/verbali internal/payments" +
		" internal/registry internal/inbox internal/flussi" +
		" internal/documents" +
		" internal/worklist internal/exports internal/owners internal/visure" +
		" internal/webhooks" +
		" internal/photos internal/feedback" +
		" internal/prints internal/escpos internal/texts pdf"
)

// arrows is, for every package of this module, which others its code may import.
// Tests may import what they like.
var arrows = map[string]string{
	// The domain knows nobody.
	"internal/fault":  "",
	"internal/avviso": "",
	"internal/multe":  "internal/fault internal/avviso",
	"internal/cds":    "internal/fault internal/multe",
	"internal/store":  "internal/fault internal/multe",

	// Use cases never import each other.
	"internal/pool":        useCase,
	"internal/verbali":     useCase,
	"internal/payments":    useCase,
	"internal/dispatch":    useCase,
	"internal/inbox":       useCase,
	"internal/flussi":      useCase,
	"internal/registry":    useCase,
	"internal/receipts":    useCase,
	"internal/access":      useCase,
	"internal/documents":   useCase,
	"internal/worklist":    useCase,
	"internal/exports":     useCase,
	"internal/owners":      useCase,
	"internal/visure":      "internal/fault internal/multe",
	"internal/webhooks":    useCase,
	"internal/photos":      useCase,
	"internal/feedback":    useCase,
	"internal/idempotency": useCase,
	"internal/prints":      useCase + " internal/texts pdf", // the one use case whose outcome is paper (ADR 24)
	"internal/loop":        "",

	// Adapters never import use cases, nor each other.
	"internal/store/boltstore":        useCase,
	"internal/store/pgstore":          useCase,
	"internal/store/storetest":        useCase,
	"internal/ppay":                   "internal/fault internal/multe internal/avviso wsdl/epaywso",
	"internal/ppay/interop":           "", // tests only
	"internal/spool":                  "internal/fault internal/prints",
	"internal/portal":                 "internal/fault internal/multe internal/avviso",
	"internal/ppay/rest":              "internal/fault internal/multe internal/avviso internal/ppay",
	"internal/ppay/ppaysim":           "internal/fault internal/avviso wsdl wsdl/epaywso", // a stranger to our domain: it must not share our mistakes
	"internal/ppay/ppaysim/paritygen": "",
	"wsdl":                            "",
	"wsdl/epaygen":                    "",
	"wsdl/epaywso":                    "internal/avviso",

	// Paper never sees the store.
	"pdf":             "internal/fault internal/avviso internal/multe internal/assets internal/symbol internal/texts",
	"internal/escpos": "internal/fault internal/avviso internal/multe internal/assets internal/symbol internal/texts pdf",
	"internal/symbol": "internal/fault",
	"internal/texts":  "internal/fault",
	"internal/guide":  "",
	"internal/assets": "",

	// The edges speak HTTP to the use cases.
	"internal/web":         "internal/fault internal/multe",
	"internal/web/webtest": anyone, // only for the tests of the APIs
	"api":                  httpAPI + " internal/portal",
	"api/client":           "", // for strangers, as firmware-api/client is
	"firmware-api":         httpAPI,
	"firmware-api/client":  "", // firmware authors take it as it is; the standard library is enough for it
	"internal/backoffice":  httpAPI + " internal/access" + " internal/assets internal/dispatch internal/guide internal/store",

	// The top.
	"internal/config":  "internal/fault internal/multe",
	"internal/app":     anyone,
	"internal/certify": "firmware-api internal/avviso internal/documents internal/feedback internal/multe internal/photos internal/prints internal/pool internal/registry internal/store internal/store/boltstore internal/verbali",
	"internal/demo":    "internal/app internal/cds internal/config internal/avviso internal/multe internal/fault internal/ppay/ppaysim firmware-api/client",
	"cmd/preavviso":    "api/client internal/certify internal/portal internal/app internal/cds internal/config internal/demo internal/fault internal/avviso internal/texts internal/escpos pdf internal/multe internal/ppay internal/ppay/rest",
	"cmd/ppaysim":      "internal/ppay/ppaysim internal/config internal/fault",
	"cmd/palmare":      "firmware-api/client", // a stranger to the service, as a handheld is

	"internal/archtest": "",
}

// top is who nobody else imports, not even where anyone is allowed.
var top = []string{"internal/app", "internal/certify", "internal/demo", "cmd/preavviso", "cmd/ppaysim", "cmd/palmare"}

// modules is where the modules of others may be imported.
var modules = map[string]string{
	"github.com/boombuler/barcode":    "internal/symbol",
	"github.com/getkin/kin-openapi":   "internal/web internal/web/webtest api firmware-api",
	"github.com/gin-gonic/gin":        "internal/web api firmware-api internal/backoffice internal/app",
	"github.com/goccy/go-yaml":        "internal/cds internal/ppay/ppaysim",
	"github.com/google/go-cmp":        "internal/store/storetest",
	"github.com/hooklift/gowsdl":      "wsdl/epaygen wsdl/epaywso",
	"github.com/jackc/pgx":            "internal/store/pgstore",
	"github.com/jung-kurt/gofpdf":     "pdf",
	"github.com/makiuchi-d/gozxing":   "internal/symbol",
	"github.com/oapi-codegen/runtime": "api api/client firmware-api",
	"github.com/peterbourgon/ff":      "internal/config cmd/preavviso cmd/ppaysim",
	"go.etcd.io/bbolt":                "internal/store/boltstore internal/ppay/ppaysim internal/web/webtest",
	"github.com/pquerna/otp":          "internal/access",
	"github.com/coreos/go-oidc":       "internal/backoffice",
	"golang.org/x/oauth2":             "internal/backoffice",
	"golang.org/x/crypto":             "internal/access",
	"golang.org/x/image":              "internal/escpos",
	"golang.org/x/text":               "internal/avviso pdf internal/escpos internal/visure",
	"golang.org/x/sync":               "internal/app internal/demo internal/webhooks",
}

// pure packages decide and never act: they may not touch the machine, and never
// ask what time it is.
var pure = strings.Fields(`internal/fault internal/avviso internal/multe internal/cds internal/store internal/pool internal/verbali
	internal/payments internal/dispatch internal/inbox internal/flussi internal/registry internal/receipts internal/prints internal/photos internal/feedback internal/idempotency internal/documents internal/access internal/worklist internal/exports internal/owners internal/visure internal/portal pdf internal/escpos`)

var machine = strings.Fields("net os database syscall plugin unsafe io/ioutil path/filepath math/rand crypto/rand")

// clocks are the functions of package time that read the clock or wait.
var clocks = strings.Fields("Now Since Until After AfterFunc Tick NewTimer NewTicker Sleep")

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.ImportPath, "node_modules") {
			all = append(all, p)
		}
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

// under reports whether path is one of list or below one of them.
func under(path string, list []string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return path == l || strings.HasPrefix(path, l+"/") })
}

// faults returns what is wrong with the imports of p.
func faults(p pkg) []string {
	allowed, known := arrows[p.name()]
	if !known {
		return []string{fmt.Sprintf("%s is in no table: say in arrows what it may import", p.name())}
	}
	var wrong []string
	for _, imp := range p.Imports {
		ours, isOurs := strings.CutPrefix(imp, module)
		switch {
		case isOurs && slices.Contains(top, ours) && !slices.Contains(strings.Fields(allowed), ours):
			wrong = append(wrong, fmt.Sprintf("%s must not import %s: nobody imports the top", p.name(), ours))
		case isOurs && allowed != anyone && !slices.Contains(strings.Fields(allowed), ours):
			wrong = append(wrong, fmt.Sprintf("%s must not import %s", p.name(), ours))
		case isOurs:
		case strings.Contains(strings.Split(imp, "/")[0], "."):
			if !mayUse(p.name(), imp) {
				wrong = append(wrong, fmt.Sprintf("%s must not import the module of %s", p.name(), imp))
			}
		case slices.Contains(pure, p.name()) && under(imp, machine):
			wrong = append(wrong, fmt.Sprintf("%s decides and must not import %s", p.name(), imp))
		}
	}
	return wrong
}

func mayUse(name, imp string) bool {
	for m, users := range modules {
		if under(imp, []string{m}) {
			return slices.Contains(strings.Fields(users), name)
		}
	}
	return false
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range faults(p) {
			t.Error(f)
		}
	}
}

// TestTheTablesBite feeds the tables with what they must refuse.
func TestTheTablesBite(t *testing.T) {
	for _, test := range []struct {
		name, imp string
		ok        bool
	}{
		{"internal/pool", module + "internal/store", true},
		{"internal/pool", module + "internal/verbali", false},
		{"internal/pool", module + "internal/store/boltstore", false},
		{"internal/ppay", module + "internal/dispatch", false},
		{"internal/ppay/ppaysim", module + "internal/multe", false},
		{"internal/multe", module + "internal/store", false},
		{"internal/multe", "net/http", false},
		{"internal/multe", "os", false},
		{"internal/multe", "encoding/json", true},
		{"internal/dispatch", "crypto/rand", false},
		{"internal/dispatch", "database/sql", false},
		{"internal/app", module + "internal/store/boltstore", true},
		{"internal/app", module + "cmd/preavviso", false},
		{"api", module + "internal/app", false},
		{"internal/pool", "go.etcd.io/bbolt", false},
		{"internal/store/boltstore", "go.etcd.io/bbolt/errors", true},
		{"internal/store/boltstore", "example.org/unheard/of", false},
		{"internal/unheard", "fmt", false},
	} {
		got := faults(pkg{ImportPath: module + test.name, Imports: []string{test.imp}})
		if (len(got) == 0) != test.ok {
			t.Errorf("%s importing %s: %q, want allowed %t", test.name, test.imp, got, test.ok)
		}
	}
}

// TestTheDomainHasNoClock checks that whoever decides is told what time it is.
func TestTheDomainHasNoClock(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(pure, p.name()) {
			continue
		}
		for _, file := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, sel.Sel.Name) {
					t.Errorf("%s: time.%s in a package that is told the time", fset.Position(n.Pos()), sel.Sel.Name)
				}
				return true
			})
		}
	}
}
