package api_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"preavviso/api"
	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web"
	"preavviso/internal/web/webtest"
)

// rig is the API over the real use cases, with one verbale of Torino.
type rig struct {
	*webtest.World
	*webtest.Client
	operator string // token, Torino
	device   multe.Device
	token    string // of the device
	codes    []multe.Code
	verbale  multe.Verbale
}

const (
	torino = "/v1/creditors/" + string(webtest.Torino)
	plate  = "AB123CD"
)

func handler(w *webtest.World) *web.Server { return newAPI(config(w)) }

func newAPI(cfg api.Config) *web.Server { return api.New(cfg) }

func config(w *webtest.World) api.Config {
	return api.Config{
		Log: w.Log, Random: w.Random, Now: w.Now, Admin: []multe.Digest{{}, multe.DigestOf([]byte(webtest.Admin))},
		Registry:      w.Registry,
		Access:        w.Access,
		Repeats:       w.Repeats,
		Pool:          w.Pool,
		Verbali:       w.Verbali,
		Payments:      w.Payments,
		Photos:        w.Photos,
		Feedback:      w.Feedback,
		Flussi:        w.Flussi,
		Receipts:      w.Receipts,
		Documents:     w.Documents,
		Webhooks:      w.Webhooks,
		Messages:      w.Inbox,
		Discrepancies: w,
		Worklist:      w.Worklist,
		Money:         w.Payments,
		Exports:       w.Exports,
		Owners:        w.Owners,
		Prints:        w.Prints,
		Enrolment:     func(code string) (uri, svg string, err error) { return "preavviso:enrol?c=" + code, "<svg/>", nil },
	}
}

func newRig(t testing.TB) *rig {
	t.Helper()
	w := webtest.New(t)
	r := &rig{World: w, Client: webtest.NewClient(t, handler(w), "openapi.yaml")}
	r.operator = w.Operator(t, webtest.Torino)
	r.device, r.token = w.Device(t, webtest.Torino)
	w.AddCodes(t, webtest.Torino, 6)
	codes, err := w.Pool.Lease(t.Context(), webtest.Torino, r.device.ID, multe.LeaseID(w.ID(t)), 4)
	if err != nil {
		t.Fatal(err)
	}
	r.codes = codes
	r.verbale = r.issue(t, codes[0])
	return r
}

