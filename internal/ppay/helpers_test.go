package ppay_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"unicode/utf8"
)

// strictXML says why b is not what the gate promises, by the tokenizer alone.
func strictXML(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("not UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		t, err := d.Token()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("directive")
		case xml.ProcInst:
			if t.Target != "xml" {
				return errors.New("instruction")
			}
		case xml.StartElement:
			if len(t.Attr) > 32 {
				return errors.New("attributes")
			}
		}
	}
}
