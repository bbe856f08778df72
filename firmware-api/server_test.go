package firmwareapi_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	firmwareapi "preavviso/firmware-api"
	"preavviso/internal/multe"
	"preavviso/internal/web"
	"preavviso/internal/web/webtest"
)

// rig is the API over the real use cases, with one handheld in the street.
type rig struct {
	*webtest.World
	*webtest.Client
	device multe.Device
	token  string
	codes  []multe.Code // lent to the handheld
}

func newRig(t testing.TB) *rig {
	t.Helper()
	w := webtest.New(t)
	r := &rig{World: w, Client: webtest.NewClient(t, handler(w), "openapi.yaml")}
	r.device, r.token = w.Device(t, webtest.Torino)
	w.AddCodes(t, webtest.Torino, 12)
	codes, err := w.Pool.Lease(t.Context(), webtest.Torino, r.device.ID, multe.LeaseID(w.ID(t)), 5)
	if err != nil {
		t.Fatal(err)
	}
	r.codes = codes
	return r
}

func handler(w *webtest.World) *web.Server {
	return firmwareapi.New(config(w))
}

func config(w *webtest.World) firmwareapi.Config {
	return firmwareapi.Config{Log: w.Log, Random: w.Random, Now: w.Now, Registry: w.Registry, Pool: w.Pool, Verbali: w.Verbali, Prints: w.Prints, Photos: w.Photos, Feedback: w.Feedback, Shifts: w.Documents, Stopping: stopping()}
}

// stopping is a service about to stop: its streams end after what there is.
func stopping() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (r *rig) call(t testing.TB, method, path, body string) webtest.Answer {
	t.Helper()
	return r.Do(t, webtest.Request{Method: method, Path: path, Token: r.token, Body: body})
}

