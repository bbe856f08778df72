package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/web/webtest"
)

// operation is one operation of the document, with what it asks for.
type operation struct {
	method, path string
	*openapi3.Operation
	permission string
	adminOnly  bool
	open       bool
}

func operations(t *testing.T, doc *openapi3.T) []operation {
	t.Helper()
	var all []operation
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		for method, op := range doc.Paths.Value(path).Operations() {
			o := operation{method: method, path: path, Operation: op}
			o.permission, _ = op.Extensions["x-permission"].(string)
			if op.Security != nil {
				o.open = len(*op.Security) == 0
				o.adminOnly = len(*op.Security) == 1 && (*op.Security)[0]["admin"] != nil
			}
			all = append(all, o)
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d operations", len(all))
	}
	return all
}

// TestEveryOperationAsksForSomething finds operations that nobody but the
// installation can use because somebody forgot to say who may.
func TestEveryOperationAsksForSomething(t *testing.T) {
	r := newRig(t)
	known := []string{"any"}
	for _, p := range multe.Permissions {
		known = append(known, string(p))
	}
	for _, o := range operations(t, r.Document()) {
		switch {
		case o.open || o.adminOnly:
			if o.permission != "" {
				t.Errorf("%s has x-permission %q, and nobody with a role may call it", o.OperationID, o.permission)
			}
		case !slices.Contains(known, o.permission):
			t.Errorf("%s has x-permission %q: say in openapi.yaml what it asks of a role: a multe.Permission, or any", o.OperationID, o.permission)
		}
	}
}

// fill puts values into the pattern of a path.
func fill(path string, values map[string]string) string {
	for k, v := range values {
		path = strings.ReplaceAll(path, "{"+k+"}", v)
	}
	return path
}

// TestWhoMayWhat walks every operation with every role, at home and abroad.
func TestWhoMayWhat(t *testing.T) {
	r := newRig(t)
	tokens := map[multe.Role]string{multe.RoleProgramma: r.operator}
	for _, role := range multe.Roles {
		_, token, err := r.Registry.AddOperator(t.Context(), "admin", webtest.Torino, string(role), role)
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = token
	}
	// Nothing that these name exists, so that nothing is changed by who may.
	nothing := map[string]string{"id": strings.Repeat("0", 32), "code": strings.Repeat("0", 32), "digest": strings.Repeat("0", 64)}
	for _, o := range operations(t, r.Document()) {
		if o.open || strings.Contains(fill(o.path, nothing), "{") && !strings.Contains(o.path, "{cf}") {
			continue
		}
		for role, token := range tokens {
			for _, c := range []multe.CreditorID{webtest.Torino, webtest.Alba, "01234560017"} {
				values := maps.Clone(nothing)
				values["cf"] = string(c)
				q := webtest.Request{Method: o.method, Path: fill(o.path, values), Token: token}
				if o.RequestBody != nil {
					q.Body = "{}"
				}
				a := r.Do(t, q)
				want := ""
				switch {
				case strings.Contains(o.path, "{cf}") && c != webtest.Torino:
					want = "auth.wrong_creditor"
				case o.adminOnly:
					want = "auth.admin_only"
				case o.permission != "any" && !role.May(multe.Permission(o.permission)):
					want = "auth.role"
				}
				code := ""
				if a.Status >= 400 {
					code = a.Problem(t).Code
				}
				switch {
				case want != "" && (a.Status != http.StatusForbidden || code != want):
					t.Errorf("%s as %s of %s: %d %s, want 403 %s", o.OperationID, role, c, a.Status, code, want)
				case want == "" && (a.Status == http.StatusForbidden || a.Status == http.StatusUnauthorized || a.Status >= 500):
					t.Errorf("%s as %s: %d %s, want it allowed", o.OperationID, role, a.Status, code)
				}
			}
		}
	}
}

