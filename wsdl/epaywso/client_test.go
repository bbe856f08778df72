package epaywso_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hooklift/gowsdl/soap"

	"preavviso/wsdl/epaywso"
)

// TestClient makes one call over the generated client: the right action, one
// element in the body, and an answer with prefixes of its own.
func TestClient(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if got := strings.Trim(r.Header.Get("SOAPAction"), `"`); got != epaywso.ActionAggiornaPosizioniDebitorie {
			t.Errorf("action %s", got)
		}
		if want := `<AggiornaPosizioniDebitorieRequest xmlns="` + epaywso.NSEnti2EPaywso + `">`; !strings.Contains(string(body), want) {
			t.Errorf("body %s", body)
		}
		_, _ = io.WriteString(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`+
			`<x:EPaywsoServiceResponse xmlns:x="`+epaywso.NSCommon+`"><x:Result><x:Codice>012</x:Codice></x:Result></x:EPaywsoServiceResponse>`+
			`</s:Body></s:Envelope>`)
	}))
	defer srv.Close()
	c := epaywso.NewEnti2EPaywsoService(soap.NewClient(srv.URL))
	answer, err := c.AggiornaPosizioniDebitorie(t.Context(), new(epaywso.AggiornaPosizioniDebitorieRequest))
	if err != nil || answer.Result.Codice != "012" {
		t.Errorf("answer %v, %v", answer, err)
	}
}