// issue has the handheld print a preavviso.
func (r *rig) issue(t testing.TB, k multe.Code) multe.Verbale {
	t.Helper()
	slip := multe.Slip{
		ID: multe.VerbaleID(r.ID(t)), Position: k.Position, Number: k.Number, Plate: plate, Nation: "IT", Place: "via Roma 1",
		Violation: multe.Violation{Norm: "art. 7 CdS", Conduct: "Sosta"}, Warden: "M-17", IssuedAt: r.Now(),
		Steps: []multe.Step{{Cents: 2940, LastDay: multe.DayOf(r.Now()).Plus(5)}, {Cents: 4200}},
	}
	v, _, err := r.Verbali.Issue(t.Context(), webtest.Torino, r.device.ID, slip, multe.DigestOf([]byte(slip.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (r *rig) call(t testing.TB, method, path, body string) webtest.Answer {
	t.Helper()
	return r.Do(t, webtest.Request{Method: method, Path: path, Token: r.operator, Body: body})
}

func (r *rig) verbalePath() string { return torino + "/verbali/" + string(r.verbale.Slip.ID) }

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// with returns a copy of body with some fields changed; nil drops one.
func with(body, changes map[string]any) map[string]any {
	out := maps.Clone(body)
	for k, v := range changes {
		out[k] = v
		if v == nil {
			delete(out, k)
		}
	}
	return out
}

func newCreditor() map[string]any {
	return map[string]any{
		"cf": "01234560017", "name": "Unione di Comuni", "settore": "Polizia locale", "info": "tel. 0123", "cbill": "AB12",
		"codice_versamento": "PM02", "pool": map[string]any{"low": 20, "target": 100},
		"postal":   map[string]any{"number": "12345", "holder": "Unione di Comuni", "authorization": "AUT. DB/1"},
		"policies": []any{map[string]any{"from": "2026-01-01", "debtor": "register", "amount": "one-code"}},
	}
}

func record() map[string]any {
	return map[string]any{
		"register": "V/2026/17", "cents": 4200, "causale": "Verbale CdS n. 17",
		"debtor": map[string]any{"surname": "Rossi", "name": "Maria", "cf": "RSSMRA80A01L219X", "city": "Torino", "nation": "IT", "email": "maria@esempio.it"},
	}
}

// TestOffice is what an office does, from the first creditor to the register.
func TestOffice(t *testing.T) {
	w := webtest.New(t)
	c := webtest.NewClient(t, handler(w), "openapi.yaml")
	do := func(token, method, path string, body any) webtest.Answer {
		r := webtest.Request{Method: method, Path: path, Token: token}
		if body != nil {
			r.Body = encode(t, body)
		}
		return c.Do(t, r)
	}
	var health api.Health
	do("", "GET", "/v1/health", nil).Decode(t, 200, &health)

	var added, read map[string]any
	do(webtest.Admin, "POST", "/v1/creditors", newCreditor()).Decode(t, 201, &added)
	path := "/v1/creditors/01234560017"
	var operator api.Operator
	do(webtest.Admin, "POST", path+"/operators", map[string]any{"name": "Ufficio verbali"}).Decode(t, 201, &operator)
	do(operator.Token, "GET", path, nil).Decode(t, 200, &read)
	if diff := cmp.Diff(encode(t, newCreditor()), encode(t, read)); diff != "" || encode(t, added) != encode(t, read) {
		t.Errorf("the creditor (-as sent +as read):\n%s", diff)
	}

	var invitation, again api.Invitation
	do(operator.Token, "POST", path+"/devices", map[string]any{"name": "Palmare 1", "bearer": true}).Decode(t, 201, &invitation)
	if invitation.Enrolment != "preavviso:enrol?c="+invitation.Code || invitation.QrSvg == "" {
		t.Errorf("shown: %q, %q", invitation.Enrolment, invitation.QrSvg)
	}
	if invitation.Device.State != "invited" || invitation.Code == "" || !invitation.Expires.Equal(w.Now().Add(10*time.Minute)) {
		t.Errorf("invitation = %+v", invitation)
	}
	if _, _, _, err := w.Registry.Enrol(t.Context(), invitation.Code); err != nil {
		t.Fatal(err)
	}
	device := path + "/devices/" + invitation.Device.Id
	do(operator.Token, "POST", device+"/invites", nil).Decode(t, 201, &again)
	if again.Code == invitation.Code || again.Device.State != "invited" {
		t.Errorf("invited again: %+v", again)
	}
	var page api.DevicePage
	do(operator.Token, "GET", path+"/devices", nil).Decode(t, 200, &page)
	if len(page.Devices) != 1 || page.Devices[0].Name != "Palmare 1" || page.Next != "" {
		t.Errorf("devices = %+v", page)
	}
	var revoked api.Device
	do(operator.Token, "DELETE", device, nil).Decode(t, 200, &revoked)
	if revoked.State != "revoked" {
		t.Errorf("revoked = %+v", revoked)
	}
	if p := do(operator.Token, "DELETE", device, nil).Problem(t); p.Code != "device.wrong_state" {
		t.Errorf("revoked twice: %+v", p)
	}
	var stock api.Stock
	do(operator.Token, "GET", path+"/stock", nil).Decode(t, 200, &stock)
	if len(stock.Counts) != len(multe.CodeStates()) || !stock.Short || stock.Low != 20 || stock.Target != 100 {
		t.Errorf("stock = %+v", stock)
	}
}

func TestVerbale(t *testing.T) {
	r := newRig(t)
	var before api.VerbaleAndCode
	r.call(t, "GET", r.verbalePath(), "").Decode(t, 200, &before)
	if v := before.Verbale; v.State != "issued" || v.Plate != plate || v.DueCents != 2940 || v.Causale == "" || len(v.Steps) != 2 || before.Code.State != "issued" {
		t.Errorf("issued = %+v", before)
	}
	var recorded api.VerbaleAndCode
	first := r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record()))
	first.Decode(t, 200, &recorded)
	rec := recorded.Verbale.Record
	if recorded.Verbale.State != "finalised" || rec.Register != "V/2026/17" || rec.Debtor.Cf != "RSSMRA80A01L219X" || rec.Anonymous || rec.Policy != "reset" || recorded.Verbale.DueCents != 4200 {
		t.Errorf("recorded = %+v", recorded)
	}
	dump := r.Dump(t)
	r.Pass(time.Hour)
	if again := r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())); again.Body != first.Body || r.Dump(t) != dump {
		t.Errorf("the same record again: %s", again.Body)
	}
	for field, value := range map[string]any{"register": "V/2026/18", "cents": 4300, "causale": "Verbale CdS n. 18", "debtor": map[string]any{"company": "Ditta", "cf": "RSSMRA80A01L219X"}} {
		if p := r.call(t, "PUT", r.verbalePath()+"/record", encode(t, with(record(), map[string]any{field: value}))).Problem(t); p.Code != "verbale.already_recorded" || p.Status != 409 {
			t.Errorf("another %s: %+v", field, p)
		}
	}
	var page api.VerbalePage
	r.call(t, "GET", torino+"/verbali?limit=1", "").Decode(t, 200, &page)
	if len(page.Verbali) != 1 || page.Next != string(r.verbale.Slip.ID) {
		t.Errorf("page = %+v", page)
	}
	r.call(t, "GET", torino+"/verbali?limit=1&after="+page.Next, "").Decode(t, 200, &page)
	if len(page.Verbali) != 0 {
		t.Errorf("the page after the last = %+v", page)
	}
	pdf := r.call(t, "GET", r.verbalePath()+"/preavviso.pdf", "")
	if pdf.Status != 200 || !strings.HasPrefix(pdf.Body, "%PDF") {
		t.Errorf("pdf = %d %.60q", pdf.Status, pdf.Body)
	}
}

// TestRecordWithoutCausale keeps that of the preavviso, at every repetition.
func TestRecordWithoutCausale(t *testing.T) {
	r := newRig(t)
	body := encode(t, with(record(), map[string]any{"causale": nil, "debtor": nil, "anonymous": true}))
	var v api.VerbaleAndCode
	first := r.call(t, "PUT", r.verbalePath()+"/record", body)
	first.Decode(t, 200, &v)
	if v.Verbale.Record.Causale != string(multe.CausaleOfSlip(r.verbale.Slip)) || !v.Verbale.Record.Anonymous || v.Verbale.Record.Debtor != (api.Debtor{}) {
		t.Errorf("record = %+v", v.Verbale.Record)
	}
	if again := r.call(t, "PUT", r.verbalePath()+"/record", body); again.Body != first.Body {
		t.Errorf("the same record again: %d %s", again.Status, again.Body)
	}
}