// TestNothingOfAnother asks, as a creditor, for everything of another by its true
// ids: each is not there, and no list shows a byte of it.
func TestNothingOfAnother(t *testing.T) {
	r := newRig(t)
	alba := r.Operator(t, webtest.Alba)
	var ours multe.Operator
	err := r.Store.View(t.Context(), func(rd store.Reader) error {
		list, err := rd.Operators(webtest.Torino, "", 1)
		if err == nil {
			ours = list[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{
		"/verbali/": string(r.verbale.Slip.ID), "/devices/": string(r.device.ID), "/operators/": string(ours.ID),
	}
	secrets := []string{plate, string(r.verbale.Slip.ID), string(r.device.ID), string(ours.ID), string(r.codes[0].Position), r.codes[0].Number.String(), string(webtest.Torino)}
	asked := 0
	for _, o := range operations(t, r.Document()) {
		if o.open || o.adminOnly || !strings.Contains(o.path, "{cf}") {
			continue
		}
		values := map[string]string{"cf": string(webtest.Alba), "code": r.codes[0].Number.String(), "digest": strings.Repeat("0", 64), "id": strings.Repeat("0", 32)}
		for part, id := range ids {
			if strings.Contains(o.path, part) {
				values["id"] = id
			}
		}
		q := webtest.Request{Method: o.method, Path: fill(o.path, values), Token: alba}
		if o.RequestBody != nil {
			q.Body = "{}"
			if o.OperationID == "SetRole" {
				q.Body = `{"role":"agente"}`
			}
		}
		a := r.Do(t, q)
		asked++
		for _, s := range secrets {
			if strings.Contains(string(a.Body), s) {
				t.Errorf("%s tells Alba of Torino: %s", o.OperationID, a.Body)
			}
		}
		one := strings.Contains(o.path, "{id}") || strings.Contains(o.path, "{code}")
		if one && a.Status < 400 {
			t.Errorf("%s gives Alba something of Torino: %d %s", o.OperationID, a.Status, a.Body)
		}
		if o.OperationID == "PayOnTheSpot" {
			continue // is refused to everybody, before anything is looked up
		}
		if one && a.Status != http.StatusNotFound && a.Status != http.StatusUnprocessableEntity { // 422: of the body or a parameter, before anything is looked up
			t.Errorf("%s: %d, want 404", o.OperationID, a.Status)
		}
	}
	if asked < 20 {
		t.Errorf("only %d operations asked", asked)
	}
}

// TestLooksAreRecorded reads a verbale, and then the history.
func TestLooksAreRecorded(t *testing.T) {
	r := newRig(t)
	looks := func() (n int) {
		t.Helper()
		err := r.Store.View(t.Context(), func(rd store.Reader) error {
			n = 0
			list, err := rd.Audit(webtest.Torino, "", 0, store.MaxPage)
			for _, e := range list {
				if e.Action == "seen.api.readVerbale" && e.Subject == string(r.verbale.Slip.ID) && strings.HasPrefix(e.Actor, "operator:") {
					n++
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if a := r.call(t, http.MethodGet, r.verbalePath(), ""); a.Status != http.StatusOK {
		t.Fatalf("reading: %d %s", a.Status, a.Body)
	}
	if n := looks(); n != 1 {
		t.Errorf("%d looks recorded, want 1", n)
	}
	if a := r.call(t, http.MethodGet, torino+"/verbali/"+strings.Repeat("0", 32), ""); a.Status != http.StatusNotFound {
		t.Fatalf("reading nothing: %d", a.Status)
	}
	if n := looks(); n != 1 {
		t.Errorf("%d looks recorded after one at nothing, want 1", n)
	}
}

// TestOperatorsLife is an administrator's work on people and programs.
func TestOperatorsLife(t *testing.T) {
	r := newRig(t)
	admin := func(method, path, body string) webtest.Answer {
		t.Helper()
		return r.Do(t, webtest.Request{Method: method, Path: torino + path, Token: webtest.Admin, Body: body})
	}
	var invited struct {
		Operator struct{ ID, Role, Email string }
		Code     string
	}
	admin(http.MethodPost, "/people", `{"name":"Lucia Bianchi","email":"Lucia@Example.it","role":"addetto"}`).Decode(t, http.StatusCreated, &invited)
	if invited.Operator.Email != "lucia@example.it" || invited.Operator.Role != "addetto" {
		t.Errorf("invited %+v", invited)
	}
	if a := admin(http.MethodPost, "/people", `{"name":"Altra","email":"lucia@example.it","role":"agente"}`); a.Status != http.StatusConflict {
		t.Errorf("a second of the same address: %d", a.Status)
	}
	path := "/operators/" + invited.Operator.ID
	admin(http.MethodPut, path+"/role", `{"role":"contabile"}`).Decode(t, http.StatusOK, &invited.Operator)
	if invited.Operator.Role != "contabile" {
		t.Errorf("role %q", invited.Operator.Role)
	}
	var rotated struct{ Token string }
	admin(http.MethodPost, path+"/token", "").Decode(t, http.StatusCreated, &rotated)
	stock := func(token string) int {
		t.Helper()
		return r.Do(t, webtest.Request{Method: http.MethodGet, Path: torino + "/stock", Token: token}).Status
	}
	for i, step := range []struct {
		do   func() webtest.Answer
		want int // of the token afterwards
	}{
		{func() webtest.Answer { return admin(http.MethodGet, "/operators", "") }, http.StatusOK},
		{func() webtest.Answer { return admin(http.MethodPut, path+"/disabled", "") }, http.StatusUnauthorized},
		{func() webtest.Answer { return admin(http.MethodDelete, path+"/disabled", "") }, http.StatusOK},
		{func() webtest.Answer { return admin(http.MethodPost, path+"/reset", "") }, http.StatusOK},
		{func() webtest.Answer { return admin(http.MethodDelete, path+"/token", "") }, http.StatusUnauthorized},
	} {
		if a := step.do(); a.Status >= 300 {
			t.Errorf("step %d: %d %s", i, a.Status, a.Body)
		}
		if got := stock(rotated.Token); got != step.want {
			t.Errorf("after step %d the token gets %d, want %d", i, got, step.want)
		}
	}
	if list := fmt.Sprint(string(admin(http.MethodGet, "/operators", "").Body)); strings.Contains(list, invited.Code) || !strings.Contains(list, "lucia@example.it") || !strings.Contains(list, "programma") {
		t.Errorf("the list: %s", list)
	}
}
