package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"preavviso/api"
	"preavviso/internal/access"
	"preavviso/internal/backoffice"
	"preavviso/internal/config"
	"preavviso/internal/guide"
	"preavviso/internal/ppay"
	"preavviso/internal/store"
	"preavviso/internal/worklist"
)

// newOffice returns the pages that listen on l.
func newOffice(cfg config.Service, d Deps, st store.Store, c core, enrol *enrolment, l net.Listener, stopping <-chan struct{}) (http.Handler, error) {
	url := cfg.OfficeURL
	if url == "" {
		url = "http://" + l.Addr().String()
		if cfg.TLSCertFile != "" {
			url = "https://" + l.Addr().String()
		}
	}
	proxies, err := config.Networks(cfg.OfficeProxy)
	if err != nil {
		return nil, fmt.Errorf("office-proxy: %w", err)
	}
	var idp *backoffice.OIDC
	if cfg.OIDCIssuer != "" {
		secrets, err := config.Secrets(cfg.OIDCClientSecretFile, 8)
		if err != nil {
			return nil, fmt.Errorf("oidc-client-secret-file: %w", err)
		}
		idp = &backoffice.OIDC{Issuer: cfg.OIDCIssuer, ClientID: cfg.OIDCClientID, ClientSecret: secrets[0]}
	}
	h, err := backoffice.New(backoffice.Config{Log: d.Log, Random: d.Random, Now: d.Now, URL: url, Proxies: proxies, Stopping: stopping, Access: c.access, OIDC: idp,
		Office: backoffice.Office{Store: st, Registry: c.registry, Pool: c.pool, Verbali: c.verbali, Payments: c.payments, Flussi: c.flussi,
			Receipts: c.receipts, Messages: c.inbox, Worklist: worklist.New(st, d.Now), Printer: c.prints, Lists: c.exports, Life: c.verbali, Money: c.payments, Photos: c.photos, Settings: c.registry, Documents: c.documents, Bulletins: c.feedback, Webhooks: c.webhooks, Owners: c.owners,
			Explain: explain, Sentence: api.Sentence, Enrolment: enrol.show, Read: ppay.Read}})
	if err != nil {
		return nil, fmt.Errorf("making the pages: %w", err)
	}
	return h, nil
}

// explain tells what a code of PiemontePAY means that stands in a line of the
// history: the action says where the platform said it.
func explain(action, code string) (guide.Text, bool) {
	places := []ppay.Place{ppay.PlaceUpdate, ppay.PlaceInsert, ppay.PlaceREST}
	if strings.HasPrefix(action, "batch.") {
		places = []ppay.Place{ppay.PlaceAnswer, ppay.PlaceList}
	} else if strings.HasPrefix(action, "code.") {
		places = []ppay.Place{ppay.PlaceInsert, ppay.PlaceUpdate, ppay.PlaceREST}
	}
	for _, p := range places {
		if e, ok := ppay.Explain(p, code); ok {
			return guide.Text{Happened: e.Meaning, Citizen: e.Citizen, Now: e.Remedy}, true
		}
	}
	return guide.Text{}, false
}

// newAccess returns the use case that keeps the door.
func newAccess(cfg config.Service, d Deps, st store.Store) (*access.Access, error) {
	path := cfg.OfficeKeyFile
	if path == "" {
		path = cfg.Data + ".key"
	}
	key, err := officeKey(path, d.Random)
	if err != nil {
		return nil, fmt.Errorf("office-key-file: %w", err)
	}
	return access.New(access.Config{Store: st, Now: d.Now, Random: d.Random, Key: key})
}

// officeKey reads the key that seals second factors; a new one is made where there
// is none. It lies beside the database and not in it, so that a backup of the
// database alone opens nothing. Losing it costs everybody a new second factor.
func officeKey(path string, random io.Reader) (key [32]byte, err error) {
	secrets, err := config.Secrets(path, 2*len(key))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := io.ReadFull(random, key[:]); err != nil {
			return key, fmt.Errorf("reading randomness: %w", err)
		}
		return key, writeKey(path, hex.EncodeToString(key[:])+"\n")
	}
	if err != nil {
		return key, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(secrets[0]))
	if err != nil || len(b) != len(key) || len(secrets) != 1 {
		return key, fmt.Errorf("%s does not hold 64 hex digits", path)
	}
	copy(key[:], b)
	return key, nil
}

// writeKey makes a file that only we may read, all of it or none.
func writeKey(path, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // harmless once it has its name
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
