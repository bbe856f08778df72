package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	firmware "preavviso/firmware-api/client"
)

// client speaks JSON to one of the interfaces of the service or the simulator,
// as anybody outside would.
type client struct {
	base   string         // "http://host:port"
	token  string         // bearer token; "" for none
	signer *firmware.Conn // signs every request; nil: none is signed
}

// maxAnswer is far above any answer of the demo's calls.
const maxAnswer = 8 << 20

var http10s = &http.Client{Timeout: 10 * time.Second}

// do calls method path with the JSON of in (nil for no body) and reads the JSON
// answer into out (nil to ignore it). A status other than 2xx is an error that
// quotes the problem document.
func (c client) do(ctx context.Context, method, path string, in, out any) error {
	answer, err := c.raw(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (c client) raw(ctx context.Context, method, path string, in any) ([]byte, error) {
	var text []byte
	if in != nil {
		var err error
		if text, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	if c.signer != nil {
		answer, err := c.signer.Do(method, path, text)
		if no, ok := errors.AsType[*firmware.Refusal](err); ok {
			return nil, &refusal{Code: no.Code, call: method + " " + path, status: no.Status, text: no.Detail}
		}
		return answer, err
	}
	var body io.Reader
	if in != nil {
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
		req.Header.Set("Idempotency-Key", newID(time.Now()))
	}
	resp, err := http10s.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		r := &refusal{call: method + " " + path, status: resp.StatusCode, text: string(bytes.TrimSpace(answer))}
		_ = json.Unmarshal(answer, r) // an answer that is no JSON has no code
		return nil, r
	}
	return answer, nil
}

// refusal is an answer other than 2xx.
type refusal struct {
	Code   string `json:"code"`
	call   string
	status int
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %d: %s", r.call, r.status, r.text) }