func TestTimeline(t *testing.T) {
	r := newRig(t)
	r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())).Decode(t, 200, &api.VerbaleAndCode{})
	k := r.codes[0]
	for _, by := range []string{k.Number.String(), string(k.Position)} {
		var code api.Code
		r.call(t, "GET", torino+"/codes/"+by, "").Decode(t, 200, &code)
		if code.Avviso != k.Number.String() || code.Iuv != k.Number.IUV() || code.Verbale != string(r.verbale.Slip.ID) {
			t.Errorf("by %s: %+v", by, code)
		}
		var line api.Timeline
		r.call(t, "GET", torino+"/codes/"+by+"/timeline", "").Decode(t, 200, &line)
		var got []string
		for _, e := range line.Entries {
			got = append(got, e.Action)
			if e.Text == "" || strings.Contains(e.Text, e.Action) {
				t.Errorf("%s has no sentence: %q", e.Action, e.Text)
			}
		}
		want := []string{"code.assigned", "verbale.issued", "code.issued", "change.activate", "verbale.recorded", "change.update"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("timeline by %s (-want +got):\n%s", by, diff)
		}
	}
}

// TestPayments pages through payments that share an instant, and keeps to itself
// who paid.
func TestPayments(t *testing.T) {
	r := newRig(t)
	var want []string
	err := r.Store.Update(t.Context(), func(tx store.Tx) error {
		want = nil
		n := multe.Notice{Creditor: webtest.Torino}
		for _, iuv := range []string{r.codes[0].Number.IUV(), r.codes[1].Number.IUV(), "01000000000000099"} {
			for _, iur := range []string{"A", "B/è"} {
				n.Payments = append(n.Payments, multe.Payment{Creditor: webtest.Torino, IUV: iuv, IUR: iur, Cents: 2940,
					PaidOn: multe.DayOf(r.Now()), PSP: "BANCA", Payer: &multe.Debtor{Surname: "Verdi", CF: "VRDLGU80A01L219X"}})
				want = append(want, iuv+" "+iur)
			}
		}
		return r.World.Payments.Hear(tx, n, multe.MessageID(strings.Repeat("1", 32)), r.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for after, pages := "", 0; ; pages++ {
		path := torino + "/payments?limit=2"
		if after != "" {
			path += "&after=" + after
		}
		a := r.call(t, "GET", path, "")
		if strings.Contains(a.Body, "VRDLGU") || strings.Contains(a.Body, "Verdi") {
			t.Errorf("the payer is told: %s", a.Body)
		}
		var page api.PaymentPage
		a.Decode(t, 200, &page)
		for _, p := range page.Payments {
			got = append(got, p.Iuv+" "+p.Iur)
		}
		if after = page.Next; after == "" || pages > 10 {
			break
		}
	}
	slices.Sort(want) // they arrived together, so the IUV decides
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payments (-want +got):\n%s", diff)
	}

	var troubles api.DiscrepancyPage
	r.call(t, "GET", torino+"/discrepancies?limit=1", "").Decode(t, 200, &troubles)
	if len(troubles.Discrepancies) != 1 || !troubles.Discrepancies[0].Open || troubles.Next == "" {
		t.Fatalf("discrepancies = %+v", troubles)
	}
	var rest, closed api.DiscrepancyPage
	r.call(t, "GET", torino+"/discrepancies?open=true&limit=200&after="+troubles.Next, "").Decode(t, 200, &rest)
	if len(rest.Discrepancies) == 0 || rest.Discrepancies[0].Id <= troubles.Next || rest.Next != "" {
		t.Errorf("the next discrepancies = %+v", rest)
	}
	r.call(t, "GET", torino+"/discrepancies?open=false", "").Decode(t, 200, &closed)
	if len(closed.Discrepancies) != 0 {
		t.Errorf("closed discrepancies = %+v", closed)
	}
}

// badInput is what must never be accepted, nor leave a trace.
type badInput struct {
	name   string
	req    webtest.Request
	status int
	code   string
	fields []string // pointers and parameters
}

func badInputs(t testing.TB, r *rig) []badInput {
	other := r.issue(t, r.codes[1])
	r.call(t, "PUT", torino+"/verbali/"+string(other.Slip.ID)+"/record", encode(t, with(record(), map[string]any{"register": "taken"}))).Decode(t, 200, &api.VerbaleAndCode{})
	revoked, _ := r.World.Device(t, webtest.Torino)
	if _, _, err := r.Registry.RevokeDevice(t.Context(), "admin", webtest.Torino, revoked.ID); err != nil {
		t.Fatal(err)
	}
	albaCode := r.AddCodes(t, webtest.Alba, 1)[0]
	number := r.codes[0].Number.String()
	wrongCheck := number[:17] + string('0'+(number[17]-'0'+1)%10)

	var list []badInput
	add := func(name, token, method, path, body string, status int, code string, fields ...string) {
		list = append(list, badInput{name, webtest.Request{Method: method, Path: path, Token: token, Body: body}, status, code, fields})
	}
	rec := func(name string, changes map[string]any, status int, code string, fields ...string) {
		add("record: "+name, r.operator, "PUT", r.verbalePath()+"/record", encode(t, with(record(), changes)), status, code, fields...)
	}
	debtor := func(name string, changes map[string]any, status int, code string, fields ...string) {
		rec("debtor: "+name, map[string]any{"debtor": with(record()["debtor"].(map[string]any), changes)}, status, code, fields...)
	}
	creditor := func(name string, changes map[string]any, status int, code string, fields ...string) {
		add("creditor: "+name, webtest.Admin, "POST", "/v1/creditors", encode(t, with(newCreditor(), changes)), status, code, fields...)
	}

	rec("negative cents", map[string]any{"cents": -4200}, 422, "request.invalid", "/cents")
	rec("no cents", map[string]any{"cents": 0}, 422, "request.invalid", "/cents")
	rec("fractional cents", map[string]any{"cents": 42.5}, 422, "request.invalid", "/cents")
	rec("cents as text", map[string]any{"cents": "4200"}, 422, "request.invalid", "/cents")
	rec("too much", map[string]any{"cents": multe.MaxFineCents + 1}, 422, "request.invalid", "/cents")
	rec("register of another", map[string]any{"register": "taken"}, 409, "verbale.register_used")
	rec("register with a control character", map[string]any{"register": "V\n1"}, 422, "verbale.bad_register")
	rec("register too long", map[string]any{"register": strings.Repeat("1", 31)}, 422, "request.invalid", "/register")
	rec("causale with a slash", map[string]any{"causale": "Verbale 1/2"}, 422, "verbale.bad_causale")
	rec("causale too long", map[string]any{"causale": strings.Repeat("x", 91)}, 422, "request.invalid", "/causale")
	rec("no debtor, no choice", map[string]any{"debtor": nil}, 422, "verbale.debtor_or_anonymous")
	rec("debtor and anonymous", map[string]any{"anonymous": true}, 422, "verbale.debtor_or_anonymous")
	rec("unknown field", map[string]any{"plate": plate}, 422, "request.invalid", "/plate")
	debtor("no cf", map[string]any{"cf": nil}, 422, "request.invalid", "/debtor/cf")
	debtor("cf in small letters", map[string]any{"cf": "rssmra80a01l219x"}, 422, "request.invalid", "/debtor/cf")
	debtor("nobody", map[string]any{"cf": "ANONIMO"}, 422, "debtor.cf")
	debtor("person and company", map[string]any{"company": "Ditta"}, 422, "debtor.both")
	debtor("no name", map[string]any{"name": nil}, 422, "debtor.name")
	debtor("control character", map[string]any{"city": "To\x01rino"}, 422, "debtor.city")
	debtor("e-mail", map[string]any{"email": "maria"}, 422, "debtor.email")
	add("record: unknown verbale", r.operator, "PUT", torino+"/verbali/"+r.ID(t)+"/record", encode(t, record()), 404, "verbale.unknown")
	add("record: unknown verbale, no causale", r.operator, "PUT", torino+"/verbali/"+r.ID(t)+"/record", encode(t, with(record(), map[string]any{"causale": nil})), 404, "verbale.unknown")
	add("record: malformed", r.operator, "PUT", r.verbalePath()+"/record", encode(t, record())+"}", 400, "request.malformed")
	add("record: a key twice", r.operator, "PUT", r.verbalePath()+"/record", `{"cents":1,`+encode(t, record())[1:], 400, "request.malformed")
	add("record: over-long", r.operator, "PUT", r.verbalePath()+"/record", encode(t, with(record(), map[string]any{"causale": strings.Repeat("x", 64<<10)})), 413, "request.too_large")
	add("record: not JSON", r.operator, "PUT", r.verbalePath()+"/record", "register=1", 415, "request.not_json")
	list[len(list)-1].req.Type = "application/x-www-form-urlencoded"
	add("record: wrong token", "pvo_wrong", "PUT", r.verbalePath()+"/record", encode(t, record()), 401, "auth.bad_token")
	add("record: foreign creditor", r.Operator(t, webtest.Alba), "PUT", r.verbalePath()+"/record", encode(t, record()), 403, "auth.wrong_creditor")

	creditor("known", map[string]any{"cf": string(webtest.Torino)}, 409, "creditor.exists")
	creditor("wrong check digit", map[string]any{"cf": "01234560018"}, 422, "creditor.bad_cf")
	creditor("a person", map[string]any{"cf": "RSSMRA80A01L219X"}, 422, "request.invalid", "/cf")
	creditor("low above target", map[string]any{"pool": map[string]any{"low": 50, "target": 20}}, 422, "creditor.bad_pool")
	creditor("half a code", map[string]any{"pool": map[string]any{"low": 1.5, "target": 20}}, 422, "request.invalid", "/pool/low")
	creditor("policies out of order", map[string]any{"policies": []any{
		map[string]any{"from": "2026-02-01", "debtor": "reset", "amount": "one-code"},
		map[string]any{"from": "2026-01-01", "debtor": "reset", "amount": "one-code"}}}, 422, "creditor.bad_policies")
	creditor("unknown policy", map[string]any{"policies": []any{map[string]any{"from": "2026-01-01", "debtor": "guess", "amount": "one-code"}}}, 422, "request.invalid", "/policies/0/debtor")
	creditor("name with a control character", map[string]any{"name": "Comune\x00"}, 422, "creditor.bad_name")
	add("operator: name", webtest.Admin, "POST", torino+"/operators", `{"name":" "}`, 422, "operator.bad_name")
	add("operator: of nobody", webtest.Admin, "POST", "/v1/creditors/01234560017/operators", `{"name":"x"}`, 404, "creditor.unknown")
	add("device: name", r.operator, "POST", torino+"/devices", `{"name":"a\tb"}`, 422, "device.bad_name")
	add("device: too long", r.operator, "POST", torino+"/devices", encode(t, map[string]any{"name": strings.Repeat("x", 51)}), 422, "request.invalid", "/name")
	add("device: unknown", r.operator, "DELETE", torino+"/devices/"+r.ID(t), "", 404, "device.unknown")
	add("device: invite the revoked", r.operator, "POST", torino+"/devices/"+string(revoked.ID)+"/invites", "", 409, "device.wrong_state")
	add("code: unknown position", r.operator, "GET", torino+"/codes/"+r.ID(t), "", 404, "code.unknown")
	add("code: of another creditor", r.operator, "GET", torino+"/codes/"+string(albaCode.Position)+"/timeline", "", 404, "code.unknown")
	add("code: wrong check digit", r.operator, "GET", torino+"/codes/"+wrongCheck, "", 404, "code.unknown")
	add("code: a plate", r.operator, "GET", torino+"/codes/"+plate, "", 422, "request.invalid", "code")
	add("page: too large", r.operator, "GET", torino+"/verbali?limit=201", "", 422, "request.invalid", "limit")
	add("page: by plate", r.operator, "GET", torino+"/verbali?plate="+plate, "", 422, "request.invalid", "?")
	add("page: made-up cursor", r.operator, "GET", torino+"/payments?after=AAAA", "", 422, "request.bad_cursor")
	add("page: cursor with NUL", r.operator, "GET", torino+"/payments?after=eyJ2IjoiXHUwMDAwIn0", "", 422, "request.bad_cursor")
	add("pdf: unknown", r.operator, "GET", torino+"/verbali/"+r.ID(t)+"/preavviso.pdf", "", 404, "verbale.unknown")
	add("receipt: of an unknown verbale", r.operator, "GET", torino+"/verbali/"+r.ID(t)+"/receipts", "", 404, "verbale.unknown")
	add("receipt: unknown", r.operator, "GET", r.verbalePath()+"/receipts/"+strings.Repeat("a", 64), "", 404, "receipt.unknown")
	add("receipt: no digest", r.operator, "GET", r.verbalePath()+"/receipts/a", "", 422, "request.invalid", "digest")
	add("messages: unknown state", webtest.Admin, "GET", "/v1/messages?state=lost", "", 422, "request.invalid", "state")
	add("messages: raw of none", webtest.Admin, "GET", "/v1/messages/"+r.ID(t)+"/raw", "", 404, "message.unknown")
	add("messages: replay of none", webtest.Admin, "POST", "/v1/messages/"+r.ID(t)+"/replay", "", 404, "message.unknown")
	add("no such address", r.operator, "GET", torino+"/targhe", "", 404, "route.unknown")
	add("no such method", r.operator, "DELETE", r.verbalePath(), "", 405, "route.bad_method")
	return list
}

func TestBadInput(t *testing.T) {
	r := newRig(t)
	inputs := badInputs(t, r)
	before := r.Dump(t)
	for _, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			a := r.Do(t, in.req)
			p := a.Problem(t)
			if p.Status != in.status || p.Code != in.code {
				t.Errorf("= %d %s (%s), want %d %s", p.Status, p.Code, p.Detail, in.status, in.code)
			}
			for _, personal := range []string{plate, "Rossi", "RSSMRA80A01L219X", "maria@"} {
				if strings.Contains(a.Body, personal) {
					t.Errorf("the answer repeats %s: %s", personal, a.Body)
				}
			}
			var fields []string
			for _, f := range p.Errors {
				fields = append(fields, f.Pointer+f.Parameter)
			}
			if diff := cmp.Diff(in.fields, fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if after := r.Dump(t); after != before {
				t.Errorf("something was written:\n%s", cmp.Diff(before, after))
			}
		})
	}
	if r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())).Status != 200 {
		t.Error("the record that all of these spoil is itself refused: the table proves nothing")
	}
}

