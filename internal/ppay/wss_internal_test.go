package ppay

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var then = time.Date(2026, 11, 23, 11, 15, 0, 123_999_999, time.FixedZone("", 3600))

const (
	envelopeA  = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Envelope xmlns="` + soapNS + `">`
	envelopeB  = `<Body xmlns="` + soapNS + `"><x xmlns="urn:x">à &amp; <y/></x></Body></Envelope>`
	wantHeader = `<S:Header xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">` +
		`<wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" S:mustUnderstand="1">` +
		`<wsu:Timestamp wsu:Id="TS-1"><wsu:Created>2026-11-23T10:15:00.123Z</wsu:Created><wsu:Expires>2026-11-23T10:16:00.123Z</wsu:Expires></wsu:Timestamp>` +
		`<wsse:UsernameToken wsu:Id="UT-1"><wsse:Username>comune</wsse:Username>` +
		`<wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">a&lt;b&amp;&#34;c</wsse:Password>` +
		`</wsse:UsernameToken></wsse:Security></S:Header>`
)

// TestSecure compares a secured envelope byte by byte: the header of the real
// clients (piemontepay.md §8.4), and around it what was there before.
func TestSecure(t *testing.T) {
	got, err := secure([]byte(envelopeA+envelopeB), "comune", `a<b&"c`, then, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if want := envelopeA + wantHeader + envelopeB; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for name, in := range map[string]string{
		"empty":              "",
		"text":               "x",
		"no body":            envelopeA + "</Envelope>",
		"empty envelope":     `<Envelope xmlns="` + soapNS + `"/>`,
		"another root":       "<a><Body xmlns='" + soapNS + "'/></a>",
		"SOAP 1.2":           strings.ReplaceAll(envelopeA+envelopeB, soapNS, "http://www.w3.org/2003/05/soap-envelope"),
		"a header before":    envelopeA + "<Header xmlns='" + soapNS + "'/>" + envelopeB,
		"an element before":  envelopeA + "<a/>" + envelopeB,
		"cut in the element": envelopeA[:len(envelopeA)-5],
	} {
		if got, err := secure([]byte(in), "u", "p", then, time.Minute); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestSecureReadsBack has our own listener's reader judge what our client makes.
func TestSecureReadsBack(t *testing.T) {
	for _, c := range [][2]string{{"comune", "parola"}, {"ù&<>'\"", "]]> \t è\r\n"}, {"u", "…" + strings.Repeat("x", 200)}} {
		raw, err := secure([]byte(envelopeA+envelopeB), c[0], c[1], then, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		s := readSecurity(t, raw)
		if s.text(atUser) != c[0] || s.text(atPassword) != c[1] || !s.fresh(then) || s.fresh(then.Add(time.Hour)) {
			t.Errorf("%q: read user %q, password %q", c, s.text(atUser), s.text(atPassword))
		}
	}
}

func readSecurity(t testing.TB, raw []byte) *security {
	t.Helper()
	var s security
	if _, err := gate(bytes.NewReader(raw), hooks{header: s.token}); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return &s
}

// TestSayable is what XML 1.0 can carry.
func TestSayable(t *testing.T) {
	for s, want := range map[string]bool{"": true, "parola d'ordine è 😀": true, "a\tb": true, "a\nb": false, "a\x00": false, "\xff": false, "\ufffe": false} {
		if sayable(s) != want {
			t.Errorf("sayable(%q) = %v", s, !want)
		}
	}
}

// TestFresh is when a timestamp is of now.
func TestFresh(t *testing.T) {
	at := func(d time.Duration) string { return then.Add(d).UTC().Format(wssInstant) }
	for _, c := range []struct {
		name, created, expires string
		want                   bool
	}{
		{"now", at(0), at(time.Minute), true},
		{"with a zone", "2026-11-23T11:15:00+01:00", "2026-11-23T11:16:00+01:00", true},
		{"nanoseconds", "2026-11-23T10:15:00.123456789Z", at(time.Minute), true},
		{"space around", " " + at(0) + "\n", at(time.Minute), true},
		{"a clock somewhat ahead", at(maxSkew), at(maxSkew + time.Minute), true},
		{"a clock far ahead", at(maxSkew + time.Second), at(time.Hour), false},
		{"a clock somewhat behind", at(-maxSkew - 50*time.Second), at(-maxSkew + 10*time.Second), true},
		{"expired", at(-10 * time.Minute), at(-maxSkew - time.Second), false},
		{"long life, as one real client gives", at(-8 * time.Hour), at(20 * time.Minute), true},
		{"no end, new", at(time.Second - maxSkew), "", true},
		{"no end, old", at(-maxSkew - time.Second), "", false},
		{"no beginning", "", at(time.Minute), false},
		{"no time", "ieri", at(time.Minute), false},
		{"no end of a time", at(0), "domani", false},
		{"no zone", "2026-11-23T10:15:00", at(time.Minute), false},
	} {
		leaf := func(name, text string) string {
			if text == "" {
				return ""
			}
			return "<u:" + name + ">" + text + "</u:" + name + ">"
		}
		s := readSecurity(t, []byte(header(`<u:Timestamp>`+leaf("Created", c.created)+leaf("Expires", c.expires)+`</u:Timestamp>`)))
		if got := s.fresh(then); got != c.want {
			t.Errorf("%s: fresh %v, want %v", c.name, got, c.want)
		}
	}
}

// header is a message with content in its wsse:Security.
func header(content string) string {
	return `<S:Envelope xmlns:S="` + soapNS + `" xmlns:w="` + wsseNS + `" xmlns:u="` + wsuNS + `"><S:Header><w:Security>` + content +
		`</w:Security></S:Header><S:Body><x><w:Password>in the body</w:Password></x></S:Body></S:Envelope>`
}

// TestWithoutPasswords looks for what is left of a message.
func TestWithoutPasswords(t *testing.T) {
	const token = `<w:UsernameToken><w:Username>epay</w:Username>%</w:UsernameToken>`
	for _, c := range []struct{ name, in, want string }{
		{"none", "<a/>", "<a/>"},
		{"plain", `<w:Password>segreto</w:Password>`, `<w:Password>***</w:Password>`},
		{"typed", `<w:Password Type="x">segreto</w:Password >`, `<w:Password Type="x">***</w:Password >`},
		{"CDATA", `<w:Password><![CDATA[</segreto>]]></w:Password>`, `<w:Password>***</w:Password>`},
		{"comment", `<w:Password>seg<!-- </x> -->reto</w:Password>`, `<w:Password>***</w:Password>`},
		{"elements", `<w:Password><a>segreto</a></w:Password>`, `<w:Password>***</w:Password>`},
		{"one in the other", `<w:Password>a<w:Password>segreto</w:Password>b</w:Password>`, `<w:Password>***</w:Password>`},
		{"empty", `<w:Password></w:Password>`, `<w:Password>***</w:Password>`},
		{"closed at once", `<w:Password/>`, `<w:Password/>`},
		{"two", `<w:Password>segreto</w:Password><w:Password>segreto</w:Password>`, `<w:Password>***</w:Password><w:Password>***</w:Password>`},
		{"two, one empty", `<w:Password/><w:Password>segreto</w:Password>`, `<w:Password/><w:Password>***</w:Password>`},
		{"another's", `<Password xmlns="urn:x">segreto</Password>`, `<Password xmlns="urn:x">***</Password>`},
	} {
		raw := []byte(header(strings.Replace(token, "%", c.in, 1)))
		got := readSecurity(t, raw).withoutPasswords(raw)
		if want := header(strings.Replace(token, "%", c.want, 1)); string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
	if raw := []byte("\ufeff" + header(`<w:UsernameToken><w:Password>segreto</w:Password></w:UsernameToken>`)); strings.Contains(string(readSecurity(t, raw).withoutPasswords(raw)), "segreto") {
		t.Error("a byte order mark moves what is cut out")
	}
}

// FuzzSecurity checks, for whatever stands in a header, that nothing panics, that
// what is kept is still a message with the same body, and that no password that
// was read can be found in its header.
func FuzzSecurity(f *testing.F) {
	for _, s := range []string{
		"", `<w:UsernameToken><w:Username>epay</w:Username><w:Password Type="x">segreto-canarino</w:Password></w:UsernameToken>`,
		`<w:UsernameToken><w:Password>a<w:Password>b</w:Password><!-- </ -->c</w:Password></w:UsernameToken>`,
		`<w:UsernameToken><w:Password><![CDATA[</]]></w:Password><w:Password/></w:UsernameToken>`,
		`<u:Timestamp><u:Created>2026-11-23T10:15:00Z</u:Created><u:Expires>x</u:Expires></u:Timestamp>`,
		`</w:Security><w:Security><w:UsernameToken><w:Username>a</w:Username></w:UsernameToken>`,
		"\ufeff<a b='</w:Password>'/>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		raw := []byte(header(content))
		var s security
		name, err := gate(bytes.NewReader(raw), hooks{header: s.token})
		if err != nil {
			return
		}
		s.fresh(then)
		s.credentials()
		kept := s.withoutPasswords(raw)
		var again security
		var before, after []xml.Token
		collect := func(to *[]xml.Token) func(xml.Token) {
			return func(t xml.Token) { *to = append(*to, xml.CopyToken(t)) }
		}
		if _, err := gate(bytes.NewReader(raw), hooks{body: collect(&before)}); err != nil {
			t.Fatal(err)
		}
		name2, err := gate(bytes.NewReader(kept), hooks{header: again.token, body: collect(&after)})
		if err != nil || name != name2 || len(before) != len(after) {
			t.Fatalf("%q became %q: %v", raw, kept, err)
		}
		for place, text := range again.texts {
			if place == atPassword && strings.Trim(string(text), "*") != "" {
				t.Fatalf("%q: the password %q was kept", raw, text)
			}
		}
		if !utf8.Valid(kept) {
			t.Fatalf("%q is not UTF-8", kept)
		}
	})
}

// FuzzReceipt checks that nothing panics and nothing unreasonable comes out,
// whatever a receipt is.
func FuzzReceipt(f *testing.F) {
	for _, s := range []string{
		"", "<RT/>", "\x00\x01\x02\x03", `<?xml version="1.0" encoding="ISO-8859-1"?><RT><denominazioneAttestante>Citt` + "\xe0" + `</denominazioneAttestante></RT>`,
		`<a:RT xmlns:a="urn:a"><a:identificativoUnivocoVersamento>47263270000010181</a:identificativoUnivocoVersamento><a:importoTotalePagato>29.40</a:importoTotalePagato></a:RT>`,
		`<receipt><outcome>OK</outcome><creditorReferenceId>1</creditorReferenceId><paymentAmount>1.5</paymentAmount><paymentDateTime>2026-11-23T10:15:00</paymentDateTime></receipt>`,
		`<RT></RT><RT/>`, `<RT>` + strings.Repeat("<a>", 40), `<?xml version="1.0" encoding="UTF-16"?><RT/>`, `<!DOCTYPE a><a/>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := ReadReceipt(raw)
		if !bytes.Equal(r.XML, raw) || r.Cents < 0 || len([]rune(r.IUV)) > maxHeading || len([]rune(r.IUR)) > maxIUR {
			t.Fatalf("%+v", r)
		}
		for _, s := range []string{r.IUV, r.IUR, r.PSP, r.PSPName, r.Outcome} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("%q cannot be stored", s)
			}
		}
	})
}

func TestLatin1(t *testing.T) {
	got, err := io.ReadAll(latin1{strings.NewReader("Citt\xe0 \xff")})
	if err != nil || string(got) != "Città ÿ" {
		t.Errorf("= %q, %v", got, err)
	}
}
