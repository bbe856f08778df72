package ppay

import (
	"encoding/xml"
	"fmt"
)

// soapNS is the namespace of a SOAP 1.1 envelope.
const soapNS = "http://schemas.xmlsoap.org/soap/envelope/"

type soapEnvelope[T any] struct {
	XMLName struct{}    `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    soapBody[T] `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

type soapBody[T any] struct{ Content T }

// envelope writes a message, whose type names its element, into a SOAP 1.1
// envelope.
func envelope[T any](message T) ([]byte, error) {
	out, err := xml.Marshal(soapEnvelope[T]{Body: soapBody[T]{message}})
	if err != nil {
		return nil, fmt.Errorf("encoding a SOAP envelope: %w", err)
	}
	return append([]byte(xml.Header), out...), nil
}
