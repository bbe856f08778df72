package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// QR is what the QR code of a slip says (SANP 2.5.1): the codice avviso, the
// creditor's codice fiscale and the amount printed beside it, in cents.
func QR(avviso, creditor string, cents int64) string {
	return fmt.Sprintf("PAGOPA|002|%s|%s|%02d", avviso, creditor, cents)
}

// SlipBytes asks the service to draw the slip of a verbale that it has: bytes for a
// printer that speaks escpos, zpl or cpcl, with a paper of width millimetres and a
// head of dpi. It needs a network; a handheld that prints offline draws by itself.
func (d *Device) SlipBytes(verbale, printer string, width, dpi int, reprint bool) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"printer": printer, "width": width, "dpi": dpi, "reprint": reprint})
	if err != nil {
		return nil, err
	}
	d.network.Lock()
	defer d.network.Unlock()
	got, err := d.callWith(outgoing{method: http.MethodPost, path: "/v1/verbali/" + url.PathEscape(verbale) + "/slip", kind: kindJSON, body: body, want: kindBytes})
	return got.body, err
}
