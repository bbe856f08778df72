package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a body; ours need four levels.
const maxDepth = 16

// errNumber is a number that is valid JSON but not a whole number of 64 bits: no
// field of ours is anything else.
type errNumber struct{ pointer string }

func (errNumber) Error() string { return "not a whole number" }

// parseJSON reads exactly one JSON value, as strictly as JSON can be read: valid
// UTF-8, no key twice in an object, nothing after the value, bounded depth.
// Numbers become int64; another number is errNumber, naming where it is. The
// result is made of map[string]any, []any, string, int64, bool and nil.
func parseJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := parseValue(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return v, nil
}

func parseValue(d *json.Decoder, at string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if err != nil {
			return nil, errNumber{at}
		}
		return n, nil
	case json.Delim:
		if t == '{' {
			return parseObject(d, at, depth)
		}
		list := []any{}
		for d.More() {
			v, err := parseValue(d, fmt.Sprintf("%s/%d", at, len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return t, nil // string, bool or nil
}

func parseObject(d *json.Decoder, at string, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, errors.New("a key is not a string")
		}
		if _, twice := object[key]; twice {
			return nil, errors.New("a key occurs twice")
		}
		if object[key], err = parseValue(d, at+"/"+escape(key), depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}
