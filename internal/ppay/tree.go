package ppay

import (
	"bytes"
	"encoding/xml"
	"strings"

	"preavviso/wsdl/epaywso"
)

// serviceNS is the namespace of the service that we are to the platform. Some
// listeners of other creditors are called with it instead of that of the types.
const serviceNS = "http://www.csi.it/epay/epaywso/epaywso2entisrv"

// ours reports whether elements of a namespace, or of none, may mean something
// to us. An element of another one may stand anywhere and is never taken for ours.
func ours(space string) bool {
	return space == epaywso.NSEPaywso2Enti || space == epaywso.NSCommon || space == serviceNS || space == ""
}

// node is one element of a message, of a namespace that is ours.
type node struct {
	name     string
	text     string // trimmed; of an element without children
	children []*node
}

// parse passes raw through the gate and returns the message in its body.
//
// The types of epaywso are not used for reading: with them one amount or day
// that is no such thing makes the whole message unreadable, and of a scalar that
// comes twice the last one silently wins.
func parse(raw []byte) (xml.Name, *node, error) {
	var t tree
	name, err := gate(bytes.NewReader(raw), hooks{body: t.token})
	if err != nil {
		return xml.Name{}, nil, err
	}
	return name, t.root, nil
}

// tree makes nodes out of tokens.
type tree struct {
	any  bool // takes elements of every namespace
	root *node
	ns   string  // of the root: a proxy may have its own
	path []*node // open elements; nil for one that is not ours
	text []byte  // of the innermost element
}

func (t *tree) token(tok xml.Token) {
	switch tok := tok.(type) {
	case xml.StartElement:
		n := &node{name: tok.Name.Local}
		switch {
		case t.root == nil:
			t.root, t.ns = n, tok.Name.Space // whatever it is: the caller looks
		case t.path[len(t.path)-1] == nil || !t.any && !ours(tok.Name.Space) && tok.Name.Space != t.ns:
			n = nil
		default:
			parent := t.path[len(t.path)-1]
			parent.children = append(parent.children, n)
		}
		t.path, t.text = append(t.path, n), t.text[:0]
	case xml.CharData:
		t.text = append(t.text, tok...)
	case xml.EndElement:
		if n := t.path[len(t.path)-1]; n != nil && n.children == nil {
			n.text = strings.TrimSpace(string(t.text))
		}
		t.path, t.text = t.path[:len(t.path)-1], t.text[:0]
	}
}

// all returns the elements at the end of path, through every element on it.
func (n *node) all(path ...string) []*node {
	found := []*node{n}
	for _, name := range path {
		var next []*node
		for _, f := range found {
			for _, c := range f.children {
				if c.name == name {
					next = append(next, c)
				}
			}
		}
		found = next
	}
	return found
}

// one returns the element at the end of path, or nil if it is missing. It
// reports false if there are several: nobody can say which is meant.
func (n *node) one(path ...string) (*node, bool) {
	found := n.all(path...)
	switch len(found) {
	case 0:
		return nil, true
	case 1:
		return found[0], true
	default:
		return nil, false
	}
}

// value returns the text at the end of path, or "" if it is missing. It reports
// false if it is there several times, is longer than max characters, or has
// elements in it.
func (n *node) value(max int, path ...string) (string, bool) {
	found, ok := n.one(path...)
	if !ok || found == nil {
		return "", ok
	}
	if found.children != nil || len(found.text) > 4*max || len([]rune(found.text)) > max {
		return "", false
	}
	return found.text, true
}
