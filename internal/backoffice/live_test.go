package backoffice

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"preavviso/internal/multe"
)

// listen opens the live numbers and reads the first of them.
func (b *browser) listen() *bufio.Reader {
	b.o.t.Helper()
	resp, err := b.client.Get(b.o.base + pathNumbers)
	if err != nil {
		b.o.t.Fatal(err)
	}
	b.o.t.Cleanup(func() { resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "event: numbers") {
		b.o.t.Fatalf("%d %q, %v", resp.StatusCode, line, err)
	}
	return r
}

// TestALivePageKeepsNobodySignedIn: a page that nobody looks at asks for its numbers
// all day. The session ends all the same.
func TestALivePageKeepsNobodySignedIn(t *testing.T) {
	o := newOffice(t)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleAddetto)
	for range 3 {
		o.world.Pass(9 * time.Minute)
		b.listen() // as a browser does whose stream broke
	}
	o.world.Pass(4 * time.Minute) // 31 since a person asked
	b.get(pathNumbers).want(t, http.StatusSeeOther, pathSignIn+"?da=%2Foggi%2Fnumeri&fine=idle")
	b.get("/").want(t, http.StatusSeeOther, pathSignIn)
}

// TestLiveNumbersEndWithTheService: a restart does not wait for whoever left a page
// open.
func TestLiveNumbersEndWithTheService(t *testing.T) {
	o := newOffice(t)
	b, _ := o.enrolled(torino, "lucia@example.it", multe.RoleAddetto)
	stop := make(chan struct{})
	o.server.Stopping = stop
	r := b.listen()
	close(stop)
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("at the end: %v", err)
	}
}
