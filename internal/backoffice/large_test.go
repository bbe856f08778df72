package backoffice

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"preavviso/internal/multe"
)

// TestTooLarge sends each form 10 MB, as browsers do: all of it before they read an
// answer. There is one, it says what is wrong, and nothing was changed.
func TestTooLarge(t *testing.T) {
	o := newOffice(t)
	i := o.issue()
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleResponsabile)
	u, err := url.Parse(o.base)
	if err != nil {
		t.Fatal(err)
	}
	cookie := b.client.Jar.Cookies(u)[0]
	before := o.world.Rows(t, torino)
	long := append([]byte("csrf=x&q="), bytes.Repeat([]byte("a"), 10<<20)...)
	for _, r := range o.server.routes() {
		if r.method != http.MethodPost {
			continue
		}
		for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
			body := long
			if strings.HasPrefix(kind, "multipart") {
				body = append([]byte("--x\r\nContent-Disposition: form-data; name=\"q\"; filename=\"a.csv\"\r\n\r\n"), long...)
			}
			resp, page, err := exchange(u.Host, r.at(i), kind, cookie.String(), body)
			if err != nil {
				t.Errorf("%s, %s: %v", r.path, kind, err)
				continue
			}
			if resp.StatusCode >= 500 || resp.StatusCode < 400 || !strings.Contains(page, "troppo grandi") {
				t.Errorf("%s, %s: %d %s", r.path, kind, resp.StatusCode, page)
			}
		}
	}
	if after := o.world.Rows(t, torino); !maps.Equal(before, after) {
		t.Error("something was written")
	}
}

// exchange writes a whole request before it reads the answer.
func exchange(host, path, kind, cookie string, body []byte) (*http.Response, string, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close()
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, host, cookie, kind, len(body))
	if _, err := conn.Write(append([]byte(head), body...)); err != nil {
		return nil, "", fmt.Errorf("sending: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, "", fmt.Errorf("reading: %w", err)
	}
	defer resp.Body.Close()
	var page bytes.Buffer
	_, err = page.ReadFrom(resp.Body)
	return resp, page.String(), err
}
