package config

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/peterbourgon/ff/v4"

	"preavviso/internal/multe"
)

// maxCreditors is far above what one installation serves: the region has 1,200
// municipalities, most of them in unions.
const maxCreditors = 2_000

// creditorFile is how the file of a creditor's options ends. Other files in the
// folder, such as those of passwords, are not looked at.
const creditorFile = ".conf"

// readCreditors reads the folder of creditors' options into s.Creditors.
func (s *Service) readCreditors() ([]Setting, error) {
	entries, err := os.ReadDir(s.CreditorsDir)
	if err != nil {
		return nil, usage("creditors-dir: %w", err)
	}
	base := *s
	s.Creditors = map[multe.CreditorID]Service{}
	var settings []Setting
	passwords := map[string]string{base.SOAPUser: base.SOAPPasswordFile}
	for _, e := range entries {
		name, ours := strings.CutSuffix(e.Name(), creditorFile)
		if !ours {
			continue
		}
		path := filepath.Join(s.CreditorsDir, e.Name())
		id, err := multe.ParseCreditorID(name)
		if err != nil {
			return nil, usage("%s: the name is not a creditor's codice fiscale", path)
		}
		if len(s.Creditors) == maxCreditors {
			return nil, usage("creditors-dir: more than %d files", maxCreditors)
		}
		own, some, err := base.forCreditor(id, path)
		if err != nil {
			return nil, err
		}
		// One user has one password, wherever the user stands.
		if known, ok := passwords[own.SOAPUser]; ok && known != own.SOAPPasswordFile {
			return nil, usage("%s: soap-user has another soap-password-file elsewhere", path)
		}
		passwords[own.SOAPUser] = own.SOAPPasswordFile
		s.Creditors[id] = own
		settings = append(settings, some...)
	}
	return settings, nil
}

// forCreditor returns the options that hold for one creditor, and those that are
// its own. A path in its file is relative to the file.
func (s Service) forCreditor(id multe.CreditorID, path string) (Service, []Setting, error) {
	own := s
	fs := ff.NewFlagSet(string(id))
	shared(fs, &own)
	if err := fromFile(fs, map[string]string{}, path); err != nil {
		return Service{}, nil, err
	}
	set := map[string]bool{}
	var settings []Setting
	err := fs.WalkFlags(func(f ff.Flag) error {
		name, _ := f.GetLongName()
		if !f.IsSet() {
			return nil
		}
		set[name] = true
		if v := f.GetValue(); strings.HasSuffix(name, "-file") && v != "" && !filepath.IsAbs(v) {
			if err := f.SetValue(filepath.Join(filepath.Dir(path), v)); err != nil {
				return usage("%s: %s: %w", path, name, err)
			}
		}
		settings = append(settings, Setting{Name: string(id) + "." + name, Value: f.GetValue(), Origin: path})
		return nil
	})
	if err != nil {
		return Service{}, nil, err
	}
	for _, side := range []string{"ppay", "rest", "soap"} {
		if set[side+"-user"] != set[side+"-password-file"] {
			return Service{}, nil, usage("%s: %s-user and %s-password-file belong together", path, side, side)
		}
	}
	if set["soap-allow"] && !set["soap-user"] {
		return Service{}, nil, usage("%s: soap-allow means nothing without a soap-user: nothing else tells whose call it is", path)
	}
	if set["ppay-auth"] && own.PPayAuth == "none" && !set["ppay-user"] {
		own.PPayUser, own.PPayPasswordFile = "", ""
	}
	if !set["soap-user"] {
		own.SOAPUser, own.SOAPPasswordFile, own.SOAPAllow = s.SOAPUser, s.SOAPPasswordFile, s.SOAPAllow
	} else if !set["soap-allow"] {
		own.SOAPAllow = s.SOAPAllow
	}
	if err := own.validateShared(); err != nil {
		return Service{}, nil, usage("%s: %w", path, err)
	}
	return own, settings, nil
}