// slip is the body of an issue, to be changed by tests.
func (r *rig) slip(t testing.TB, k multe.Code) map[string]any {
	t.Helper()
	return map[string]any{
		"id": r.ID(t), "position": string(k.Position), "avviso": k.Number.String(), "reference": "2026-P-1",
		"plate": "AB123CD", "nation": "IT", "vehicle": "auto grigia", "place": "via Roma 1",
		"violation": map[string]any{"norm": "art. 158 c. 2 e 6 CdS", "conduct": "Sosta sul passo carrabile"},
		"warden":    "M-17", "issued_at": "2026-03-02T09:55:00+01:00", "offline": false,
		"steps": []any{
			map[string]any{"cents": 2940, "last_day": "2026-03-07"},
			map[string]any{"cents": 4200, "last_day": "2026-05-01"},
			map[string]any{"cents": 8650},
		},
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestShift is a handheld's day: it enrols, borrows, prints and reports.
func TestShift(t *testing.T) {
	w := webtest.New(t)
	c := webtest.NewClient(t, handler(w), "openapi.yaml")
	w.AddCodes(t, webtest.Torino, 3)
	_, invite, err := w.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Palmare 1", true)
	if err != nil {
		t.Fatal(err)
	}

	var enrolment firmwareapi.Enrolment
	c.Do(t, webtest.Request{Method: "POST", Path: "/v1/enrolments", Body: encode(t, map[string]any{"code": invite})}).Decode(t, 201, &enrolment)
	if enrolment.Name != "Palmare 1" || enrolment.Creditor.Cf != string(webtest.Torino) || enrolment.Token == "" {
		t.Fatalf("enrolment = %+v", enrolment)
	}
	r := &rig{World: w, Client: c, token: enrolment.Token}

	lease := encode(t, map[string]any{"id": w.ID(t), "want": 5})
	first := r.call(t, "POST", "/v1/leases", lease)
	var block firmwareapi.LeasedCodes
	first.Decode(t, 200, &block)
	if len(block.Codes) != 3 || block.Codes[0].State != firmwareapi.CodeStateAssigned {
		t.Fatalf("block = %+v", block)
	}
	if again := r.call(t, "POST", "/v1/leases", lease); again.Body != first.Body {
		t.Errorf("the same request got %s, then %s", first.Body, again.Body)
	}

	code, err := w.Verbali.FindCode(t.Context(), webtest.Torino, block.Codes[0].Avviso)
	if err != nil {
		t.Fatal(err)
	}
	slip := r.slip(t, code)
	issued := r.call(t, "POST", "/v1/verbali", encode(t, slip))
	var receipt firmwareapi.Receipt
	issued.Decode(t, 200, &receipt)
	if receipt.Id != slip["id"] || receipt.Avviso != slip["avviso"] || !receipt.ReceivedAt.Equal(w.Now()) || len(receipt.Digest) != 64 {
		t.Errorf("receipt = %+v", receipt)
	}

	var status firmwareapi.VerbaleStatus
	r.call(t, "GET", "/v1/verbali/"+receipt.Id, "").Decode(t, 200, &status)
	want := firmwareapi.VerbaleStatus{
		Id: receipt.Id, Position: receipt.Position, Avviso: receipt.Avviso, ReceivedAt: receipt.ReceivedAt,
		State: "issued", CodeState: "issued", Payable: false, DueCents: 2940,
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}

	var state firmwareapi.DeviceState
	r.call(t, "GET", "/v1/state", "").Decode(t, 200, &state)
	if len(state.Held) != 2 || !state.StockLow || state.Device != enrolment.Device || !state.ServerTime.Equal(w.Now()) {
		t.Errorf("state = %+v", state)
	}
	if diff := cmp.Diff([]firmwareapi.VerbaleItem{{Id: receipt.Id, State: "issued", CodeState: "issued"}}, state.Verbali); diff != "" {
		t.Errorf("verbali (-want +got):\n%s", diff)
	}

	w.Pass(5 * 24 * time.Hour)
	r.call(t, "GET", "/v1/verbali/"+receipt.Id, "").Decode(t, 200, &status)
	if status.DueCents != 2940 {
		t.Errorf("due on the last day of the first step = %d", status.DueCents)
	}
	w.Pass(24 * time.Hour)
	r.call(t, "GET", "/v1/verbali/"+receipt.Id, "").Decode(t, 200, &status)
	if status.DueCents != 4200 {
		t.Errorf("due on the day after = %d", status.DueCents)
	}
	r.call(t, "GET", "/v1/state", "").Decode(t, 200, &state)
	if len(state.Verbali) != 0 {
		t.Errorf("an old verbale is still told: %+v", state.Verbali)
	}
}

// TestRepetitionGetsTheSameBytes: what the handheld sends again after a lost
// answer may be spelled otherwise, and weeks may have passed.
func TestRepetitionGetsTheSameBytes(t *testing.T) {
	r := newRig(t)
	slip := r.slip(t, r.codes[0])
	first := r.call(t, "POST", "/v1/verbali", encode(t, slip))
	if first.Status != 200 {
		t.Fatalf("= %d %s", first.Status, first.Body)
	}
	r.Pass(200 * 24 * time.Hour)
	r.call(t, "GET", "/v1/state", "") // notes that it called
	before := r.Dump(t)
	for name, body := range map[string]string{
		"same bytes":  encode(t, slip),
		"other space": strings.ReplaceAll(encode(t, slip), ",", " ,\n"),
		"other plate spelling, other zone": encode(t, with(slip, map[string]any{
			"plate": "ab 123-cd", "issued_at": "2026-03-02T08:55:00Z"})),
	} {
		if again := r.call(t, "POST", "/v1/verbali", body); again.Body != first.Body || again.Status != 200 {
			t.Errorf("%s: %d %s, want %s", name, again.Status, again.Body, first.Body)
		}
	}
	for field, value := range map[string]any{
		"plate": "AB124CD", "nation": "FR", "place": "via Roma 2", "offline": true, "warden": "M-18", "reference": "2026-P-2",
		"vehicle": "moto", "issued_at": "2026-03-02T09:55:01+01:00", "position": string(r.codes[1].Position), "avviso": r.codes[1].Number.String(),
		"violation": map[string]any{"norm": "art. 7 CdS", "conduct": "Sosta sul passo carrabile"},
		"steps":     []any{map[string]any{"cents": 2940}},
	} {
		if p := r.call(t, "POST", "/v1/verbali", encode(t, with(slip, map[string]any{field: value}))).Problem(t); p.Code != "verbale.other_body" || p.Status != 409 {
			t.Errorf("another %s: %+v", field, p)
		}
	}
	if after := r.Dump(t); after != before {
		t.Errorf("a repetition wrote:\n%s", cmp.Diff(before, after))
	}
}

// with returns a copy of body with some fields changed; nil drops one.
func with(body map[string]any, changes map[string]any) map[string]any {
	out := maps.Clone(body)
	for k, v := range changes {
		out[k] = v
		if v == nil {
			delete(out, k)
		}
	}
	return out
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
	other, otherToken := r.World.Device(t, webtest.Torino)
	otherCodes, err := r.Pool.Lease(t.Context(), webtest.Torino, other.ID, multe.LeaseID(r.ID(t)), 2)
	if err != nil {
		t.Fatal(err)
	}
	theirs := r.slip(t, otherCodes[0])
	if a := r.Do(t, webtest.Request{Method: "POST", Path: "/v1/verbali", Token: otherToken, Body: encode(t, theirs)}); a.Status != 200 {
		t.Fatalf("their slip: %d %s", a.Status, a.Body)
	}
	used := r.slip(t, r.codes[4])
	if a := r.call(t, "POST", "/v1/verbali", encode(t, used)); a.Status != 200 {
		t.Fatalf("our slip: %d %s", a.Status, a.Body)
	}
	lease := r.ID(t)
	if a := r.call(t, "POST", "/v1/leases", encode(t, map[string]any{"id": lease, "want": 1})); a.Status != 200 {
		t.Fatalf("our lease: %d %s", a.Status, a.Body)
	}
	_, expired, err := r.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Tardi", true)
	if err != nil {
		t.Fatal(err)
	}
	good := r.slip(t, r.codes[0])
	number := r.codes[0].Number.String()
	wrongCheck := number[:17] + string('0'+(number[17]-'0'+1)%10)
	steps := func(kv ...any) []any {
		var out []any
		for i := 0; i < len(kv); i += 2 {
			s := map[string]any{"cents": kv[i]}
			if kv[i+1] != "" {
				s["last_day"] = kv[i+1]
			}
			out = append(out, s)
		}
		return out
	}
	r.Pass(11 * time.Minute) // the enrolment code is too old now

	var list []badInput
	add := func(name, method, path, body string, status int, code string, fields ...string) {
		list = append(list, badInput{name, webtest.Request{Method: method, Path: path, Token: r.token, Body: body}, status, code, fields})
	}
	issue := func(name string, changes map[string]any, status int, code string, fields ...string) {
		add("slip: "+name, "POST", "/v1/verbali", encode(t, with(good, changes)), status, code, fields...)
	}
	issue("wrong check digit", map[string]any{"avviso": wrongCheck}, 422, "avviso.malformed")
	issue("number of another code", map[string]any{"avviso": r.codes[1].Number.String()}, 422, "verbale.number_mismatch")
	issue("number with spaces", map[string]any{"avviso": r.codes[0].Number.Grouped()}, 422, "request.invalid", "/avviso")
	issue("unknown code", map[string]any{"position": strings.Repeat("0", 32)}, 404, "code.unknown")
	issue("code of another handheld", map[string]any{"position": string(otherCodes[1].Position), "avviso": otherCodes[1].Number.String()}, 409, "code.other_device")
	issue("code that is used", map[string]any{"position": used["position"], "avviso": used["avviso"]}, 409, "code.wrong_state")
	issue("id of another handheld", map[string]any{"id": theirs["id"]}, 409, "verbale.other_body")
	issue("id that is no id", map[string]any{"id": "1"}, 422, "request.invalid", "/id")
	issue("negative cents", map[string]any{"steps": steps(-1, "")}, 422, "request.invalid", "/steps/0/cents")
	issue("no cents", map[string]any{"steps": steps(0, "")}, 422, "request.invalid", "/steps/0/cents")
	issue("fractional cents", map[string]any{"steps": steps(29.4, "")}, 422, "request.invalid", "/steps/0/cents")
	issue("cents as text", map[string]any{"steps": steps("2940", "")}, 422, "request.invalid", "/steps/0/cents")
	issue("too much", map[string]any{"steps": steps(10_000_000, "")}, 422, "request.invalid", "/steps/0/cents")
	issue("falling amounts", map[string]any{"steps": steps(4200, "2026-03-07", 2940, "")}, 422, "verbale.bad_steps")
	issue("last step with a day", map[string]any{"steps": steps(4200, "2026-03-07")}, 422, "verbale.bad_steps")
	issue("first step without a day", map[string]any{"steps": steps(2940, "", 4200, "")}, 422, "verbale.bad_steps")
	issue("days before the issue", map[string]any{"steps": steps(2940, "2026-03-01", 4200, "")}, 422, "verbale.bad_steps")
	issue("no such day", map[string]any{"steps": steps(2940, "2026-02-29", 4200, "")}, 422, "request.invalid", "/steps/0/last_day")
	issue("no steps", map[string]any{"steps": []any{}}, 422, "request.invalid", "/steps")
	issue("too many steps", map[string]any{"steps": steps(1, "2026-03-07", 2, "2026-03-08", 3, "2026-03-09", 4, "2026-03-10", 5, "")}, 422, "request.invalid", "/steps")
	issue("future", map[string]any{"issued_at": "2026-03-02T12:00:00+01:00"}, 422, "verbale.bad_issued_at")
	issue("past", map[string]any{"issued_at": "2025-11-02T12:00:00+01:00"}, 422, "verbale.bad_issued_at")
	issue("instant without zone", map[string]any{"issued_at": "2026-03-02T09:55:00"}, 422, "request.invalid", "/issued_at")
	issue("year zero", map[string]any{"issued_at": "0000-01-01T00:00:00Z"}, 422, "request.invalid", "/issued_at")
	issue("plate with a control character", map[string]any{"plate": "AB\x00123\nCD"}, 422, "verbale.bad_plate")
	issue("plate of dashes", map[string]any{"plate": "- - -"}, 422, "verbale.bad_plate")
	issue("plate with an accent", map[string]any{"plate": "ÀB123CD"}, 422, "verbale.bad_plate")
	issue("plate too long", map[string]any{"plate": "ABCDEFGHIJKLM"}, 422, "verbale.bad_plate")
	issue("place with a control character", map[string]any{"place": "via\x07Roma"}, 422, "verbale.bad_place")
	issue("place too long", map[string]any{"place": strings.Repeat("à", 141)}, 422, "request.invalid", "/place")
	issue("place with space at the end", map[string]any{"place": "via Roma "}, 422, "verbale.bad_place")
	issue("half a surrogate", map[string]any{"place": "via"}, 422, "verbale.bad_place")
	list[len(list)-1].req.Body = strings.Replace(list[len(list)-1].req.Body, `"via"`, `"via\ud800"`, 1)
	issue("nation", map[string]any{"nation": "it"}, 422, "request.invalid", "/nation")
	issue("reference", map[string]any{"reference": "a/b"}, 422, "request.invalid", "/reference")
	issue("missing field", map[string]any{"warden": nil, "offline": nil}, 422, "request.invalid", "/offline", "/warden")
	issue("unknown field", map[string]any{"debtor": "x"}, 422, "request.invalid", "/debtor")
	add("slip: malformed", "POST", "/v1/verbali", encode(t, good)[1:], 400, "request.malformed")
	add("slip: a key twice", "POST", "/v1/verbali", `{"id":"a",`+encode(t, good)[1:], 400, "request.malformed")
	add("slip: two", "POST", "/v1/verbali", encode(t, good)+encode(t, good), 400, "request.malformed")
	add("slip: over-long", "POST", "/v1/verbali", encode(t, with(good, map[string]any{"place": strings.Repeat("x", 64<<10)})), 413, "request.too_large")
	add("slip: nothing", "POST", "/v1/verbali", "", 415, "request.not_json")
	add("slip: not JSON", "POST", "/v1/verbali", encode(t, good), 415, "request.not_json")
	list[len(list)-1].req.Type = "text/plain"
	add("slip: wrong token", "POST", "/v1/verbali", encode(t, good), 401, "auth.bad_token")
	list[len(list)-1].req.Token = "pvd_wrong"

	add("lease: other want", "POST", "/v1/leases", encode(t, map[string]any{"id": lease, "want": 2}), 409, "lease.other_request")
	add("lease: nothing", "POST", "/v1/leases", encode(t, map[string]any{"id": r.ID(t), "want": 0}), 422, "request.invalid", "/want")
	add("lease: too many", "POST", "/v1/leases", encode(t, map[string]any{"id": r.ID(t), "want": multe.MaxLease + 1}), 422, "request.invalid", "/want")
	add("lease: half a code", "POST", "/v1/leases", `{"id":"01960000000070008000000000000002","want":1.5}`, 422, "request.invalid", "/want")
	add("lease: counter for an id", "POST", "/v1/leases", `{"id":"7","want":1}`, 422, "request.invalid", "/id")
	add("return: nothing", "POST", "/v1/returns", encode(t, map[string]any{"id": r.ID(t), "positions": []any{}}), 422, "request.invalid", "/positions")
	add("return: counter for an id", "POST", "/v1/returns", encode(t, map[string]any{"id": "7", "positions": []any{r.ID(t)}}), 422, "request.invalid", "/id")
	add("spoil: no reason", "POST", "/v1/spoils", encode(t, map[string]any{"position": string(r.codes[0].Position), "reason": "x"}), 422, "request.invalid", "/reason")
	add("spoil: unknown", "POST", "/v1/spoils", encode(t, map[string]any{"position": r.ID(t), "reason": "lost"}), 404, "code.unknown")
	add("spoil: of another handheld", "POST", "/v1/spoils", encode(t, map[string]any{"position": string(otherCodes[1].Position), "reason": "lost"}), 409, "code.other_device")
	add("spoil: used", "POST", "/v1/spoils", encode(t, map[string]any{"position": used["position"], "reason": "lost"}), 409, "code.wrong_state")
	add("enrol: unknown", "POST", "/v1/enrolments", `{"code":"pvi_unknown"}`, 403, "enrolment.unknown")
	add("enrol: control character", "POST", "/v1/enrolments", `{"code":"\u0000"}`, 403, "enrolment.unknown")
	add("enrol: too late", "POST", "/v1/enrolments", encode(t, map[string]any{"code": expired}), 403, "enrolment.expired")
	add("enrol: over-long", "POST", "/v1/enrolments", encode(t, map[string]any{"code": strings.Repeat("x", 101)}), 422, "request.invalid", "/code")
	add("read: unknown", "GET", "/v1/verbali/"+r.ID(t), "", 404, "verbale.unknown")
	add("read: of another handheld", "GET", "/v1/verbali/"+theirs["id"].(string), "", 404, "verbale.unknown")
	add("read: no id", "GET", "/v1/verbali/x", "", 422, "request.invalid", "id")
	add("read: unknown parameter", "GET", "/v1/state?plate=x", "", 422, "request.invalid", "?")
	add("no such address", "GET", "/v1/codes", "", 404, "route.unknown")
	add("no such method", "DELETE", "/v1/state", "", 405, "route.bad_method")
	return list
}

func TestBadInput(t *testing.T) {
	r := newRig(t)
	inputs := badInputs(t, r)
	before := r.Dump(t)
	for _, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			p := r.Do(t, in.req).Problem(t)
			if p.Status != in.status || p.Code != in.code {
				t.Errorf("= %d %s (%s), want %d %s", p.Status, p.Code, p.Detail, in.status, in.code)
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
	if r.call(t, "POST", "/v1/verbali", encode(t, r.slip(t, r.codes[0]))).Status != 200 {
		t.Error("the slip that all of these spoil is itself refused: the table proves nothing")
	}
}

// TestREADMEKnowsEveryCode: firmware authors switch on these codes.
func TestREADMEKnowsEveryCode(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range append(badInputs(t, newRig(t)), badInput{code: "pool.empty"}, badInput{code: "lease.too_many_held"}, badInput{code: "auth.unsigned"}, badInput{code: "auth.uncovered"}, badInput{code: "auth.bad_signature"}, badInput{code: "auth.bad_digest"},
		badInput{code: "auth.challenge"}, badInput{code: "auth.clock_skew"}, badInput{code: "auth.expired"}, badInput{code: "auth.replayed"}, badInput{code: "auth.unknown_key"}, badInput{code: "auth.too_many"},
		badInput{code: "enrolment.key_required"}, badInput{code: "enrolment.key_in_use"}, badInput{code: "enrolment.bad_key"}, badInput{code: "unavailable"}, badInput{code: "internal"}) {
		if !strings.Contains(string(readme), "`"+in.code+"`") {
			t.Errorf("README.md does not explain %s", in.code)
		}
	}
}

func TestPoolRunsDry(t *testing.T) {
	r := newRig(t)
	body := func() string { return encode(t, map[string]any{"id": r.ID(t), "want": 500}) }
	var block firmwareapi.LeasedCodes
	r.call(t, "POST", "/v1/leases", body()).Decode(t, 200, &block)
	if len(block.Codes) != 7 {
		t.Errorf("%d codes, want the 7 that were left", len(block.Codes))
	}
	if p := r.call(t, "POST", "/v1/leases", body()).Problem(t); p.Code != "pool.empty" || p.Status != 409 {
		t.Errorf("an empty pool: %+v", p)
	}
}

// TestWhoMayCall is every operation against every kind of caller. An operation
// that is not public opens to enrolled handhelds alone.
func TestWhoMayCall(t *testing.T) {
	r := newRig(t)
	revoked, revokedToken := r.World.Device(t, webtest.Torino)
	if _, _, err := r.Registry.RevokeDevice(t.Context(), "admin", webtest.Torino, revoked.ID); err != nil {
		t.Fatal(err)
	}
	reinvited, oldToken := r.World.Device(t, webtest.Torino)
	if _, _, err := r.Registry.InviteDevice(t.Context(), "admin", webtest.Torino, reinvited.ID); err != nil {
		t.Fatal(err)
	}
	callers := map[string]struct {
		token string
		code  string // "" is welcome
	}{
		"nobody":              {"", "auth.unsigned"},
		"a stranger":          {"pvd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "auth.bad_token"},
		"an operator":         {r.Operator(t, webtest.Torino), "auth.bad_token"},
		"the administrator":   {webtest.Admin, "auth.bad_token"},
		"a revoked handheld":  {revokedToken, "auth.bad_token"},
		"its token of before": {oldToken, "auth.bad_token"},
		"a handheld":          {r.token, ""},
	}
	public := []string{"Enrol"}
	for path, item := range r.Document().Paths.Map() {
		for method, op := range item.Operations() {
			for name, caller := range callers {
				t.Run(op.OperationID+"/"+name, func(t *testing.T) {
					a := r.Do(t, webtest.Request{Method: method, Path: strings.NewReplacer("{id}", r.ID(t)).Replace(path), Token: caller.token, Body: "{}"})
					want := caller.code
					if slices.Contains(public, op.OperationID) {
						want = ""
					}
					if want == "" {
						if a.Status == 401 {
							t.Errorf("turned away: %s", a.Body)
						}
						return
					}
					if p := a.Problem(t); a.Status != 401 || p.Code != want || a.Header.Get("WWW-Authenticate") == "" {
						t.Errorf("= %d %s, want 401 %s", a.Status, p.Code, want)
					}
				})
			}
		}
	}
}

// TestCreditorsDoNotMix: a handheld of one creditor meets nothing of another.
func TestCreditorsDoNotMix(t *testing.T) {
	r := newRig(t)
	_, alba := r.World.Device(t, webtest.Alba)
	slip := r.slip(t, r.codes[0])
	do := func(method, path, body string) webtest.Answer {
		return r.Do(t, webtest.Request{Method: method, Path: path, Token: alba, Body: body})
	}
	if p := do("POST", "/v1/verbali", encode(t, slip)).Problem(t); p.Code != "code.unknown" {
		t.Errorf("their code: %+v", p)
	}
	if p := do("POST", "/v1/leases", encode(t, map[string]any{"id": r.ID(t), "want": 1})).Problem(t); p.Code != "pool.empty" {
		t.Errorf("their pool: %+v", p)
	}
	if a := r.call(t, "POST", "/v1/verbali", encode(t, slip)); a.Status != 200 {
		t.Fatalf("= %d %s", a.Status, a.Body)
	}
	if p := do("GET", "/v1/verbali/"+slip["id"].(string), "").Problem(t); p.Code != "verbale.unknown" {
		t.Errorf("their verbale: %+v", p)
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
	for name, max := range map[string]int{
		"Slip.reference": multe.MaxReference, "Slip.vehicle": multe.MaxVehicle, "Slip.place": multe.MaxPlace, "Slip.warden": multe.MaxWarden,
		"Violation.norm": multe.MaxNorm, "Violation.conduct": multe.MaxConduct,
	} {
		schema, field, _ := strings.Cut(name, ".")
		if got := property(schema, field).MaxLength; got == nil || *got != uint64(max) {
			t.Errorf("%s: the document allows %v, the domain %d", name, got, max)
		}
	}
	if got := *property("Slip", "steps").MaxItems; got != multe.MaxSteps {
		t.Errorf("steps: the document allows %d, the domain %d", got, multe.MaxSteps)
	}
	if got := *property("Step", "cents").Max; got != multe.MaxFineCents {
		t.Errorf("cents: the document allows %f, the domain %d", got, multe.MaxFineCents)
	}
	if got := *property("LeaseRequest", "want").Max; got != multe.MaxLease {
		t.Errorf("want: the document allows %f, the domain %d", got, multe.MaxLease)
	}
	for _, s := range multe.CodeStates() {
		if !firmwareapi.CodeState(s).Valid() {
			t.Errorf("the document lacks the state %s", s)
		}
	}
	for _, op := range []string{"EnrolRequest", "LeaseRequest", "ReturnRequest", "SpoilRequest", "Slip", "Violation", "Step"} {
		if has := schemas[op].Value.AdditionalProperties.Has; has == nil || *has {
			t.Errorf("%s allows unknown fields", op)
		}
	}
}

// TestLogsHoldNoSecrets searches the log of everything that can go wrong.
func TestLogsHoldNoSecrets(t *testing.T) {
	r := newRig(t)
	for _, in := range badInputs(t, r) {
		r.Do(t, in.req)
	}
	_, invite, err := r.Registry.AddDevice(t.Context(), "admin", webtest.Torino, "Nuovo", true)
	if err != nil {
		t.Fatal(err)
	}
	var enrolment firmwareapi.Enrolment
	r.Do(t, webtest.Request{Method: "POST", Path: "/v1/enrolments", Body: encode(t, map[string]any{"code": invite})}).Decode(t, 201, &enrolment)
	log := r.Logged.String()
	if lines := strings.Count(log, `"msg":"request"`); lines < 50 {
		t.Fatalf("only %d requests were logged", lines)
	}
	for name, canary := range map[string]string{
		"plate": "AB123CD", "plate as typed": "AB\\u0000123", "token": r.token, "wrong token": "pvd_wrong", "new token": enrolment.Token,
		"enrolment code": invite, "place": "via Roma", "creditor": string(webtest.Torino), "avviso": r.codes[0].Number.String(),
	} {
		if strings.Contains(log, canary) {
			t.Errorf("the log holds a %s", name)
		}
	}
}

// FuzzBodies: no body is answered 5xx, and every answer is one of the document.
func FuzzBodies(f *testing.F) {
	r := newRig(f)
	paths := []string{"/v1/verbali", "/v1/leases", "/v1/enrolments"}
	for _, in := range badInputs(f, r) {
		for i, p := range paths {
			if in.req.Path == p && len(in.req.Body) < 4096 {
				f.Add(uint8(i), in.req.Body)
			}
		}
	}
	f.Add(uint8(0), encode(f, r.slip(f, r.codes[1])))
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		a := r.Do(t, webtest.Request{Method: "POST", Path: paths[int(path)%len(paths)], Token: r.token, Body: body})
		if a.Status >= 500 {
			t.Fatalf("%q: %d %s", body, a.Status, a.Body)
		}
		if a.Status >= 300 {
			a.Problem(t)
		}
	})
}

// TestBackAndAside: what a handheld gives back is for others, what it spoils is for
// nobody, and every answer says whether codes run short.
func TestBackAndAside(t *testing.T) {
	r := newRig(t) // 12 codes, 5 lent; the pool is short below 10
	var told firmwareapi.Returned
	body := encode(t, map[string]any{"id": r.ID(t), "positions": []any{string(r.codes[0].Position), strings.Repeat("0", 32)}})
	answer := r.call(t, "POST", "/v1/returns", body)
	answer.Decode(t, 200, &told)
	if len(told.Codes) != 2 || !told.Codes[0].Returned || told.Codes[1].Returned || told.Codes[1].Code != "code.unknown" || told.Codes[1].Detail == "" {
		t.Errorf("returned = %+v", told)
	}
	if answer.Header.Get("Preavviso-Stock") != "low" {
		t.Errorf("8 codes left, and the hint is %q", answer.Header.Get("Preavviso-Stock"))
	}
	if again := r.call(t, "POST", "/v1/returns", body); again.Body != answer.Body {
		t.Errorf("the same request got %s, then %s", answer.Body, again.Body)
	}
	r.AddCodes(t, webtest.Torino, 5)
	spoil := encode(t, map[string]any{"position": string(r.codes[1].Position), "reason": "wrong"})
	first := r.call(t, "POST", "/v1/spoils", spoil)
	if again := r.call(t, "POST", "/v1/spoils", spoil); first.Status != 200 || again.Body != first.Body || first.Header.Get("Preavviso-Stock") != "ok" {
		t.Errorf("spoils: %d %s, then %s", first.Status, first.Body, again.Body)
	}
	if a := r.call(t, "GET", "/v1/verbali/"+r.ID(t), ""); a.Status != 404 || a.Header.Get("Preavviso-Stock") != "ok" {
		t.Errorf("a refusal without the hint: %d", a.Status)
	}
	if a := r.Do(t, webtest.Request{Method: "GET", Path: "/v1/state"}); a.Header.Get("Preavviso-Stock") != "" {
		t.Error("a stranger is told about the stock")
	}
	var block firmwareapi.LeasedCodes
	r.call(t, "POST", "/v1/leases", encode(t, map[string]any{"id": r.ID(t), "want": 100})).Decode(t, 200, &block)
	has := func(k multe.Code) bool {
		return slices.ContainsFunc(block.Codes, func(c firmwareapi.Code) bool { return c.Position == string(k.Position) })
	}
	if !has(r.codes[0]) || has(r.codes[1]) {
		t.Error("the returned code is not lent again, or the spoiled one is")
	}
	slip := r.slip(t, r.codes[1]) // the paper turned up
	if a := r.call(t, "POST", "/v1/verbali", encode(t, slip)); a.Status != 200 {
		t.Errorf("= %d %s", a.Status, a.Body)
	}
}