// TestWhoMayCall is every operation against every kind of caller.
func TestWhoMayCall(t *testing.T) {
	r := newRig(t)
	revoked, revokedToken := r.World.Device(t, webtest.Torino)
	if _, _, err := r.Registry.RevokeDevice(t.Context(), "admin", webtest.Torino, revoked.ID); err != nil {
		t.Fatal(err)
	}
	alba := r.Operator(t, webtest.Alba)
	adminOnly := []string{"AddOperator", "RotateToken"}
	installation := []string{"AddCreditor", "ListCreditors", "ListInstallationDiscrepancies", "ListMessages", "ReadMessage", "ReplayMessage", "TakeInstallationDiscrepancy", "CloseInstallationDiscrepancy"} // for the administrator, and no creditor in the path to be wrong about
	public := []string{"Health"}
	type caller struct{ name, token, known, unknown, admin string } // codes for a known and an unknown creditor, and for what only the administrator may; "" is welcome
	callers := []caller{
		{"nobody", "", "auth.missing", "auth.missing", "auth.missing"},
		{"a stranger", "pvo_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "auth.bad_token", "auth.bad_token", "auth.bad_token"},
		{"a handheld", r.token, "auth.bad_token", "auth.bad_token", "auth.bad_token"},
		{"a revoked handheld", revokedToken, "auth.bad_token", "auth.bad_token", "auth.bad_token"},
		{"another creditor's operator", alba, "auth.wrong_creditor", "auth.wrong_creditor", "auth.wrong_creditor"},
		{"the operator", r.operator, "", "auth.wrong_creditor", "auth.admin_only"},
		{"the administrator", webtest.Admin, "", "creditor.unknown", ""},
	}
	status := map[string]int{"auth.missing": 401, "auth.bad_token": 401, "auth.wrong_creditor": 403, "auth.admin_only": 403, "creditor.unknown": 404}
	for path, item := range r.Document().Paths.Map() {
		for method, op := range item.Operations() {
			for _, cf := range []string{string(webtest.Torino), "01234560017", "x"} {
				for _, who := range callers {
					t.Run(op.OperationID+"/"+cf+"/"+who.name, func(t *testing.T) {
						where := strings.NewReplacer("{kind}", "streets", "{n}", "1", "{cf}", cf, "{id}", r.ID(t), "{code}", r.ID(t), "{digest}", strings.Repeat("0", 64)).Replace(path)
						a := r.Do(t, webtest.Request{Method: method, Path: where, Token: who.token, Body: "{}"})
						want := who.known
						switch {
						case slices.Contains(public, op.OperationID):
							want = ""
						case slices.Contains(installation, op.OperationID) && who.name == "another creditor's operator":
							want = "auth.admin_only"
						case slices.Contains(installation, op.OperationID):
							want = who.admin
						case cf != string(webtest.Torino):
							want = who.unknown
						case slices.Contains(adminOnly, op.OperationID):
							want = who.admin
						}
						if want == "" {
							if a.Status == 401 || a.Status == 403 || a.Status >= 500 {
								t.Errorf("turned away: %d %s", a.Status, a.Body)
							}
							return
						}
						if p := a.Problem(t); p.Code != want || a.Status != status[want] || (a.Header.Get("WWW-Authenticate") == "Bearer") != (a.Status == 401) {
							t.Errorf("= %d %s, want %d %s", a.Status, p.Code, status[want], want)
						}
					})
				}
			}
		}
	}
}

// TestNoAdministratorIsNobody: an installation without an admin token has no
// token that works as one, not even the empty one.
func TestNoAdministratorIsNobody(t *testing.T) {
	w := webtest.New(t)
	for name, admin := range map[string][]multe.Digest{"none": nil, "zero": {{}}} {
		h := api.New(api.Config{Log: w.Log, Random: w.Random, Now: w.Now, Admin: admin, Registry: w.Registry})
		for _, token := range []string{webtest.Admin, strings.Repeat("0", 64), "x"} {
			a := webtest.NewClient(t, h, "openapi.yaml").Do(t, webtest.Request{Method: "POST", Path: "/v1/creditors", Token: token, Body: encode(t, newCreditor())})
			if p := a.Problem(t); p.Code != "auth.bad_token" {
				t.Errorf("%s: %q got %+v", name, token, p)
			}
		}
	}
}

func TestRoutesAreThoseOfTheDocument(t *testing.T) {
	w := webtest.New(t)
	h := handler(w)
	var want []string
	for path, item := range webtest.NewClient(t, h, "openapi.yaml").Document().Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, h.Registered()); diff != "" {
		t.Errorf("routes (-document +server):\n%s", diff)
	}
}

