package rest_test

import (
	"preavviso/internal/dispatch"
	"preavviso/internal/ppay/rest"
)

// What dispatch wants for its debtor policy "rest" is what there is.
var _ dispatch.Positions = (*rest.Client)(nil)
