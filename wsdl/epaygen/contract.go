package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A contract is what the generator needs to know of the WSDLs: their
// operations, and every type that a message reaches. Extensions, nested groups
// and anonymous types are already resolved: a type is a name and a flat list of
// elements in document order.
type contract struct {
	services  []service
	documents []*complexType // those of the messages that are no message of a service
	messages  []*complexType // root elements, in the order of the operations
	types     []*complexType // what they reach, in the order of first need
	simples   []*simpleType  // likewise
}

type service struct {
	name, binding string
	operations    []operation
}

type operation struct {
	name, soapAction string
	goName           string
	input, output    *complexType
}

type complexType struct {
	name     xml.Name
	goName   string
	doc      string
	elements []element
}

// kind is how the content of an element appears in Go.
type kind int

const (
	kindComplex  kind = iota
	kindText          // string
	kindEnum          // a named string
	kindInt           // int
	kindBool          // bool
	kindImporto       // Importo
	kindDate          // Date
	kindDateTime      // DateTime
	kindBase64        // Base64
	kindSigned        // ImportoSigned
	kindWhole         // int, of which 0 is a value
	kindNullInt       // NullInt
)

// unbounded is the max of a list without a limit.
const unbounded = math.MaxInt

type element struct {
	name     xml.Name // with the namespace of the schema that declares it
	doc      string
	min, max int
	nillable bool
	choice   int // elements of one choice share a number above 0
	kind     kind
	simple   *simpleType  // unless kind is complex or the type is built in
	complex  *complexType // if kind is complex
}

// repeated says that the element is a list.
func (e element) repeated() bool { return e.max > 1 }

// optional says that the element may be left out.
func (e element) optional() bool { return e.min == 0 || e.choice > 0 }

// field is the name of the element in Go.
func (e element) field() string { return public(e.name.Local) }