// TestDocumentAgreesWithTheDomain: a limit that is stated twice is stated alike.
func TestDocumentAgreesWithTheDomain(t *testing.T) {
	schemas := newRig(t).Document().Components.Schemas
	property := func(schema, name string) *openapi3.Schema { return schemas[schema].Value.Properties[name].Value }
	if got := *property("RecordRequest", "cents").Max; got != multe.MaxFineCents {
		t.Errorf("cents: the document allows %f, the domain %d", got, multe.MaxFineCents)
	}
	if got := *property("RecordRequest", "register").MaxLength; got != multe.MaxRegister {
		t.Errorf("register: the document allows %d, the domain %d", got, multe.MaxRegister)
	}
	if low, high := *property("PoolLevels", "target").Min, *property("PoolLevels", "target").Max; low != multe.MinPoolTarget || high != multe.MaxPoolTarget {
		t.Errorf("target: the document allows %f to %f", low, high)
	}
	for _, s := range multe.CodeStates() {
		if !api.CodeState(s).Valid() {
			t.Errorf("the document lacks the state %s", s)
		}
	}
	for _, name := range []string{"NewCreditor", "PostalAccount", "PoolLevels", "Policy", "NewOperator", "NewDevice", "RecordRequest", "Debtor"} {
		if has := schemas[name].Value.AdditionalProperties.Has; has == nil || *has {
			t.Errorf("%s allows unknown fields", name)
		}
	}
	if got := *schemas["RecordRequest"].Value.Properties["causale"].Value.MaxLength; got != 90 {
		t.Errorf("causale: the document allows %d characters, ParseCausale 90", got)
	}
	if _, err := multe.ParseCausale(strings.Repeat("x", 90)); err != nil {
		t.Error(err)
	}
	if _, err := multe.ParseCausale(strings.Repeat("x", 91)); err == nil {
		t.Error("the domain allows a longer causale than the document")
	}
}

