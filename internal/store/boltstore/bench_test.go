package boltstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"preavviso/internal/multe"
	"preavviso/internal/store"
	"preavviso/internal/store/boltstore"
)

// BenchmarkUpdate is one durable allocation, as a handheld asks for it: read the
// lowest available code, lend it. Compare with BenchmarkRawFdatasync, which is
// what the disk needs for one durable write of anything.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, err := boltstore.Open(filepath.Join(b.TempDir(), "store"), boltstore.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
			const block = 1000
			for from := 0; from < b.N; from += block {
				err := s.Update(b.Context(), func(tx store.Tx) error {
					for i := from; i < min(from+block, b.N); i++ {
						c := multe.RequestCode("12345678903", multe.PositionID(fmt.Sprintf("%032d", i)), at)
						c.State = multe.CodeAvailable
						if err := tx.PutCode(c); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						err := s.Update(b.Context(), func(tx store.Tx) error {
							cs, err := tx.CodesIn("12345678903", multe.CodeAvailable, "", 1)
							if err != nil || len(cs) == 0 {
								return fmt.Errorf("no code: %w", err)
							}
							c, err := cs[0].Assign("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210", at)
							if err != nil {
								return err
							}
							return tx.PutCode(c)
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

// BenchmarkRawFdatasync overwrites 512 bytes and waits for the disk: the floor
// of everything durable on this machine.
func BenchmarkRawFdatasync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 512)
	for b.Loop() {
		if _, err := f.WriteAt(block, 0); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}
