package epaywso_test

import (
	"errors"
	"strings"
	"testing"

	"preavviso/wsdl/epaywso"
)

// What xmllint can judge is tested in the folder above, with it as the judge.
// This is the rest: what encoding/xml would spoil or refuse before it gets there.

func TestValidateSeesWhatXMLCannotCarry(t *testing.T) {
	for name, text := range map[string]string{
		"a control character":   "a\x00b",
		"a noncharacter":        "a\uFFFEb",
		"a broken UTF-8 text":   "a\xff",
		"a half of a surrogate": "a\xed\xa0\x80",
	} {
		v := epaywso.RiferimentoType{Nome: "n", Valore: text}
		if e, ok := errors.AsType[*epaywso.InvalidError](v.Validate()); !ok || e.Path != "Valore" {
			t.Errorf("%s: %v", name, e)
		}
	}
	if err := (&epaywso.RiferimentoType{Nome: "n", Valore: "\t\n\r €😀\uFFFD"}).Validate(); err != nil {
		t.Errorf("what XML can carry: %v", err)
	}
}

func TestValidateSeesWhatCannotBeWritten(t *testing.T) {
	good := epaywso.AvvisoScadutoType{IUV: "1", Importo: 1}
	for path, change := range map[string]func(*epaywso.AvvisoScadutoType){
		"":             func(*epaywso.AvvisoScadutoType) {},
		"Importo":      func(v *epaywso.AvvisoScadutoType) { v.Importo = -1 },
		"DataScadenza": func(v *epaywso.AvvisoScadutoType) { v.DataScadenza = epaywso.Date{Year: 2026, Month: 2, Day: 29} },
		"IUV":          func(v *epaywso.AvvisoScadutoType) { v.IUV = "" },
	} {
		v := good
		change(&v)
		got := ""
		if e, ok := errors.AsType[*epaywso.InvalidError](v.Validate()); ok {
			got = e.Path
		}
		if got != path {
			t.Errorf("wrong at %q, want %q", got, path)
		}
	}
	if e, ok := errors.AsType[*epaywso.InvalidError]((&epaywso.RTType{Id: "1"}).Validate()); !ok || e.Path != "XML" {
		t.Errorf("a receipt without content: %v", e)
	}
	negative := epaywso.Importo(-1)
	psp := epaywso.DatiTransazionePSPType{IdPSP: "p", IUR: "r", ImportoTransato: &negative}
	if err := psp.Validate(); err == nil || !strings.Contains(err.Error(), "DataOraAvvioTransazione") {
		t.Errorf("the first error comes first: %v", err)
	}
}

// TestErrorsHoldNoValue because a value may be personal and errors are logged.
func TestErrorsHoldNoValue(t *testing.T) {
	for _, v := range []epaywso.SoggettoType{
		{PersonaFisica: &epaywso.PersonaFisicaType{Cognome: strings.Repeat("segreto", 20), Nome: "x"}},
		{PersonaFisica: &epaywso.PersonaFisicaType{Cognome: "x", Nome: "x"}, IdentificativoUnivocoFiscale: "x", EMail: "segreto"},
		{PersonaFisica: &epaywso.PersonaFisicaType{Cognome: "x", Nome: "x"}, IdentificativoUnivocoFiscale: "x", Nazione: "segreto"},
		{PersonaFisica: &epaywso.PersonaFisicaType{Cognome: "segreto\x00", Nome: "x"}},
	} {
		if err := v.Validate(); err == nil || strings.Contains(err.Error(), "segreto") {
			t.Errorf("%v", err)
		}
	}
}
