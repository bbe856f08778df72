package epaywso_test

import (
	"encoding"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"preavviso/internal/avviso"
	"preavviso/internal/multe"
	"preavviso/wsdl/epaywso"
)

// scalar is a pointer to one of the scalars.
type scalar[T any] interface {
	*T
	encoding.TextUnmarshaler
}

// readsTo checks that each text reads to the value and is written back as the
// second one; "" instead means that it must be refused.
func readsTo[T encoding.TextMarshaler, P scalar[T]](t *testing.T, tests map[string]string) {
	t.Helper()
	for in, want := range tests {
		var v T
		err := P(&v).UnmarshalText([]byte(in))
		if want == "" {
			if !errors.Is(err, epaywso.ErrMalformed) {
				t.Errorf("%q: read as %v, error %v", in, v, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got, err := v.MarshalText(); err != nil || string(got) != want {
			t.Errorf("%q: written as %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestImporto(t *testing.T) {
	readsTo[epaywso.Importo](t, map[string]string{
		"0.00": "0.00", "0": "0.00", "87": "87.00", "87.5": "87.50", "1000000.00": "1000000.00",
		"999999999.99": "999999999.99", "+1": "1.00", " \n1.10\t": "1.10", "007.00": "7.00", ".5": "0.50", "1.5000": "1.50",
		"": "", ".": "", "-1.00": "", "1000000000.00": "", "1.005": "", "1e+06": "", "87,00": "", "1 000": "", "NaN": "", "0x1": "", "€1": "",
	})
	for _, bad := range []epaywso.Importo{-1, epaywso.Importo(avviso.MaxCents) + 1} {
		if out, err := bad.MarshalText(); !errors.Is(err, epaywso.ErrMalformed) {
			t.Errorf("%d cents are written as %q", bad, out)
		}
	}
}

func TestImportoSigned(t *testing.T) {
	readsTo[epaywso.ImportoSigned](t, map[string]string{
		"0.00": "0.00", "-0": "0.00", "87": "87.00", "-87.5": "-87.50", "+1": "1.00", " \n-1.10\t": "-1.10", "-007.00": "-7.00", "-.05": "-0.05",
		"9999999999999999.99": "9999999999999999.99", "-9999999999999999.99": "-9999999999999999.99", "1.5000": "1.50",
		"": "", ".": "", "-": "", "--1": "", "-+1": "", "+-1": "", "10000000000000000": "", "1.005": "", "1e+06": "", "87,00": "", "NaN": "",
	})
	for _, bad := range []epaywso.ImportoSigned{-1_000_000_000_000_000_000, 1_000_000_000_000_000_000} {
		if out, err := bad.MarshalText(); !errors.Is(err, epaywso.ErrMalformed) {
			t.Errorf("%d cents are written as %q", bad, out)
		}
	}
}

func TestNullInt(t *testing.T) {
	type holder struct {
		XMLName struct{}        `xml:"a"`
		N       epaywso.NullInt `xml:"n"`
	}
	const nilled = `<a><n xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/></a>`
	for in, want := range map[string]epaywso.NullInt{
		`<a><n>0</n></a>`:         {Valid: true},
		`<a><n>-7</n></a>`:        {Int: -7, Valid: true},
		nilled:                    {},
		`<a></a>`:                 {},
		`<a><n nil="1">5</n></a>`: {Int: 5, Valid: true}, // of no namespace: means nothing
	} {
		var h, again holder
		if err := xml.Unmarshal([]byte(in), &h); err != nil || h.N != want {
			t.Errorf("%s: %+v, %v", in, h.N, err)
		}
		out, err := xml.Marshal(h)
		if err == nil {
			err = xml.Unmarshal(out, &again)
		}
		if err != nil || again != h {
			t.Errorf("%s: written as %s, %v", in, out, err)
		}
	}
	var h holder
	if err := xml.Unmarshal([]byte(`<a><n>sette</n></a>`), &h); !errors.Is(err, epaywso.ErrMalformed) {
		t.Errorf("a word: %v", err)
	}
}

func TestDate(t *testing.T) {
	readsTo[epaywso.Date](t, map[string]string{
		"2026-11-23": "2026-11-23", "2026-11-23+01:00": "2026-11-23", "2026-11-23-05:30": "2026-11-23", "2026-11-23Z": "2026-11-23",
		"2026-11-23+14:00": "2026-11-23", " 2028-02-29\n": "2028-02-29", "0001-01-01": "0001-01-01", "9999-12-31": "9999-12-31",
		"": "", "31/03/2026": "", "2026-02-29": "", "2026-13-01": "", "2026-00-10": "", "2026-1-1": "", "0000-01-01": "", "12026-01-01": "",
		"-2026-01-01": "", "2026-11-23+15:00": "", "2026-11-23+01:60": "", "2026-11-23+0100": "", "2026-11-23T00:00:00": "", "2026-11-23z": "",
		"2026-11-23 +01:00": "", "2O26-11-23": "", "2026-11-23+1:000": "",
	})
	if day := multe.Day(epaywso.Date{Year: 2026, Month: time.March, Day: 2}); day.String() != "2026-03-02" {
		t.Errorf("as a multe.Day it is %v", day)
	}
}

func TestDateTime(t *testing.T) {
	readsTo[epaywso.DateTime](t, map[string]string{
		// Without a zone it is Rome's time, winter and summer.
		"2026-11-23T10:15:00": "2026-11-23T10:15:00+01:00", "2026-07-01T10:15:00": "2026-07-01T10:15:00+02:00",
		// The hours around the two changes of the clock.
		"2026-03-29T01:59:59": "2026-03-29T01:59:59+01:00", "2026-03-29T02:30:00": "2026-03-29T03:30:00+02:00", "2026-03-29T03:00:00": "2026-03-29T03:00:00+02:00",
		"2026-10-25T01:59:59": "2026-10-25T01:59:59+02:00", "2026-10-25T02:30:00": "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00": "2026-10-25T03:00:00+01:00",
		"2026-11-23T10:15:30Z": "2026-11-23T10:15:30Z", "2026-11-23T10:15:00.000+01:00": "2026-11-23T10:15:00+01:00", "2026-11-23T10:15:00.25-05:30": "2026-11-23T10:15:00.25-05:30",
		"2026-12-31T24:00:00Z": "2027-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789987Z": "2026-01-01T00:00:00.123456789Z", "\t2026-01-01T00:00:00Z ": "2026-01-01T00:00:00Z",
		"1800-01-01T00:00:00": "1799-12-31T23:10:04Z", // before time zones Rome had 49 minutes and 56 seconds
		"":                    "", "2026-11-23": "", "2026-11-23 10:15:00": "", "2026-11-23T10:15": "", "2026-11-23T25:00:00Z": "", "2026-11-23T24:00:01Z": "", "2026-11-23T10:60:00": "",
		"2026-11-23T10:15:60": "", "2026-11-23T10:15:00.": "", "2026-11-23T10:15:00.Z": "", "2026-11-23T10:15:00,5": "", "2026-11-23T10:15:00+25:00": "", "2026-02-30T10:15:00": "",
		"2026-11-23t10:15:00": "", "2026-11-23T1O:15:00": "", "0001-01-01T00:00:00Z": "", "9999-12-31T24:00:00Z": "",
	})
}

func TestBase64(t *testing.T) {
	readsTo[epaywso.Base64](t, map[string]string{
		"AAECAwQFBgcICQo=": "AAECAwQFBgcICQo=", " A A\nE C\r\n\t": "AAEC", "w6g=": "w6g=",
		"A": "", "AA": "", "AAE": "", "AB==": "", "AA==AA==": "", "AA-_": "", "perché": "",
	})
	var empty epaywso.Base64
	if err := empty.UnmarshalText(nil); err != nil || empty == nil {
		t.Errorf("empty content: %v, %v", empty, err)
	}
}

// TestErrorsSurface through encoding/xml, and carry nothing of what was read.
func TestErrorsSurface(t *testing.T) {
	const ns = `xmlns="` + epaywso.NSEPaywso2Enti + `"`
	for _, bad := range []string{
		"<DataScadenza>segreto</DataScadenza>", "<ImportoPagato>segreto</ImportoPagato>", "<ImportoPagato/>", "<DataEsitoPagamento/>",
		"<DatiTransazionePSP><DataOraAvvioTransazione>segreto</DataOraAvvioTransazione></DatiTransazionePSP>",
	} {
		var n epaywso.NotificaPagamentoType
		err := xml.Unmarshal([]byte("<NotificaPagamento "+ns+">"+bad+"</NotificaPagamento>"), &n)
		if !errors.Is(err, epaywso.ErrMalformed) || strings.Contains(err.Error(), "segreto") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	var rt epaywso.RTType
	if err := xml.Unmarshal([]byte("<RT "+ns+"><XML>segreto!</XML></RT>"), &rt); !errors.Is(err, epaywso.ErrMalformed) {
		t.Errorf("base64: %v", err)
	}
	// On the way out, too.
	for name, v := range map[string]any{
		"day":     epaywso.AvvisoScadutoType{DataScadenza: epaywso.Date{Year: 2026, Month: 2, Day: 29}},
		"amount":  epaywso.AvvisoScadutoType{Importo: -1},
		"instant": epaywso.DatiTransazionePSPType{DataOraAvvioTransazione: epaywso.DateTime{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		if out, err := xml.Marshal(v); !errors.Is(err, epaywso.ErrMalformed) {
			t.Errorf("%s: written as %s, error %v", name, out, err)
		}
	}
}

// fuzz checks that what can be read can be written, and reads back the same.
func fuzz[T encoding.TextMarshaler, P scalar[T]](f *testing.F, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var v, w T
		if err := P(&v).UnmarshalText([]byte(s)); err != nil {
			if !errors.Is(err, epaywso.ErrMalformed) {
				t.Errorf("%q: a strange error: %v", s, err)
			}
			return
		}
		text, err := v.MarshalText()
		if err != nil {
			t.Fatalf("%q was read but cannot be written: %v", s, err)
		}
		if err := P(&w).UnmarshalText(text); err != nil {
			t.Fatalf("%q was written as %q, which is refused: %v", s, text, err)
		}
		if again, err := w.MarshalText(); err != nil || string(again) != string(text) {
			t.Errorf("%q was written as %q and then as %q, %v", s, text, again, err)
		}
	})
}

func FuzzImporto(f *testing.F) {
	fuzz[epaywso.Importo](f, "0", "87", "1000000.00", "-1", "1e6", "1.005", " 1.1 ")
}

func FuzzDate(f *testing.F) {
	fuzz[epaywso.Date](f, "2026-11-23", "2026-11-23+01:00", "2026-02-29", "31/03/2026")
}

func FuzzDateTime(f *testing.F) {
	fuzz[epaywso.DateTime](f, "2026-11-23T10:15:00", "2026-11-23T24:00:00.000Z", "2026-03-29T02:30:00.5", "0001-01-01T00:00:00+14:00", "1800-01-01T00:00:00")
}

func FuzzBase64(f *testing.F) {
	fuzz[epaywso.Base64](f, "", "AAECAwQFBgcICQo=", "A A==", "AB==")
}
