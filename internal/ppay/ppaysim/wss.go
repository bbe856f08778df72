package ppaysim

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Namespaces of WS-Security 1.0 (OASIS 200401) and the one kind of password this
// service takes.
const (
	nsWSSE       = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsWSU        = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	passwordText = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
)

// How a caller proves who it is: Settings.Auth.
const (
	AuthNone  = "none"
	AuthBasic = "basic" // HTTP Basic
	AuthWSS   = "wss"   // UsernameToken with PasswordText, and Timestamp
	AuthBoth  = "both"  // both at once, as one client of the secure proxy does
)

// authMode is what is asked for now: without a word on it, Basic when there are
// credentials and nothing when there are none.
func (s *Sim) authMode(set Settings) string {
	switch {
	case set.Auth != "":
		return set.Auth
	case s.user != "":
		return AuthBasic
	default:
		return AuthNone
	}
}

// basicRefused is the HTTP half. The secure proxy of the platform is seen with
// it in one client and without it in two.
//
//parity:s3 regione-piemonte/sigas EPayServiceFacadeImpl.java (init sets HTTP Basic beside WS-Security)
func (s *Sim) basicRefused(r *http.Request, mode string) bool {
	if mode != AuthBasic && mode != AuthBoth {
		return false
	}
	user, password, _ := r.BasicAuth()
	return !s.knows(user, password)
}

// knows compares in constant time; without credentials of its own it knows nobody.
func (s *Sim) knows(user, password string) bool {
	u, p := same(user, s.user), same(password, s.password)
	return u && p && s.user != ""
}

// wssRefused is the SOAP half: the code and the text of a fault, or nothing.
func (s *Sim) wssRefused(root *node, mode string) (code, text string) {
	if mode != AuthWSS && mode != AuthBoth {
		return "", ""
	}
	user, password, code, text := readSecurity(root, s.now())
	if code == "" && !s.knows(user, password) {
		return "FailedAuthentication", "The security token could not be authenticated or authorized"
	}
	return code, text
}

// readSecurity reads the credentials of a wsse:Security header, or says which
// fault WSS4J raises over it. Only Expires ends a message: a client whose
// Expires is 30,000 s away is let in.
//
//parity:s3 regione-piemonte/risca PagopaServiceHelper.java:57-67
//parity:s3 regione-piemonte/conam Enti2EPaywsoServiceSOAPStub.java:466-520
func readSecurity(root *node, now time.Time) (user, password, code, text string) {
	invalid := func(why string) (string, string, string, string) { return "", "", "InvalidSecurity", why }
	var found []*node
	for _, part := range root.kids {
		if part.name != (xml.Name{Space: nsSOAP, Local: "Header"}) {
			continue
		}
		found = append(found, part.all(nsWSSE, "Security")...)
	}
	if len(found) != 1 {
		return invalid("Missing wsse:Security header in request")
	}
	stamps, tokens := found[0].all(nsWSU, "Timestamp"), found[0].all(nsWSSE, "UsernameToken")
	if len(stamps) != 1 || len(tokens) != 1 {
		return invalid("An error was discovered processing the <wsse:Security> header: want one Timestamp and one UsernameToken")
	}
	created, okCreated := stamps[0].instant("Created")
	expires, okExpires := stamps[0].instant("Expires")
	switch {
	case !okCreated || !okExpires || expires.Before(created):
		return invalid("Invalid timestamp: Created and Expires are not two instants in order")
	case created.After(now.Add(maxFuture)):
		return invalid("Invalid timestamp: the message was created in the future")
	case !expires.After(now):
		return invalid("Invalid timestamp: the message has expired")
	}
	users, passwords := tokens[0].all(nsWSSE, "Username"), tokens[0].all(nsWSSE, "Password")
	if len(users) != 1 || len(passwords) != 1 {
		return invalid("An error was discovered processing the <wsse:Security> header: UsernameToken wants Username and Password")
	}
	for _, a := range passwords[0].attrs {
		if a.Name.Local == "Type" && a.Value != passwordText {
			return "", "", "FailedAuthentication", "The security token could not be authenticated or authorized"
		}
	}
	return users[0].text, passwords[0].text, "", ""
}

// securityHeader is the SOAP header that one creditor's listener asks for, as its
// published policy says: it must be understood, and is valid for five minutes.
//
//parity:s16 regione-piemonte/silap epay.wsdl:2-43
func securityHeader(user, password string, now time.Time) string {
	const layout = "2006-01-02T15:04:05.000Z"
	w := &writer{}
	w.wrap("s:Header", func() {
		w.open(`wsse:Security xmlns:wsse="`+nsWSSE+`" xmlns:wsu="`+nsWSU+`" s:mustUnderstand="1"`, "wsse:Security", func() {
			w.wrap("wsu:Timestamp", func() {
				w.leaf("wsu:Created", now.UTC().Format(layout))
				w.leaf("wsu:Expires", now.UTC().Add(5*time.Minute).Format(layout))
			})
			w.wrap("wsse:UsernameToken", func() {
				w.leaf("wsse:Username", user)
				w.open(`wsse:Password Type="`+passwordText+`"`, "wsse:Password", func() { _ = xml.EscapeText(&w.b, []byte(password)) })
			})
		})
	})
	return w.b.String()
}

// all returns the children of that name.
func (n *node) all(space, local string) (out []*node) {
	for _, k := range n.kids {
		if k.name.Space == space && k.name.Local == local {
			out = append(out, k)
		}
	}
	return out
}

// instant reads an xs:dateTime; one without zone is UTC (WSS 1.1.1 §10).
func (n *node) instant(local string) (time.Time, bool) {
	found := n.all(nsWSU, local)
	if len(found) != 1 {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, found[0].text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// secrets are the elements that never reach a file or a screen.
var secrets = []string{"Security", "UsernameToken", "Password"}

// redact cuts credentials out of a message, wherever in it they stand, before
// anything is kept of it. What cannot be read, and might hold some, is left out
// whole.
//
//parity:s24 ours: no credentials in what is recorded
func redact(raw []byte) []byte {
	if !slices.ContainsFunc(secrets, func(name string) bool { return bytes.Contains(raw, []byte(name)) }) {
		return raw // a name of XML cannot be written otherwise
	}
	out, err := cutOut(raw)
	if err != nil {
		return fmt.Appendf(nil, "(%d bytes that are not XML and may hold credentials)", len(raw))
	}
	return out
}

func cutOut(raw []byte) ([]byte, error) {
	var (
		out     bytes.Buffer
		kept    int64 // all before it is in out
		depth   int   // inside what is cut
		d       = xml.NewDecoder(bytes.NewReader(raw))
		comment = "<!-- credentials removed -->"
	)
	for {
		at := d.InputOffset()
		tok, err := d.Token() // balanced, or an error
		if err == io.EOF {
			out.Write(raw[kept:])
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth > 0 {
				depth++
			} else if slices.Contains(secrets, t.Name.Local) {
				out.Write(raw[kept:at])
				out.WriteString(comment)
				depth = 1
			}
		case xml.EndElement:
			if depth > 0 {
				if depth--; depth == 0 {
					kept = d.InputOffset()
				}
			}
		}
	}
}
