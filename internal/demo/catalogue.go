package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	firmware "preavviso/firmware-api/client"
	"preavviso/internal/cds"
)

// giveCatalogue imports the sample catalogue: looks first, as a person would.
func (d *demo) giveCatalogue(ctx context.Context, office client, base string) error {
	for _, dry := range []string{"?from=2026-01-01&dry_run=true", "?from=2026-01-01"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, office.base+base+"/documents/catalogue"+dry, bytes.NewReader(cds.Sample()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set("Authorization", "Bearer "+office.token)
		resp, err := http10s.Do(req)
		if err != nil {
			return fmt.Errorf("giving the catalogue: %w", err)
		}
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return errors.Join(err, fmt.Errorf("giving the catalogue: %d: %s", resp.StatusCode, answer))
		}
	}
	d.step("catalogo delle violazioni importato, dopo un'anteprima")
	return nil
}

// price completes slips as a handheld does: from the shift that it keeps, which was
// asked for once and has every sum and every holiday in it.
func (d *demo) price(key firmware.Signer, slips map[*slip]string) error {
	dir, err := os.MkdirTemp("", "preavviso-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	device, err := firmware.OpenWith(dir, d.firmware, key)
	if err != nil {
		return err
	}
	defer device.Close()
	if _, err := device.SyncShift(); err != nil {
		return fmt.Errorf("syncing the shift: %w", err)
	}
	for s, code := range slips {
		draft, err := json.Marshal(map[string]any{"violation": map[string]string{"code": code}, "vehicle_class": "other", "issued_at": s.IssuedAt.Format(time.RFC3339)})
		if err != nil {
			return err
		}
		priced, err := device.Price(string(draft))
		if err != nil {
			return fmt.Errorf("pricing %s: %w", s.Reference, err)
		}
		var p struct {
			Violation map[string]string `json:"violation"`
			Steps     []step            `json:"steps"`
			Class     string            `json:"vehicle_class"`
		}
		if err := json.Unmarshal([]byte(priced), &p); err != nil {
			return err
		}
		if len(p.Steps) != 2 || p.Steps[0].Cents != s.Steps[0].Cents || p.Steps[1].Cents != s.Steps[1].Cents {
			return fmt.Errorf("the catalogue says %v for %s, want %v", p.Steps, s.Reference, s.Steps)
		}
		s.Violation, s.Steps, s.Class = p.Violation, p.Steps, p.Class
	}
	d.step("dati del turno sul palmare (%d byte): importi e scadenze vengono dal catalogo", len(device.Shift()))
	return nil
}