// TestLogsHoldNoSecrets searches the log of everything that can go wrong.
func TestLogsHoldNoSecrets(t *testing.T) {
	r := newRig(t)
	for _, in := range badInputs(t, r) {
		r.Do(t, in.req)
	}
	var operator api.Operator
	r.Do(t, webtest.Request{Method: "POST", Path: torino + "/operators", Token: webtest.Admin, Body: `{"name":"Canarino"}`}).Decode(t, 201, &operator)
	var invitation api.Invitation
	r.call(t, "POST", torino+"/devices", `{"name":"Palmare"}`).Decode(t, 201, &invitation)
	r.call(t, "PUT", r.verbalePath()+"/record", encode(t, record())).Decode(t, 200, &api.VerbaleAndCode{})
	log := r.Logged.String()
	if lines := strings.Count(log, `"msg":"request"`); lines < 50 {
		t.Fatalf("only %d requests were logged", lines)
	}
	for name, canary := range map[string]string{
		"plate": plate, "debtor": "Rossi", "cf": "RSSMRA80A01L219X", "e-mail": "maria@", "operator token": r.operator, "new token": operator.Token,
		"wrong token": "pvo_wrong", "admin token": webtest.Admin, "device token": r.token, "enrolment code": invitation.Code,
		"creditor": string(webtest.Torino), "avviso": r.codes[0].Number.String(), "register": "V/2026/17",
	} {
		if strings.Contains(log, canary) {
			t.Errorf("the log holds a %s", name)
		}
	}
}

