package certify_test

import (
	"net/http"

	"preavviso/internal/certify"
)

// bug is what is wrong with a device, during one rule.
type bug struct {
	during    string
	transport func(d *device, next http.RoundTripper) http.RoundTripper
	after     func(d *device, a certify.Action)
	prints    bool // though revoked
	bare      bool // the reference client as it is
}
