package demo_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"preavviso/internal/demo"
)

// TestShift plays the demo and holds its SOAP messages against the schemas: our
// own, and the published ones where they are at hand.
func TestShift(t *testing.T) {
	out := t.TempDir()
	var story bytes.Buffer
	if err := demo.Run(t.Context(), demo.Options{Out: out, Stdout: &story}); err != nil {
		t.Fatalf("%v\n%s", err, &story)
	}
	for _, want := range []string{"PV-2026-0001", "PV-2026-0003 caricato in ritardo", "dalla stampa al pagabile", "d'accordo al centesimo"} {
		if !strings.Contains(story.String(), want) {
			t.Errorf("the story does not tell %q:\n%s", want, &story)
		}
	}
	if strings.Contains(story.String(), "Evento «") {
		t.Errorf("an action has no Italian text:\n%s", &story)
	}
	// What a person entered is in no log.
	log, err := os.ReadFile(filepath.Join(out, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{"AB123CD", "EF456GH", "IJ789KL", "Bianchi", "BNCLCU80A41L219X", "Via Po"} {
		if bytes.Contains(log, []byte(canary)) {
			t.Errorf("the log holds %q", canary)
		}
	}

	messages, err := filepath.Glob(filepath.Join(out, "soap", "*.xml"))
	if err != nil || len(messages) < 20 {
		t.Fatalf("%d messages, %v; a shift exchanges at least 20", len(messages), err)
	}
	t.Run("OurSchema", func(t *testing.T) { validate(t, messages, filepath.Join("..", "..", "wsdl")) })
	t.Run("PublishedSchema", func(t *testing.T) {
		shared := filepath.Join("..", "..", "..", "shared", "contract")
		if _, err := os.Stat(shared); err != nil {
			t.Skip("the published contract is not beside this checkout")
		}
		validate(t, messages, shared)
	})
}

// validate holds the child of each message's Body against the schema of its
// namespace in folder xsd.
func validate(t *testing.T, messages []string, xsd string) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		if strings.Contains(os.Getenv("PREAVVISO_TEST_REQUIRE"), "decoders") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	xsd, err := filepath.Abs(xsd)
	if err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join(t.TempDir(), "soap.xsd")
	if err := os.WriteFile(schema, []byte(strings.ReplaceAll(envelopeSchema, "XSD", xsd)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--noout", "--nonet", "--schema", schema}, messages...)
	if out, err := exec.Command("xmllint", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// envelopeSchema is a SOAP 1.1 envelope whose body is one element of the
// contract, in the folder XSD; strict means that it must be declared there.
const envelopeSchema = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
  targetNamespace="http://schemas.xmlsoap.org/soap/envelope/" elementFormDefault="qualified">
 <xs:import namespace="http://www.csi.it/epay/epaywso/types" schemaLocation="XSD/EPaywsoCommonTypes.xsd"/>
 <xs:import namespace="http://www.csi.it/epay/epaywso/enti2epaywso/types" schemaLocation="XSD/Enti2EPaywsoServiceTypes.xsd"/>
 <xs:import namespace="http://www.csi.it/epay/epaywso/epaywso2enti/types" schemaLocation="XSD/EPaywso2EntiServiceTypes.xsd"/>
 <xs:element name="Envelope"><xs:complexType><xs:sequence>
  <xs:element name="Header" minOccurs="0"/>
  <xs:element name="Body"><xs:complexType><xs:sequence><xs:any processContents="strict"/></xs:sequence></xs:complexType></xs:element>
 </xs:sequence></xs:complexType></xs:element>
</xs:schema>`

// TestShiftTidiesUp finds the folder of an earlier demo and removes what that
// left, and nothing else.
func TestShiftTidiesUp(t *testing.T) {
	out := t.TempDir()
	for name, stays := range map[string]bool{"note.txt": true, "old.pdf": false, "preavviso.db": false} {
		if err := os.WriteFile(filepath.Join(out, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := os.Stat(filepath.Join(out, name)); (err == nil) != stays {
				t.Errorf("%s: %v, want it to stay: %v", name, err, stays)
			}
		}()
	}
	if err := demo.Prepare(out); err != nil {
		t.Fatal(err)
	}
}