// FuzzBodies: no body is answered 5xx, and every answer is one of the document.
func FuzzBodies(f *testing.F) {
	r := newRig(f)
	routes := []struct{ method, path, token string }{
		{"PUT", r.verbalePath() + "/record", r.operator},
		{"POST", "/v1/creditors", webtest.Admin},
		{"POST", torino + "/operators", webtest.Admin},
		{"POST", torino + "/devices", r.operator},
	}
	for _, in := range badInputs(f, r) {
		for i, route := range routes {
			if in.req.Path == route.path && in.req.Method == route.method && len(in.req.Body) < 4096 {
				f.Add(uint8(i), in.req.Body)
			}
		}
	}
	f.Add(uint8(0), encode(f, record()))
	f.Add(uint8(1), encode(f, newCreditor()))
	f.Fuzz(func(t *testing.T, route uint8, body string) {
		to := routes[int(route)%len(routes)]
		a := r.Do(t, webtest.Request{Method: to.method, Path: to.path, Token: to.token, Body: body})
		if a.Status >= 500 {
			t.Fatalf("%q: %d %s", body, a.Status, a.Body)
		}
		if a.Status >= 300 {
			a.Problem(t)
		}
	})
}

// FuzzPaths: the same for what stands in an address.
func FuzzPaths(f *testing.F) {
	r := newRig(f)
	for _, in := range badInputs(f, r) {
		path, query, _ := strings.Cut(in.req.Path, "?")
		f.Add(path, query)
	}
	f.Add(torino+"/payments", "after="+"eyJyIjoiMjAyNi0wMy0wMlQwOTowMDowMFoiLCJ2IjoiMSIsInUiOiIifQ")
	f.Add(torino+"/discrepancies", "open=false&after=%21")
	f.Fuzz(func(t *testing.T, path, query string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		for _, token := range []string{r.operator, webtest.Admin} {
			if a := r.Do(t, webtest.Request{Method: "GET", Path: path + "?" + query, Token: token}); a.Status >= 500 {
				t.Fatalf("%q?%q: %d %s", path, query, a.Status, a.Body)
			}
		}
	})
}