func public(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

type simpleType struct {
	name   xml.Name
	doc    string
	kind   kind
	facets facets
}

// facets are the limits of a simple type as the schema writes them.
type facets struct {
	minLength, maxLength        string
	minInclusive, maxInclusive  string
	totalDigits, fractionDigits string
	pattern                     string
	enumeration                 []string
}

// A node is an XML element.
type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []*node    `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (n *node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all returns the children with a local name, child the first of them or nil.
func (n *node) all(local string) []*node {
	var out []*node
	for _, c := range n.Children {
		if c.XMLName.Local == local {
			out = append(out, c)
		}
	}
	return out
}

func (n *node) child(local string) *node {
	if all := n.all(local); len(all) > 0 {
		return all[0]
	}
	return nil
}

// documentation returns what is written about n, as one line.
func (n *node) documentation() string {
	if a := n.child("annotation"); a != nil {
		if d := a.child("documentation"); d != nil {
			return strings.Join(strings.Fields(d.Text), " ")
		}
	}
	return ""
}

// A document is a WSDL or a schema. Prefixes count for the whole of it, as the
// root declares them.
type document struct {
	root     *node
	prefixes map[string]string
}

func readDocument(path string) (*document, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	root := &node{}
	if err := xml.Unmarshal(raw, root); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return newDocument(root, nil), nil
}

// newDocument returns the document under root, which may use the prefixes of
// what it stands in.
func newDocument(root *node, outer map[string]string) *document {
	d := &document{root: root, prefixes: map[string]string{}}
	maps.Copy(d.prefixes, outer)
	for _, a := range root.Attrs {
		switch {
		case a.Name.Space == "xmlns":
			d.prefixes[a.Name.Local] = a.Value
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			d.prefixes[""] = a.Value
		}
	}
	return d
}

// qname resolves a prefixed name in an attribute value.
func (d *document) qname(s string) xml.Name {
	prefix, local, found := strings.Cut(s, ":")
	if !found {
		prefix, local = "", s
	}
	return xml.Name{Space: d.prefixes[prefix], Local: local}
}

// A loader reads schemas as they are imported and resolves what messages reach.
type loader struct {
	contract *contract
	schemas  map[string]*document // by target namespace
	types    map[xml.Name]*complexType
	simples  map[xml.Name]*simpleType
	goNames  map[string]*complexType // all services share one Go package
	choices  int
	prefix   string // of the Go names
}

// A source is one file of the contract: a service (.wsdl), or a document that
// travels inside of a message (.xsd).
type source struct {
	file string
	// prefix is put before every Go name, because two services have different
	// messages of one name, and different schemas of one namespace.
	prefix string
}

const xsd = "http://www.w3.org/2001/XMLSchema"

// load reads a contract.
func load(dir string, sources []source) (*contract, error) {
	c, goNames, loaders := &contract{}, map[string]*complexType{}, map[string]*loader{}
	for _, s := range sources {
		l := loaders[s.prefix]
		if l == nil {
			l = &loader{
				contract: c,
				schemas:  map[string]*document{},
				types:    map[xml.Name]*complexType{},
				simples:  map[xml.Name]*simpleType{},
				goNames:  goNames,
				prefix:   s.prefix,
			}
			loaders[s.prefix] = l
		}
		read := l.service
		if strings.HasSuffix(s.file, ".xsd") {
			read = l.document
		}
		if err := read(dir, s.file); err != nil {
			return nil, fmt.Errorf("%s: %w", s.file, err)
		}
	}
	return c, nil
}

// document reads a schema whose every root element is a message.
func (l *loader) document(dir, name string) error {
	d, err := readDocument(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := l.schema(dir, name, d); err != nil {
		return err
	}
	for _, n := range d.root.all("element") {
		m, err := l.message(xml.Name{Space: d.root.attr("targetNamespace"), Local: n.attr("name")})
		if err != nil {
			return err
		}
		l.contract.documents = append(l.contract.documents, m)
	}
	return nil
}

// schema takes in a schema and what it imports.
func (l *loader) schema(dir, name string, d *document) error {
	if d.root.attr("elementFormDefault") != "qualified" {
		return fmt.Errorf("%s has unqualified elements", name)
	}
	l.schemas[d.root.attr("targetNamespace")] = d
	return l.imports(dir, d.root)
}

func (l *loader) service(dir, name string) error {
	d, err := readDocument(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	for _, t := range d.root.all("types") {
		for _, s := range t.all("schema") {
			if s.attr("targetNamespace") == "" {
				if err := l.imports(dir, s); err != nil {
					return err
				}
			} else if err := l.schema(dir, name, newDocument(s, d.prefixes)); err != nil {
				return err
			}
		}
	}
	port, binding, svc := d.root.child("portType"), d.root.child("binding"), d.root.child("service")
	if port == nil || binding == nil || svc == nil {
		return errors.New("no portType, binding or service")
	}
	elements := map[string]xml.Name{} // of messages
	for _, m := range d.root.all("message") {
		if p := m.child("part"); p != nil {
			elements[m.attr("name")] = d.qname(p.attr("element"))
		}
	}
	actions := map[string]string{}
	for _, o := range binding.all("operation") {
		if so := o.child("operation"); so != nil {
			actions[o.attr("name")] = so.attr("soapAction")
		}
	}
	s := service{name: svc.attr("name"), binding: binding.attr("name")}
	for _, o := range port.all("operation") {
		op := operation{name: o.attr("name"), goName: l.prefix + o.attr("name")}
		op.soapAction = actions[op.name]
		in, out := o.child("input"), o.child("output")
		if in == nil || out == nil || op.soapAction == "" {
			return fmt.Errorf("operation %s lacks an input, an output or a soapAction", op.name)
		}
		if op.input, err = l.message(elements[d.qname(in.attr("message")).Local]); err != nil {
			return fmt.Errorf("operation %s: %w", op.name, err)
		}
		if op.output, err = l.message(elements[d.qname(out.attr("message")).Local]); err != nil {
			return fmt.Errorf("operation %s: %w", op.name, err)
		}
		s.operations = append(s.operations, op)
	}
	l.contract.services = append(l.contract.services, s)
	return nil
}

func (l *loader) imports(dir string, schema *node) error {
	for _, i := range schema.all("import") {
		ns := i.attr("namespace")
		at := i.attr("schemaLocation")
		if l.schemas[ns] != nil || at == "" { // an inline schema that stands beside this one
			continue
		}
		d, err := readDocument(filepath.Join(dir, at))
		if err != nil {
			return err
		}
		if got := d.root.attr("targetNamespace"); got != ns {
			return fmt.Errorf("%s has namespace %s, not %s", at, got, ns)
		}
		if err := l.schema(dir, at, d); err != nil {
			return err
		}
	}
	return nil
}

// find returns a global component and the schema it is in.
func (l *loader) find(what string, name xml.Name) (*document, *node) {
	d := l.schemas[name.Space]
	if d == nil {
		return nil, nil
	}
	for _, n := range d.root.all(what) {
		if n.attr("name") == name.Local {
			return d, n
		}
	}
	return nil, nil
}

// message resolves a root element.
func (l *loader) message(name xml.Name) (*complexType, error) {
	for _, m := range l.contract.messages {
		if m.name == name {
			return m, nil
		}
	}
	d, n := l.find("element", name)
	if n == nil {
		return nil, fmt.Errorf("no element %s", name.Local)
	}
	m := l.complex(name, n.documentation())
	var err error
	if ref := n.attr("type"); ref != "" {
		err = l.content(d.qname(ref), m)
	} else if ct := n.child("complexType"); ct != nil {
		err = l.particles(d, ct, m, 0)
	} else {
		err = errors.New("no type")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name.Local, err)
	}
	if err := l.claim(m); err != nil {
		return nil, err
	}
	l.contract.messages = append(l.contract.messages, m)
	return m, nil
}

// complex returns a type without elements. A text that does not begin with a
// name gets the one that the type has in Go.
func (l *loader) complex(name xml.Name, doc string) *complexType {
	t := &complexType{name: name, goName: l.prefix + public(name.Local), doc: doc}
	if doc != "" && doc[0] >= 'a' && doc[0] <= 'z' {
		t.doc = t.goName + " " + doc
	}
	return t
}

// content appends the elements of a global complex type to ct.
func (l *loader) content(name xml.Name, ct *complexType) error {
	d, n := l.find("complexType", name)
	if n == nil {
		return fmt.Errorf("no complex type %s", name.Local)
	}
	return l.particles(d, n, ct, 0)
}

// particles appends to ct the elements that n holds, group within group.
func (l *loader) particles(d *document, n *node, ct *complexType, choice int) error {
	for _, c := range n.Children {
		var err error
		switch c.XMLName.Local {
		case "annotation":
		case "sequence":
			if choice > 0 || occurs(c) != [2]string{} {
				return errors.New("a sequence that repeats, or inside a choice, is not supported")
			}
			err = l.particles(d, c, ct, 0)
		case "choice":
			if choice > 0 || occurs(c) != [2]string{} {
				return errors.New("a choice that repeats, or inside a choice, is not supported")
			}
			l.choices++
			err = l.particles(d, c, ct, l.choices)
		case "complexContent":
			err = l.particles(d, c, ct, 0)
		case "extension":
			if err = l.content(d.qname(c.attr("base")), ct); err == nil {
				err = l.particles(d, c, ct, 0)
			}
		case "element":
			var e element
			if e, err = l.element(d, c, choice); err == nil {
				ct.elements = append(ct.elements, e)
			}
		default:
			return fmt.Errorf("%s is not supported", c.XMLName.Local)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func occurs(n *node) [2]string { return [2]string{n.attr("minOccurs"), n.attr("maxOccurs")} }

func (l *loader) element(d *document, n *node, choice int) (element, error) {
	e := element{
		name: xml.Name{Space: d.root.attr("targetNamespace"), Local: n.attr("name")},
		doc:  n.documentation(), min: 1, max: 1, choice: choice,
	}
	wrap := func(err error) (element, error) { return e, fmt.Errorf("%s: %w", e.name.Local, err) }
	var err error
	if s := n.attr("minOccurs"); s != "" {
		if e.min, err = strconv.Atoi(s); err != nil {
			return wrap(err)
		}
	}
	if s := n.attr("maxOccurs"); s == "unbounded" {
		e.max = unbounded
	} else if s != "" {
		if e.max, err = strconv.Atoi(s); err != nil {
			return wrap(err)
		}
	}
	if err := l.elementType(d, n, &e); err != nil {
		return wrap(err)
	}
	if n.attr("nillable") == "true" && e.kind == kindWhole && !e.optional() && !e.repeated() {
		e.kind, e.nillable = kindNullInt, true
	}
	switch {
	case e.name.Local == "" || e.max < 1 || n.attr("nillable") != "" && !e.nillable || n.attr("ref") != "" || n.attr("default") != "" || n.attr("fixed") != "":
		return wrap(errors.New("not supported"))
	case e.kind != kindComplex && (e.repeated() && e.kind != kindText || choice > 0):
		return wrap(errors.New("a simple type in a choice, or in a list if it is no text, is not supported"))
	case e.kind == kindBase64 && e.optional():
		return wrap(errors.New("an optional base64Binary is not supported"))
	}
	return e, nil
}

// builtins are the types that need no declaration.
var builtins = map[string]kind{
	"string": kindText, "boolean": kindBool, "date": kindDate, "dateTime": kindDateTime, "base64Binary": kindBase64,
	"integer": kindWhole, "decimal": kindSigned,
}

// elementType finds out what an element holds.
func (l *loader) elementType(d *document, n *node, e *element) (err error) {
	ref := n.attr("type")
	if ref == "" {
		ct := n.child("complexType")
		if ct == nil {
			return errors.New("no type")
		}
		// Lifted: an anonymous type gets the name of its element. Two that look
		// the same are the same.
		lifted := l.complex(e.name, ct.documentation())
		if err := l.particles(d, ct, lifted, 0); err != nil {
			return err
		}
		if same := l.goNames[lifted.goName]; same != nil && reflect.DeepEqual(same, lifted) {
			lifted = same
		} else if err := l.claim(lifted); err != nil {
			return err
		} else {
			l.contract.types = append(l.contract.types, lifted)
		}
		e.complex = lifted
		return nil
	}
	name := d.qname(ref)
	if name.Space == xsd {
		k, ok := builtins[name.Local]
		if !ok {
			return fmt.Errorf("%s is not supported", ref)
		}
		e.kind = k
		return nil
	}
	if _, st := l.find("simpleType", name); st != nil {
		if e.simple, err = l.simple(name); err != nil {
			return fmt.Errorf("%s: %w", name.Local, err)
		}
		e.kind = e.simple.kind
		if e.kind == kindDate || e.kind == kindDateTime {
			e.simple = nil // another name of the built-in type
		}
		return nil
	}
	if e.complex = l.types[name]; e.complex != nil {
		return nil
	}
	_, t := l.find("complexType", name)
	if t == nil {
		return fmt.Errorf("no type %s", ref)
	}
	ct := l.complex(name, t.documentation())
	if err := l.content(name, ct); err != nil {
		return fmt.Errorf("%s: %w", name.Local, err)
	}
	if err := l.claim(ct); err != nil {
		return err
	}
	l.types[name], e.complex = ct, ct
	l.contract.types = append(l.contract.types, ct)
	return nil
}

// claim takes the Go name of a type.
func (l *loader) claim(ct *complexType) error {
	if l.goNames[ct.goName] != nil {
		return fmt.Errorf("two different types would be called %s", ct.goName)
	}
	l.goNames[ct.goName] = ct
	return nil
}

// importoFacets are the limits that the scalar Importo is written for.
var importoFacets = facets{minInclusive: "0.00", maxInclusive: "999999999.99", totalDigits: "12", fractionDigits: "2"}

// constant matches a value that gowsdl can name a constant after; a list of
// others is a limited text.
var constant = regexp.MustCompile(`^[A-Z_]{2,}$`)

func (l *loader) simple(name xml.Name) (*simpleType, error) {
	if st := l.simples[name]; st != nil {
		return st, nil
	}
	d, n := l.find("simpleType", name)
	r := n.child("restriction")
	if r == nil {
		return nil, errors.New("only restrictions are supported")
	}
	st := &simpleType{name: name, doc: n.documentation()}
	f := &st.facets
	single := map[string]*string{
		"minLength": &f.minLength, "maxLength": &f.maxLength, "pattern": &f.pattern,
		"minInclusive": &f.minInclusive, "maxInclusive": &f.maxInclusive,
		"totalDigits": &f.totalDigits, "fractionDigits": &f.fractionDigits,
	}
	for _, c := range r.Children {
		v, what := c.attr("value"), c.XMLName.Local
		switch p := single[what]; {
		case what == "annotation":
		case what == "enumeration":
			f.enumeration = append(f.enumeration, v)
		case what == "length" && f.minLength == "" && f.maxLength == "":
			f.minLength, f.maxLength = v, v
		case p == nil:
			return nil, fmt.Errorf("facet %s is not supported", what)
		case *p != "":
			return nil, fmt.Errorf("two facets %s", what)
		default:
			*p = v
		}
	}
	// Zero must mean absent, or the Go type would need a pointer.
	switch base := d.qname(r.attr("base")); {
	case base == xml.Name{Space: xsd, Local: "string"}:
		st.kind = kindText
		if len(f.enumeration) > 0 && !slices.ContainsFunc(f.enumeration, func(v string) bool { return !constant.MatchString(v) }) {
			st.kind = kindEnum
		}
		if f.enumeration == nil && f.pattern == "" && (f.minLength == "" || f.minLength == "0") {
			return nil, errors.New("a text that may be empty is not supported")
		}
		// Where the two dialects agree, a Go expression is the XSD one.
		if re, err := regexp.Compile(f.pattern); err != nil || regexp.MustCompile(`\\[a-zA-Z]|[\^$]|-\[`).MatchString(f.pattern) {
			return nil, fmt.Errorf("pattern %s is not supported", f.pattern)
		} else if f.pattern != "" && regexp.MustCompile(`\A(?:`+re.String()+`)\z`).MatchString("") {
			return nil, errors.New("a text that may be empty is not supported")
		}
	case base == xml.Name{Space: xsd, Local: "integer"}:
		st.kind = kindInt
		lo, err := strconv.Atoi(f.minInclusive)
		if _, err2 := strconv.Atoi(f.maxInclusive); err != nil || err2 != nil || lo < 1 {
			return nil, errors.New("an integer needs two bounds above 0")
		}
	case base == xml.Name{Space: xsd, Local: "decimal"}:
		switch digits, err := strconv.Atoi(f.totalDigits); {
		case reflect.DeepEqual(*f, importoFacets):
			st.kind = kindImporto
		case f.fractionDigits == "0" && f.minInclusive == "1" && f.maxInclusive == "" && err == nil && digits <= 18:
			st.kind = kindInt
			st.facets.maxInclusive = strings.Repeat("9", digits)
		case f.fractionDigits == "2" && err == nil && digits <= 18:
			st.kind = kindSigned
		default:
			return nil, errors.New("no amount has such limits")
		}
	case base.Space == xsd && (base.Local == "date" || base.Local == "dateTime") && reflect.DeepEqual(*f, facets{}):
		st.kind = builtins[base.Local]
		return st, nil
	default:
		return nil, fmt.Errorf("base %s is not supported", r.attr("base"))
	}
	l.simples[name] = st
	l.contract.simples = append(l.contract.simples, st)
	return st, nil
}
