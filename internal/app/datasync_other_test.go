//go:build !linux

package app_test

import "os"

func datasync(f *os.File) error { return f.Sync() }
