package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// notTwice are the writes whose repetition does leave a trace, and why.
var notTwice = map[string]string{
	"PrintAgain":   "each look at the evidence is a line of the history, as each GET of personal data is",
	"PayOnTheSpot": "it is refused always",
	"ImportOwners": "an owner that is met again is kept 100 days from then, and each import is a line of the history",
}

// write is a request that changes something. {v} is the rig's verbale, {d} its
// handheld, {id} an id of the caller, {o} another operator.
type write struct {
	op, method, path, body string
	admin                  bool
	header                 map[string]string
	kind                   string // of the body; "" is JSON
	before                 func(t *testing.T, r *rig, q *webtest.Request)
}

// first makes a request that must succeed, before the one that is looked at.
func first(method, path, body string) func(*testing.T, *rig, *webtest.Request) {
	return func(t *testing.T, r *rig, q *webtest.Request) {
		t.Helper()
		path := strings.NewReplacer("{v}", string(r.verbale.Slip.ID), "{d}", string(r.device.ID), "{id}", idIn(q.Path)).Replace(path)
		if a := r.call(t, method, torino+path, body); a.Status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
		}
	}
}

// idIn finds the caller's id in a path.
func idIn(path string) string {
	for part := range strings.SplitSeq(path, "/") {
		if len(part) == 32 {
			return part
		}
	}
	return ""
}

// steps runs several of them.
func steps(list ...func(*testing.T, *rig, *webtest.Request)) func(*testing.T, *rig, *webtest.Request) {
	return func(t *testing.T, r *rig, q *webtest.Request) {
		t.Helper()
		for _, step := range list {
			step(t, r, q)
		}
	}
}

