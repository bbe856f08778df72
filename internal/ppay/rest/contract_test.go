package rest_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"preavviso/internal/avviso"
	"preavviso/internal/ppay/rest"
)

// contract is the platform's own description, kept outside of this module.
const contract = "../../../../shared/contract/rest/epayapi_v1.1.yaml"

// TestFieldsAreInTheContract holds every field that is sent or read against the
// schemas: by name and type, and that none is forgotten.
func TestFieldsAreInTheContract(t *testing.T) {
	raw, err := os.ReadFile(contract)
	if os.IsNotExist(err) {
		t.Skip("no contract beside the checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"PaymentData": rest.Spontaneous{}, "DebtPositionData": rest.NewPosition{}, "PaymentDataMultipayee": rest.SharedPosition{}, "DebtPositionPaymentData": rest.Update{},
		"PaymentDataStampTax": rest.StampTax{}, "PaymentComponent": rest.Component{}, "PaymentComponentMultipayee": rest.OtherComponent{},
		"DebtPositionReference": rest.PositionRef{}, "PaymentMultipayeeReferences": rest.PositionRef{}, "PaymentReferences": rest.PaymentRef{},
		"PaymentStampTaxReference": rest.StampTaxRef{}, "Status": rest.Status{}, "PaymentDataResult": rest.PaymentData{}, "PaymentDataMultipayeeResult": rest.Share{},
		"PaymentNotice": rest.NoticeBody{},
	} {
		ref := doc.Components.Schemas[name]
		if ref == nil {
			t.Errorf("the contract has no %s", name)
			continue
		}
		compare(t, name, reflect.TypeOf(v), ref.Value)
	}
}

// inEveryAnswer is read by the envelope, whatever the call.
var inEveryAnswer = []string{"codiceEsito", "descrizioneEsito", "result"}

func compare(t *testing.T, where string, typ reflect.Type, schema *openapi3.Schema) {
	ours := fields(typ)
	for name, f := range ours {
		ref := schema.Properties[name]
		if ref == nil {
			t.Errorf("%s has no %s", where, name)
			continue
		}
		same(t, where+"."+name, f, ref.Value)
	}
	for name := range schema.Properties {
		if ours[name] == nil && !slices.Contains(inEveryAnswer, name) {
			t.Errorf("%s.%s is in the contract alone", where, name)
		}
	}
}

func same(t *testing.T, where string, f reflect.Type, schema *openapi3.Schema) {
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	want := ""
	switch f {
	case reflect.TypeFor[rest.Cents]():
		want = "number"
	case reflect.TypeFor[rest.Date](), reflect.TypeFor[rest.Instant]():
		if want = "string"; schema.Format != "date-time" {
			t.Errorf("%s: format %q", where, schema.Format)
		}
	case reflect.TypeFor[avviso.Number]():
		want = "string"
	case reflect.TypeFor[[]byte]():
		if want = "string"; schema.Format != "byte" {
			t.Errorf("%s: format %q", where, schema.Format)
		}
	case reflect.TypeFor[rest.Shares](): // one there, a list in the platform's source: both are read
		if len(schema.OneOf) != 1 {
			t.Errorf("%s: %v", where, schema.OneOf)
		}
		return
	}
	if want == "" {
		switch f.Kind() {
		case reflect.String:
			want = "string"
		case reflect.Bool:
			want = "boolean"
		case reflect.Int:
			if want = "integer"; schema.Type.Is("number") { // annoAccertamento of an update
				want = "number"
			}
		case reflect.Slice:
			want = "array"
			switch item := f.Elem(); {
			case schema.Items == nil:
			case item.Kind() == reflect.Struct && where != "PaymentDataStampTax.componentiPagamento":
				compare(t, where, item, schema.Items.Value)
			case item.Kind() == reflect.Struct: // PaymentComponentiMarca has no datiSpecificiRiscossione
				for name := range schema.Items.Value.Properties {
					if fields(item)[name] == nil {
						t.Errorf("%s.%s is in the contract alone", where, name)
					}
				}
			default:
				same(t, where, item, schema.Items.Value)
			}
		}
	}
	if want == "" || !schema.Type.Is(want) {
		t.Errorf("%s: %v there, %s here", where, schema.Type, f)
	}
}

// fields are the JSON fields of a struct, those of embedded ones included.
func fields(typ reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			out[name] = f.Type
		}
	}
	return out
}
