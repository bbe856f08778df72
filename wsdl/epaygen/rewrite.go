package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"strings"
)

// unreliable are the elements that the schema wants and the platform leaves
// out; they are pointers, so that a message without them stays without them.
var unreliable = map[string]bool{
	"CorpoRichiesteDiRevocaType.RichiestaDiRevocaResponse": true, // epayjob, TrasmettiRichiesteDiRevoca.java
	"FlussoDettaglioType.AnagraficaPagatore":               true, // epaymodric, TrasmissioneFlussiManagerImpl.java:931-938
}

// isPointer says that an element of ct is a pointer in Go: it may be missing,
// and its zero value is something else than missing.
func isPointer(ct *complexType, e element) bool {
	switch e.kind {
	case kindComplex:
		return !e.repeated() && (e.optional() || unreliable[ct.goName+"."+e.name.Local])
	case kindImporto, kindBool, kindSigned, kindWhole:
		return e.optional()
	}
	return false
}

// rewrite splits gowsdl's source into types and client, and repairs it.
func rewrite(c *contract, src []byte) (types, client []byte, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "gowsdl.go", src, parser.ParseComments)
	if err != nil {
		return nil, nil, err
	}
	structs, enums := map[string]*complexType{}, map[string]string{}
	root := map[string]bool{}
	for _, m := range c.messages {
		structs[m.goName], root[m.goName] = m, true
	}
	for _, t := range c.types {
		structs[t.goName] = t
	}
	for _, s := range c.simples {
		if s.kind == kindEnum {
			enums[s.name.Local] = s.doc
		}
	}
	var tb, cb bytes.Buffer
	tb.WriteString("package epaywso\n")
	cb.WriteString("package epaywso\n\nimport (\n\"context\"\n\n\"github.com/hooklift/gowsdl/soap\"\n)\n")
	emit := func(b *bytes.Buffer, doc string, d ast.Decl) error {
		b.WriteString("\n")
		for _, line := range wrap(doc) {
			b.WriteString("// " + line + "\n")
		}
		var decl bytes.Buffer
		if err := printer.Fprint(&decl, fset, d); err != nil {
			return err
		}
		for line := range strings.Lines(decl.String() + "\n") {
			if strings.TrimSpace(line) != "" { // the template leaves many
				b.WriteString(line)
			}
		}
		return nil
	}
	done := 0
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if keep, doc := repairFunc(d); keep {
				err = emit(&cb, doc, d)
			}
		case *ast.GenDecl:
			if d.Tok == token.CONST {
				err = emit(&tb, "", d)
			}
			if d.Tok != token.TYPE {
				break
			}
			spec := d.Specs[0].(*ast.TypeSpec)
			name, isStruct := spec.Name.Name, false
			d.Doc = nil
			switch t := spec.Type.(type) {
			case *ast.InterfaceType:
				keepContextMethods(t)
				err = emit(&cb, name+" are the operations of the service of that name.", d)
			case *ast.StructType:
				ct := structs[name]
				if isStruct = ct != nil; !isStruct {
					if name != "AnyType" {
						err = emit(&cb, "", d) // the client behind the interface
					}
					break
				}
				done++
				if err = repairStruct(ct, t, root[name]); err == nil {
					err = emit(&tb, typeDoc(ct), d)
				}
			case *ast.Ident:
				if doc, ok := enums[name]; ok {
					done++
					err = emit(&tb, doc, d)
				}
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if done != len(structs)+len(enums) {
		return nil, nil, fmt.Errorf("%d types, want %d", done, len(structs)+len(enums))
	}
	return tb.Bytes(), cb.Bytes(), nil
}

// repairStruct gives the fields of a type their namespace, and pointers and
// omitempty where they are due and nowhere else.
func repairStruct(ct *complexType, t *ast.StructType, root bool) error {
	fields := t.Fields.List
	if root {
		// An empty struct, so that a message that was read equals one that was made.
		fields[0].Type = ast.NewIdent("struct{}")
		fields[0].Tag = tag(ct.name.Space + " " + ct.name.Local)
		fields = fields[1:]
	}
	if len(fields) != len(ct.elements) {
		return fmt.Errorf("%s has %d fields, want %d", ct.name.Local, len(fields), len(ct.elements))
	}
	for i, f := range fields {
		e := ct.elements[i]
		if len(f.Names) != 1 || f.Names[0].Name != e.field() {
			return fmt.Errorf("%s: field %d is not %s", ct.name.Local, i, e.name.Local)
		}
		typ := bare(f.Type)
		if typ == nil {
			return fmt.Errorf("%s.%s: strange type", ct.name.Local, e.name.Local)
		}
		if better := replaced[typ.Name]; better != "" {
			typ = ast.NewIdent(better)
		}
		switch {
		case e.repeated():
			f.Type = &ast.ArrayType{Elt: typ}
		case isPointer(ct, e):
			f.Type = &ast.StarExpr{X: typ}
		default:
			f.Type = typ
		}
		// Only where zero is no value of the type: a missing one stays missing.
		options := ""
		if e.kind == kindText || e.kind == kindEnum || e.kind == kindInt {
			options = ",omitempty"
		}
		f.Tag = tag(e.name.Space + " " + e.name.Local + options)
	}
	return nil
}

func tag(value string) *ast.BasicLit {
	return &ast.BasicLit{Kind: token.STRING, Value: "`xml:\"" + value + "\"`"}
}

// replaced are gowsdl's types that we have a better one for.
var replaced = map[string]string{"int32": "int", "XSDDate": "Date", "XSDDateTime": "DateTime"}

// bare strips what gowsdl guessed about lists and pointers, and its package.
func bare(t ast.Expr) *ast.Ident {
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ArrayType:
			t = x.Elt
		case *ast.SelectorExpr:
			return x.Sel
		case *ast.Ident:
			return x
		default:
			return nil
		}
	}
}

const contextSuffix = "Context"

// keepContextMethods drops the methods without a context and gives their names
// to those with one.
func keepContextMethods(t *ast.InterfaceType) {
	var kept []*ast.Field
	for _, m := range t.Methods.List {
		if name, ok := strings.CutSuffix(m.Names[0].Name, contextSuffix); ok {
			m.Names[0].Name = name
			kept = append(kept, m)
		}
	}
	t.Methods.List = kept
}

// repairFunc does the same to the methods of the clients.
func repairFunc(d *ast.FuncDecl) (keep bool, doc string) {
	d.Doc = nil
	if d.Recv == nil {
		return true, d.Name.Name + " returns a client of the service over client."
	}
	name, ok := strings.CutSuffix(d.Name.Name, contextSuffix)
	d.Name.Name = name
	return ok, ""
}

func typeDoc(ct *complexType) string {
	if ct.doc != "" || len(ct.elements) == 0 {
		return ct.doc
	}
	return ct.goName + " is a list of " + ct.elements[0].name.Local + "."
}

// wrap breaks a line of prose at 77 columns.
func wrap(s string) []string {
	const width = 77
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// finish formats a generated source and says that it is one.
func finish(src []byte) ([]byte, error) {
	if len(src) == 0 {
		return nil, errors.New("nothing was generated")
	}
	return format.Source(append([]byte("// Code generated by epaygen. DO NOT EDIT.\n\n"), src...))
}
