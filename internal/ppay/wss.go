package ppay

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// WS-Security as the platform's secure proxy wants it, and as its bus may show it
// to us: a UsernameToken with the password as text beside a Timestamp, in SOAP
// 1.1 (OASIS WSS UsernameToken Profile 1.0; piemontepay.md §4.6, §8.4).
const (
	wsseNS       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	wsuNS        = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	passwordText = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"

	// wssInstant has milliseconds, as WSS4J writes them.
	wssInstant = "2006-01-02T15:04:05.000Z"
)

const (
	// defaultLifetime is how long after it was made our header is good: longer
	// than a call takes, shorter than is of use to whoever finds it.
	defaultLifetime = time.Minute

	// maxSkew is how far the platform's clock may be from ours.
	maxSkew = 5 * time.Minute

	// maxHeader is how many bytes somebody unknown may send before the body: a
	// header with a token and a timestamp has 1 KiB.
	maxHeader = 64 << 10
)

// secure puts a wsse:Security header into an envelope of ours that has none. The
// bytes of its body do not change. It is pure.
func secure(envelope []byte, user, password string, created time.Time, lifetime time.Duration) ([]byte, error) {
	at, err := headerPlace(envelope)
	if err != nil {
		return nil, err
	}
	var h bytes.Buffer
	h.Write(envelope[:at])
	leaf := func(tag, text string) {
		h.WriteString("<" + tag + ">")
		_ = xml.EscapeText(&h, []byte(text)) // a Buffer never fails
		name, _, _ := strings.Cut(tag, " ")
		h.WriteString("</" + name + ">")
	}
	h.WriteString(`<S:Header xmlns:S="` + soapNS + `"><wsse:Security xmlns:wsse="` + wsseNS + `" xmlns:wsu="` + wsuNS + `" S:mustUnderstand="1">` +
		`<wsu:Timestamp wsu:Id="TS-1">`)
	created = created.UTC()
	leaf("wsu:Created", created.Format(wssInstant))
	leaf("wsu:Expires", created.Add(lifetime).Format(wssInstant))
	h.WriteString(`</wsu:Timestamp><wsse:UsernameToken wsu:Id="UT-1">`)
	leaf("wsse:Username", user)
	leaf(`wsse:Password Type="`+passwordText+`"`, password)
	h.WriteString(`</wsse:UsernameToken></wsse:Security></S:Header>`)
	h.Write(envelope[at:])
	return h.Bytes(), nil
}

// headerPlace returns where the header of an envelope without one belongs.
func headerPlace(envelope []byte) (int64, error) {
	d := xml.NewDecoder(bytes.NewReader(envelope))
	at := int64(-1)
	for {
		t, err := d.Token()
		if err != nil {
			return 0, errors.New("not an envelope with a body")
		}
		start, ok := t.(xml.StartElement)
		switch {
		case !ok:
		case at < 0 && start.Name == xml.Name{Space: soapNS, Local: "Envelope"}:
			at = d.InputOffset()
		case at >= 0 && start.Name == xml.Name{Space: soapNS, Local: "Body"}:
			return at, nil
		default:
			return 0, errors.New("not an envelope that begins with its body")
		}
	}
}

// sayable reports whether XML can carry s as it is.
func sayable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' && r != '\t' || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}

// security reads the wsse:Security of a message that comes in. It is told every
// token of the SOAP header.
type security struct {
	path  []xml.Name // open elements, from the header's child on
	texts map[string][]byte
	count map[string]int
	cuts  []span // the texts of passwords, in the bytes of the message
}

// span is a part of a message: after a start tag, up to the end of its end tag.
type span struct{ from, to int64 }

// The elements that count, by where they stand.
const (
	atUser     = "Security/UsernameToken/Username"
	atPassword = "Security/UsernameToken/Password"
	atCreated  = "Security/Timestamp/Created"
	atExpires  = "Security/Timestamp/Expires"
)

// place names an open element by its path, or "" if it is none that counts.
func (s *security) place() string {
	if len(s.path) != 3 {
		return ""
	}
	for i, want := range []xml.Name{{Space: wsseNS, Local: "Security"}, {Space: wsseNS, Local: "UsernameToken"}} {
		if got := s.path[i]; got != want && !(i == 1 && got == xml.Name{Space: wsuNS, Local: "Timestamp"}) {
			return ""
		}
	}
	p := s.path[0].Local + "/" + s.path[1].Local + "/" + s.path[2].Local
	switch space := s.path[2].Space; {
	case (p == atUser || p == atPassword) && space == wsseNS, (p == atCreated || p == atExpires) && space == wsuNS:
		return p
	}
	return ""
}

// passwordElement is not kept, of whatever namespace it is.
const passwordElement = "Password"

// token hears a token of the header; offset is where it ends.
func (s *security) token(t xml.Token, offset int64) {
	switch t := t.(type) {
	case xml.StartElement:
		s.path = append(s.path, t.Name)
		if t.Name.Local == passwordElement {
			s.cuts = append(s.cuts, span{offset, -1})
		}
		if p := s.place(); p != "" {
			if s.count == nil {
				s.count, s.texts = map[string]int{}, map[string][]byte{}
			}
			s.count[p]++
		}
	case xml.CharData:
		if p := s.place(); p != "" {
			s.texts[p] = append(s.texts[p], t...)
		}
	case xml.EndElement:
		s.path = s.path[:len(s.path)-1]
		if t.Name.Local == passwordElement {
			for i := len(s.cuts) - 1; i >= 0; i-- {
				if s.cuts[i].to < 0 {
					s.cuts[i].to = offset
					break
				}
			}
		}
	}
}

// text returns what stands at a place, "" if nothing does or if it does twice.
func (s *security) text(place string) string {
	if s.count[place] != 1 {
		return ""
	}
	return string(s.texts[place])
}

// fresh reports whether the header has a Timestamp that is of now.
func (s *security) fresh(now time.Time) bool {
	created, err := time.Parse(time.RFC3339, strings.TrimSpace(s.text(atCreated)))
	if err != nil || created.After(now.Add(maxSkew)) {
		return false
	}
	if s.count[atExpires] == 0 {
		return !created.Before(now.Add(-maxSkew))
	}
	expires, err := time.Parse(time.RFC3339, strings.TrimSpace(s.text(atExpires)))
	return err == nil && !expires.Before(now.Add(-maxSkew))
}

// credentials returns the digests of the user and the password shown.
func (s *security) credentials() (user, password [sha256.Size]byte) {
	return sha256.Sum256([]byte(strings.TrimSpace(s.text(atUser)))), sha256.Sum256([]byte(s.text(atPassword)))
}

// blank is what is kept where a password stood.
const blank = "***"

// withoutPasswords returns a message without the passwords in its header: it is
// kept for years and shown to people. Every other byte stays.
func (s *security) withoutPasswords(raw []byte) []byte {
	if len(s.cuts) == 0 {
		return raw
	}
	var out []byte
	last := int64(0)
	for _, c := range s.cuts {
		if c.from < last || c.to < c.from { // inside another, or never closed
			continue
		}
		end := bytes.LastIndex(raw[c.from:c.to], []byte("</"))
		if end < 0 {
			continue // <wsse:Password/>
		}
		out = append(append(out, raw[last:c.from]...), blank...)
		last = c.from + int64(end)
	}
	return append(out, raw[last:]...)
}
