package ppaysim

import "testing"

// ContractFolders, BodyOf and Lint are for the tests outside the package.

// ContractFolders returns where the schemas are; it skips without xmllint.
func ContractFolders(t testing.TB) []string { return xsds(t) }

// BodyOf returns the content of an envelope as a document of its own.
func BodyOf(t testing.TB, envelope string) string {
	t.Helper()
	root, err := parseXML([]byte(envelope))
	if err != nil {
		t.Fatalf("%v: %s", err, envelope)
	}
	body := soapBody(root)
	if body == nil {
		t.Fatalf("not an envelope: %s", envelope)
	}
	return body.String()
}

// Lint reports the documents that a schema refuses.
func Lint(t testing.TB, schema string, docs []string) {
	t.Helper()
	for i, valid := range lint(t, schema, save(t, docs), len(docs)) {
		if !valid {
			t.Errorf("%s refuses %s", schema, docs[i])
		}
	}
}