// TestReceiptsAndMessages is what the office sees of a receipt, a revocation and
// an expired avviso, and the administrator of a message that nobody can read.
func TestReceiptsAndMessages(t *testing.T) {
	r := newRig(t)
	iuv := r.codes[0].Number.IUV()
	envelope := func(name, content string) string {
		return `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><n:` + name + `Request xmlns:n="http://www.csi.it/epay/epaywso/epaywso2enti/types">` +
			`<n:Testata><n:CFEnteCreditore>` + string(webtest.Torino) + `</n:CFEnteCreditore></n:Testata>` + content + `</n:` + name + `Request></S:Body></S:Envelope>`
	}
	rt := `<RT><datiPagamento><codiceEsitoPagamento>0</codiceEsitoPagamento><importoTotalePagato>29.40</importoTotalePagato><identificativoUnivocoVersamento>` + iuv + `</identificativoUnivocoVersamento></datiPagamento></RT>`
	unreadable := envelope("Trasmetti", "")
	for _, m := range []string{
		envelope("TrasmettiRT", `<n:CorpoRT><n:ElencoRT><n:RT><n:Id>T1</n:Id><n:XML>`+base64.StdEncoding.EncodeToString([]byte(rt))+`</n:XML></n:RT></n:ElencoRT></n:CorpoRT>`),
		envelope("TrasmettiRichiesteDiRevoca", `<n:CorpoRichiesteDiRevoca><n:ElencoRichiesteDiRevoca><n:RichiestaDiRevoca><n:IUV>`+iuv+`</n:IUV></n:RichiestaDiRevoca></n:ElencoRichiesteDiRevoca></n:CorpoRichiesteDiRevoca>`),
		envelope("TrasmettiAvvisiScaduti", `<n:CorpoAvvisiScaduti><n:ElencoAvvisiScaduti><n:AvvisoScaduto><n:IUV>`+iuv+`</n:IUV><n:Importo>42.00</n:Importo></n:AvvisoScaduto></n:ElencoAvvisiScaduti></n:CorpoAvvisiScaduti>`),
		unreadable,
	} {
		r.Pass(time.Second)
		if err := r.Inbox.Receive(t.Context(), "epay", "kind", []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Inbox.Work(t.Context()); err != nil {
		t.Fatal(err)
	}

	var list api.ReceiptList
	r.call(t, "GET", r.verbalePath()+"/receipts", "").Decode(t, 200, &list)
	digest := multe.DigestOf([]byte(rt)).String()
	if len(list.Receipts) != 1 || list.Receipts[0].Digest != digest || list.Receipts[0].Outcome != "0" || list.Receipts[0].Cents != 2940 || list.Receipts[0].Iuv != iuv || list.Receipts[0].Id != "T1" || list.Receipts[0].Bytes != len(rt) {
		t.Errorf("receipts = %+v", list)
	}
	if a := r.call(t, "GET", r.verbalePath()+"/receipts/"+digest, ""); a.Status != 200 || a.Body != rt {
		t.Errorf("receipt = %d %q", a.Status, a.Body)
	}
	var line api.Timeline
	r.call(t, "GET", torino+"/codes/"+r.codes[0].Number.String()+"/timeline", "").Decode(t, 200, &line)
	var got []string
	for _, e := range line.Entries[max(0, len(line.Entries)-3):] {
		got = append(got, e.Action)
		if strings.Contains(e.Text, e.Action) {
			t.Errorf("%s has no sentence", e.Action)
		}
	}
	if diff := cmp.Diff([]string{"receipt.recorded", "revocation.recorded", "expiry.recorded"}, got); diff != "" {
		t.Errorf("the end of the timeline (-want +got):\n%s", diff)
	}
	var troubles api.DiscrepancyPage
	r.call(t, "GET", torino+"/discrepancies", "").Decode(t, 200, &troubles)
	if len(troubles.Discrepancies) != 1 || troubles.Discrepancies[0].Kind != "revocation.requested" || troubles.Discrepancies[0].Subject != iuv {
		t.Errorf("discrepancies = %+v", troubles)
	}

	admin := func(method, path string) webtest.Answer {
		return r.Do(t, webtest.Request{Method: method, Path: path, Token: webtest.Admin})
	}
	var dead, done, next api.MessagePage
	admin("GET", "/v1/messages").Decode(t, 200, &dead)
	if len(dead.Messages) != 1 || dead.Messages[0].Problem != "message.unreadable" || dead.Messages[0].Caller != "epay" || dead.Messages[0].Bytes != len(unreadable) || dead.Next != "" {
		t.Fatalf("dead = %+v", dead)
	}
	admin("GET", "/v1/messages?state=done&limit=2").Decode(t, 200, &done)
	admin("GET", "/v1/messages?state=done&limit=2&after="+done.Next).Decode(t, 200, &next)
	if len(done.Messages) != 2 || len(next.Messages) != 1 || next.Next != "" {
		t.Errorf("done = %+v, then %+v", done, next)
	}
	path := "/v1/messages/" + dead.Messages[0].Id
	if a := admin("GET", path+"/raw"); a.Status != 200 || a.Body != unreadable {
		t.Errorf("raw = %d %q", a.Status, a.Body)
	}
	var replayed api.Message
	admin("POST", path+"/replay").Decode(t, 200, &replayed)
	if replayed.State != api.MessageNew || replayed.Problem != "" {
		t.Errorf("replayed = %+v", replayed)
	}
	if p := admin("POST", path+"/replay").Problem(t); p.Code != "message.wrong_state" || p.Status != 409 {
		t.Errorf("replayed while it waits = %+v", p)
	}
}

// TestGapCheck: the office sees what became of every code lent on a day, and what a
// lost handheld exposes.
func TestGapCheck(t *testing.T) {
	r := newRig(t)
	d, _ := r.World.Device(t, webtest.Torino)
	r.AddCodes(t, webtest.Torino, 5)
	lent, err := r.Pool.Lease(t.Context(), webtest.Torino, d.ID, multe.LeaseID(r.ID(t)), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Pool.Spoil(t.Context(), webtest.Torino, d.ID, lent[1].Position, multe.SpoilLost); err != nil {
		t.Fatal(err)
	}
	path := torino + "/devices/" + string(d.ID)
	var account api.Account
	r.call(t, "GET", path+"/codes?day=2026-03-02", "").Decode(t, 200, &account)
	if account.Open != 2 || len(account.Codes) != 3 || account.Codes[0].Outcome != "held" || account.Codes[1].Outcome != "spoiled" || account.Codes[1].Proof != "lost" {
		t.Errorf("account = %+v", account)
	}
	var gone api.RevokedDevice
	r.call(t, "DELETE", path, "").Decode(t, 200, &gone)
	if gone.State != "revoked" || len(gone.Exposed) != 3 || gone.Exposed[0].Avviso != lent[0].Number.String() {
		t.Errorf("revoked = %+v", gone)
	}
	r.call(t, "GET", path+"/codes?day=2026-03-02", "").Decode(t, 200, &account)
	if account.Open != 2 || account.Codes[0].Outcome != "aside" || account.Codes[0].State != "quarantined" {
		t.Errorf("after the revocation: %+v", account)
	}
	for query, code := range map[string]string{"": "request.invalid", "?day=x": "request.invalid"} {
		if p := r.call(t, "GET", path+"/codes"+query, "").Problem(t); p.Code != code || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Parameter != "day" {
			t.Errorf("%q: %+v", query, p)
		}
	}
	r.call(t, "GET", path+"/codes?day=2026-03-03", "").Decode(t, 200, &account)
	if account.Open != 0 || len(account.Codes) != 0 {
		t.Errorf("another day: %+v", account)
	}
}