func writes(t *testing.T) []write {
	recorded := first("PUT", "/verbali/{v}/record", encode(t, record()))
	printable := func(t *testing.T, r *rig, _ *webtest.Request) { r.printable(t) }
	hook := first("PUT", "/webhooks/{id}", `{"url":"https://comune.example/eventi"}`)
	trouble := func(c multe.CreditorID) func(*testing.T, *rig, *webtest.Request) {
		return func(t *testing.T, r *rig, _ *webtest.Request) {
			if err := r.Store.Update(t.Context(), func(tx store.Tx) error { return store.Report(tx, c, "x.y", "1", "Prova", r.Now()) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	free := func(t *testing.T, r *rig, q *webtest.Request) {
		list, err := r.Pool.Stock(t.Context(), webtest.Torino)
		if err != nil || list.Counts[multe.CodeAvailable] == 0 {
			t.Fatal("no free code")
		}
		err = r.Store.View(t.Context(), func(rd store.Reader) error {
			codes, err := rd.CodesIn(webtest.Torino, multe.CodeAvailable, "", 1)
			if err == nil {
				q.Path = strings.ReplaceAll(q.Path, "{free}", string(codes[0].Position))
				q.Body = strings.ReplaceAll(q.Body, "{free}", string(codes[0].Position))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	job := `{"id":"%s","kind":"verbale","form":"pdf","verbali":["%s"]}`
	started := func(t *testing.T, r *rig, q *webtest.Request) {
		if a := r.call(t, "POST", torino+"/print-jobs", fmt.Sprintf(job, idIn(q.Path), r.verbale.Slip.ID)); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	expired := func(t *testing.T, r *rig, q *webtest.Request) {
		for more, err := true, error(nil); more; {
			if more, err = r.Prints.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r.Pass(8 * 24 * time.Hour)
		if _, err := r.Prints.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	closure := `{"outcome":"no_issue","note":"visto"}`
	creditor := with(newCreditor(), map[string]any{"cf": string(webtest.Torino)})
	return []write{
		{op: "AddCreditor", method: "POST", path: "/v1/creditors", body: encode(t, newCreditor()), admin: true},
		{op: "ChangeCreditor", method: "PUT", body: encode(t, creditor), header: map[string]string{"If-Match": `"1"`}},
		{op: "AddDocument", method: "PUT", path: "/documents/streets", body: "via Roma\nvia Po\n", kind: "application/octet-stream"},
		{op: "AddOperator", method: "POST", path: "/operators", body: `{"name":"Contabilità"}`, admin: true},
		{op: "InviteOperator", method: "POST", path: "/people", body: `{"name":"Anna","email":"anna@comune.example.it","role":"addetto"}`},
		{op: "SetRole", method: "PUT", path: "/operators/{o}/role", body: `{"role":"contabile"}`},
		{op: "DisableOperator", method: "PUT", path: "/operators/{o}/disabled"},
		{op: "EnableOperator", method: "DELETE", path: "/operators/{o}/disabled", before: func(t *testing.T, r *rig, q *webtest.Request) {
			if a := r.call(t, "PUT", q.Path, ""); a.Status != 200 {
				t.Fatal(a.Body)
			}
		}},
		{op: "RotateToken", method: "POST", path: "/operators/{o}/token", admin: true},
		{op: "RevokeToken", method: "DELETE", path: "/operators/{o}/token"},
		{op: "ResetOperator", method: "POST", path: "/operators/{o}/reset", before: func(t *testing.T, r *rig, q *webtest.Request) {
			person, _, err := r.Access.Invite(t.Context(), "admin", webtest.Torino, "Anna", "anna@comune.example.it", multe.RoleAddetto)
			if err != nil {
				t.Fatal(err)
			}
			q.Path = torino + "/operators/" + string(person.ID) + "/reset"
		}},
		{op: "AddDevice", method: "POST", path: "/devices", body: `{"name":"Palmare 9"}`},
		{op: "InviteDevice", method: "POST", path: "/devices/{d}/invites"},
		{op: "RevokeDevice", method: "DELETE", path: "/devices/{d}"},
		{op: "RecordVerbale", method: "PUT", path: "/verbali/{v}/record", body: encode(t, record())},
		{op: "RecordVerbali", method: "POST", path: "/verbali/records", body: encode(t, map[string]any{"items": []any{map[string]any{"verbale": "{v}", "record": record()}}})},
		{op: "NotifyVerbale", method: "PUT", path: "/verbali/{v}/notification", body: `{"how":"pec","day":"2026-03-02"}`, before: recorded},
		{op: "NotifyVerbali", method: "POST", path: "/verbali/notifications", body: `{"items":[{"register":"V/2026/17","how":"pec","day":"2026-03-02"}]}`, before: recorded},
		{op: "CorrectVerbale", method: "POST", path: "/verbali/{v}/corrections", body: encode(t, map[string]any{"reason": "Refuso", "record": with(record(), map[string]any{"register": "V/2026/18"})}), before: recorded},
		{op: "AppealVerbale", method: "POST", path: "/verbali/{v}/appeal", body: `{"authority":"prefetto","number":"1","day":"2026-03-02"}`, before: recorded},
		{op: "RuleAppeal", method: "POST", path: "/verbali/{v}/appeal/outcome", body: `{"verdetto":"rinuncia","day":"2026-03-02"}`,
			before: steps(recorded, first("POST", "/verbali/{v}/appeal", `{"authority":"prefetto","number":"1","day":"2026-03-02"}`))},
		{op: "CancelVerbale", method: "POST", path: "/verbali/{v}/cancellation", body: `{"reason":"Targa errata"}`},
		{op: "UndoCancellation", method: "DELETE", path: "/verbali/{v}/cancellation", before: first("POST", "/verbali/{v}/cancellation", `{"reason":"Targa errata"}`)},
		{op: "ApproveCancellation", method: "POST", path: "/verbali/{v}/cancellation/approval", before: func(t *testing.T, r *rig, q *webtest.Request) {
			c, err := r.Registry.Creditor(t.Context(), webtest.Torino)
			if err != nil {
				t.Fatal(err)
			}
			version := c.Version
			c.ApproveCancellations = true
			if _, err := r.Registry.ChangeCreditor(t.Context(), "admin", c, version); err != nil {
				t.Fatal(err)
			}
			first("POST", "/verbali/{v}/cancellation", `{"reason":"Targa errata"}`)(t, r, q)
			q.Token = r.World.Operator(t, webtest.Torino) // a second person
		}},
		{op: "PrintVerbale", method: "POST", path: "/verbali/{v}/prints", body: `{"id":"{id}","kind":"verbale"}`, before: printable},
		{op: "StartPrintJob", method: "POST", path: "/print-jobs", body: fmt.Sprintf(job, "{id}", "{v}"), before: printable},
		{op: "CancelPrintJob", method: "POST", path: "/print-jobs/{id}/cancel", before: steps(printable, started)},
		{op: "RerunPrintJob", method: "POST", path: "/print-jobs/{id}/again", before: steps(printable, started, expired)},
		{op: "SendDeviceMessage", method: "POST", path: "/messages", body: `{"id":"{id}","text":"Rientrare","expires_at":"2026-03-05T12:00:00Z"}`},
		{op: "VoidCode", method: "POST", path: "/codes/{free}/void", body: `{"reason":"Scorta di troppo"}`, before: free},
		{op: "VoidCodes", method: "POST", path: "/codes/void", body: `{"codes":["{free}"],"reason":"Scorta di troppo"}`, before: free},
		{op: "UndoVoid", method: "DELETE", path: "/codes/{free}/void", before: steps(free, func(t *testing.T, r *rig, q *webtest.Request) {
			if a := r.call(t, "POST", q.Path, `{"reason":"Scorta di troppo"}`); a.Status != 200 {
				t.Fatal(a.Body)
			}
		})},
		{op: "ImportCodes", method: "POST", path: "/orphans/import", body: `{"commit":true,"rows":[{"line":1,"position":"{orphan}","avviso":"{avviso}"}]}`,
			before: func(t *testing.T, r *rig, q *webtest.Request) {
				number := r.AddCodes(t, webtest.Alba, 1)[0].Number // a number that Torino has not got
				q.Body = strings.NewReplacer("{orphan}", string(r.orphan(t, webtest.Torino).Position), "{avviso}", number.String()).Replace(q.Body)
			}},
		{op: "MakePortalList", method: "POST", path: "/lista-di-carico", before: func(t *testing.T, r *rig, q *webtest.Request) {
			c, err := r.Registry.Creditor(t.Context(), webtest.Torino)
			if err != nil {
				t.Fatal(err)
			}
			version := c.Version
			c.Portal = true
			if _, err := r.Registry.ChangeCreditor(t.Context(), "admin", c, version); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Pool.Replenish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{op: "ReplayMessage", method: "POST", path: "/v1/messages/{id}/replay", admin: true, before: func(t *testing.T, r *rig, q *webtest.Request) {
			m := multe.Message{ID: multe.MessageID(idIn(q.Path)), State: multe.MessageDead, Raw: []byte("<a/>"), Received: r.Now(), Version: 1, Changed: r.Now()}
			if err := r.Store.Update(t.Context(), func(tx store.Tx) error { return tx.PutMessage(m) }); err != nil {
				t.Fatal(err)
			}
		}},
		{op: "TakeInstallationDiscrepancy", method: "POST", path: "/v1/discrepancies/x.y:1/taking", admin: true, before: trouble("")},
		{op: "CloseInstallationDiscrepancy", method: "POST", path: "/v1/discrepancies/x.y:1/closure", body: closure, admin: true, before: trouble("")},
		{op: "TakeDiscrepancy", method: "POST", path: "/discrepancies/x.y:1/taking", before: trouble(webtest.Torino)},
		{op: "CloseDiscrepancy", method: "POST", path: "/discrepancies/x.y:1/closure", body: closure, before: trouble(webtest.Torino)},
		{op: "RecordRefund", method: "POST", path: "/refunds", body: `{"id":"{id}","iuv":"{iuv}","cents":2940,"refunded_on":"2026-03-02","reason":"Due volte","mandate":"7"}`,
			before: func(t *testing.T, r *rig, q *webtest.Request) {
				r.hearPaid(t, r.verbale, "A", 2940)
				r.hearPaid(t, r.verbale, "B", 2940)
				q.Body = strings.ReplaceAll(q.Body, "{iuv}", r.verbale.Slip.Number.IUV())
			}},
		{op: "MakeExport", method: "POST", path: "/exports", body: `{"id":"{id}","kind":"lookup"}`},
		{op: "WithdrawExport", method: "DELETE", path: "/exports/{id}", before: func(t *testing.T, r *rig, q *webtest.Request) {
			first("POST", "/exports", `{"id":"`+idIn(q.Path)+`","kind":"lookup"}`)(t, r, q)
		}},
		{op: "PutWebhook", method: "PUT", path: "/webhooks/{id}", body: `{"url":"https://comune.example/eventi"}`},
		{op: "PauseWebhook", method: "POST", path: "/webhooks/{id}/pause", before: hook},
		{op: "ResumeWebhook", method: "POST", path: "/webhooks/{id}/resume", body: `{"after":0}`, before: hook},
		{op: "RotateWebhook", method: "POST", path: "/webhooks/{id}/secret", before: hook},
	}
}

// TestEveryWriteTwice makes every write of the document twice, a minute apart, with
// the same Idempotency-Key where the operation asks for one and with none
// elsewhere: the second changes nothing.
func TestEveryWriteTwice(t *testing.T) {
	tried := map[string]bool{}
	for _, w := range writes(t) {
		tried[w.op] = true
		t.Run(w.op, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			other, _, err := r.Registry.AddOperator(t.Context(), "admin", webtest.Torino, "Altro", multe.RoleAddetto)
			if err != nil {
				t.Fatal(err)
			}
			fill := strings.NewReplacer("{v}", string(r.verbale.Slip.ID), "{d}", string(r.device.ID), "{id}", r.ID(t), "{o}", string(other.ID))
			q := webtest.Request{Method: w.method, Path: fill.Replace(w.path), Body: fill.Replace(w.body), Token: r.operator, Header: map[string]string{}, Type: w.kind}
			if !strings.HasPrefix(q.Path, "/v1/") {
				q.Path = torino + q.Path
			}
			if w.admin {
				q.Token = webtest.Admin
			}
			if w.before != nil {
				w.before(t, r, &q)
			}
			for k, v := range w.header {
				q.Header[k] = v
			}
			for _, op := range keyed {
				if op == w.op {
					q.Header["Idempotency-Key"] = `"the-same-again"`
				}
			}
			start := r.Dump(t)
			if a := r.Do(t, q); a.Status >= 300 || strings.Contains(a.Body, `"failed":1`) {
				t.Fatalf("%s %s = %d %s", q.Method, q.Path, a.Status, a.Body)
			}
			once := r.Dump(t)
			if once == start && w.op != "ReplayMessage" && !strings.Contains(w.op, "InstallationDiscrepancy") && w.op != "MakePortalList" { // of no creditor, or only read
				t.Error("the first changed nothing")
			}
			r.Pass(time.Minute)
			a := r.Do(t, q)
			if a.Status >= 500 || strings.Contains(a.Body, "store.stale") {
				t.Errorf("the second: %d %s", a.Status, a.Body)
			}
			if r.Dump(t) != once {
				t.Errorf("the second (%d) changed something", a.Status)
			}
		})
	}
	for path, item := range newRig(t).Document().Paths.Map() {
		for method, op := range item.Operations() {
			if method != "GET" && op.OperationID != "SearchVerbali" && !tried[op.OperationID] && notTwice[op.OperationID] == "" {
				t.Errorf("%s %s (%s) is not tried", method, path, op.OperationID)
			}
		}
	}
}
