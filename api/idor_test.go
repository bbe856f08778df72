package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// everyKind puts a record of every kind that has an id in a path into Torino. It
// returns the ids by what stands before them in the path.
func (r *rig) everyKind(t *testing.T) map[string]string {
	t.Helper()
	now := multe.Instant(r.Now())
	iuv := r.codes[0].Number.IUV()
	id := r.verbale.Slip.ID
	ids := map[string]string{"verbali": string(id), "devices": string(r.device.ID), "codes": r.codes[0].Number.String(), "documents": "streets", "streets": "1"}
	for _, kind := range []string{"prints", "print-jobs", "messages", "exports", "webhooks", "photos"} {
		ids[kind] = r.ID(t)
	}
	xml := []byte("<RT/>")
	flow := multe.NewFlussoID("BANK", "secret-flow")
	d := multe.NewDiscrepancy(webtest.Torino, multe.TroubleDouble, iuv, "secret-trouble", now)
	ids["flussi"], ids["discrepancies"], ids["receipts"] = string(flow), d.ID, multe.DigestOf(xml).String()
	err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		operators, err := tx.Operators(webtest.Torino, "", 1)
		if err != nil {
			return err
		}
		ids["operators"] = string(operators[0].ID)
		doc, err := multe.NewDocument(multe.Document{}, webtest.Torino, multe.DocumentStreets, multe.DayOf(now), "application/json", []byte(`["via Segreta"]`), "operator:x", now)
		if err != nil {
			return err
		}
		for _, err := range []error{
			tx.PutPrint(multe.Print{Creditor: webtest.Torino, ID: multe.PrintID(ids["prints"]), Verbale: id, Kind: multe.PrintPreavviso, Copy: 1, At: now, Version: 1}),
			tx.PutPrintJob(multe.PrintJob{Creditor: webtest.Torino, ID: multe.PrintJobID(ids["print-jobs"]), Kind: multe.PrintPreavviso, Form: multe.PrintPDF, State: multe.PrintFailed, At: now, Version: 1, Changed: now}),
			tx.PutBulletin(multe.Bulletin{Creditor: webtest.Torino, ID: multe.BulletinID(ids["messages"]), Text: "secret-bulletin", Written: now, Expires: now.Add(time.Hour), Version: 1}),
			tx.PutExport(multe.Export{Creditor: webtest.Torino, ID: multe.ExportID(ids["exports"]), Kind: multe.ExportLookup, At: now, Count: 1, Version: 1, Changed: now}),
			tx.PutExportLine(multe.ExportLine{Creditor: webtest.Torino, Export: multe.ExportID(ids["exports"]), N: 1, Verbale: id, Version: 1}),
			tx.PutWebhook(multe.Webhook{Creditor: webtest.Torino, ID: multe.WebhookID(ids["webhooks"]), URL: "https://secret.example", State: "active", Version: 1, Changed: now}),
			tx.PutPhoto(multe.Photo{Creditor: webtest.Torino, Device: r.device.ID, PhotoSheet: multe.PhotoSheet{ID: multe.PhotoID(ids["photos"]), Verbale: id}, State: multe.PhotoKept, Declared: now, Version: 1, Changed: now}),
			tx.PutPayment(multe.Payment{Creditor: webtest.Torino, IUV: iuv, IUR: "secret-iur", Verbale: id, Position: r.codes[0].Position, Cents: 4200, Received: now, Version: 1}),
			tx.PutRefund(multe.Refund{Creditor: webtest.Torino, ID: multe.RefundID(r.ID(t)), IUV: iuv, Verbale: id, Cents: 100, RefundedOn: multe.DayOf(now), Reason: "secret-reason", Mandate: "M", At: now, Version: 1}),
			tx.PutReceipt(multe.Receipt{Creditor: webtest.Torino, IUV: iuv, Digest: multe.DigestOf(xml), XML: xml, Received: now, Version: 1}),
			tx.PutFlusso(multe.Flusso{Creditor: webtest.Torino, ID: flow, FlussoHead: multe.FlussoHead{Name: "secret-flow"}, Received: now, Version: 1, Changed: now}),
			tx.PutDiscrepancy(d), tx.PutDocument(doc),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// bodies are what operations take that name a record: such that nothing is wrong
// with them but whose the record is.
func bodies(t *testing.T, ids map[string]string, day string) map[string]string {
	t.Helper()
	one := strings.Repeat("1", 32)
	return map[string]string{
		"SetRole":           `{"role":"agente"}`,
		"RecordVerbale":     encode(t, record()),
		"CancelVerbale":     `{"reason":"errore di persona"}`,
		"VoidCode":          `{"reason":"errore di persona"}`,
		"NotifyVerbale":     `{"how":"consegna","day":"` + day + `"}`,
		"CorrectVerbale":    `{"reason":"errore","record":` + encode(t, record()) + `}`,
		"AppealVerbale":     `{"authority":"prefetto","number":"1","day":"` + day + `"}`,
		"RuleAppeal":        `{"verdetto":"respinto","day":"` + day + `"}`,
		"PrintVerbale":      `{"id":"` + one + `","kind":"preavviso"}`,
		"CloseDiscrepancy":  `{"outcome":"done","note":"fatto"}`,
		"SendDeviceMessage": `{"id":"` + one + `","device":"` + ids["devices"] + `","text":"prova","expires_at":"` + day + `T23:00:00Z"}`,
		"StartPrintJob":     `{"id":"` + one + `","kind":"preavviso","form":"pdf","verbali":["` + ids["verbali"] + `"]}`,
	}
}

// TestNoRouteReachesAnother asks, with tokens of Alba, for every record of Torino
// by its true id, on every route that takes one: it is not there, and nothing of
// Torino changes. A route whose kind of id is not known here fails.
func TestNoRouteReachesAnother(t *testing.T) {
	r := newRig(t)
	ids := r.everyKind(t)
	secrets := []string{"secret-", "via Segreta", plate, ids["verbali"], ids["devices"], ids["operators"], string(r.codes[0].Position), string(webtest.Torino)}
	tokens := map[string]string{"a program": r.Operator(t, webtest.Alba)}
	_, token, err := r.Registry.AddOperator(t.Context(), "admin", webtest.Alba, "Responsabile", multe.RoleResponsabile)
	if err != nil {
		t.Fatal(err)
	}
	tokens["a responsabile"] = token
	_, token, err = r.Registry.AddOperator(t.Context(), "admin", webtest.Alba, "Amministratore", multe.RoleAmministratore)
	if err != nil {
		t.Fatal(err)
	}
	tokens["an amministratore"] = token
	known := bodies(t, ids, multe.DayOf(r.Now()).String())
	before := r.Rows(t, webtest.Torino)
	asked := 0
	for _, o := range operations(t, r.Document()) {
		if o.open || o.adminOnly || !strings.Contains(o.path, "{cf}") {
			continue
		}
		parts := strings.Split(o.path, "/")
		named := known[o.OperationID] != "" // a record, in the path or the body
		for i, p := range parts {
			switch id, ok := ids[parts[max(0, i-1)]], strings.HasPrefix(p, "{"); {
			case p == "{cf}":
				parts[i] = string(webtest.Alba)
			case ok && id == "":
				t.Errorf("%s %s: no record of Torino for %s: add one to everyKind", o.method, o.path, p)
			case ok:
				parts[i], named = id, true
			}
		}
		if o.OperationID == "AccountCodes" {
			parts[len(parts)-1] += "?day=" + multe.DayOf(r.Now()).String()
		}
		for who, token := range tokens {
			q := webtest.Request{Method: o.method, Path: strings.Join(parts, "/"), Token: token, Header: map[string]string{"Idempotency-Key": r.ID(t)}}
			if o.RequestBody != nil {
				if q.Body = known[o.OperationID]; q.Body == "" {
					q.Body = "{}"
				}
			}
			a := r.Do(t, q)
			asked++
			for _, s := range secrets {
				if strings.Contains(a.Body, s) {
					t.Errorf("%s tells %s of Alba of Torino: %s", o.OperationID, who, a.Body)
				}
			}
			spot := o.OperationID == "PayOnTheSpot" // is refused to everybody, before anything is looked up
			// Alba's own, by a name or an id that Alba chooses; of no handheld there are no codes.
			own := slices.Contains(parts, "documents") && !strings.Contains(o.path, "{n}") || slices.Contains([]string{"PutWebhook", "AccountCodes"}, o.OperationID)
			if named && !spot && !own && a.Status != http.StatusNotFound && a.Status != http.StatusForbidden { // 403: not with this role, at home either
				t.Errorf("%s as %s of Alba: %d %s, want 404", o.OperationID, who, a.Status, a.Body)
			}
		}
	}
	if asked < 150 {
		t.Errorf("only %d requests", asked)
	}
	if diff := cmp.Diff(before, r.Rows(t, webtest.Torino)); diff != "" {
		t.Errorf("changed by Alba:\n%s", diff)
	}
}
