package client

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Sighting is what /v1/sightings lists of a slip: the first 20 bits of a hash of
// salt, plate (capitals and digits) and street, as 5 hex digits.
// ../testdata/sightings.json pins it.
func Sighting(salt, plate, place string) string {
	sum := sha256.Sum256([]byte(salt + "\n" + plate + "\n" + Street(place)))
	return hex.EncodeToString(sum[:])[:5]
}

// Street is a place without its civic number: what comes before the first comma, or
// before the first number after two words, in capitals without accents.
func Street(place string) string {
	place, _, _ = strings.Cut(place, ",")
	var words []string
	for _, w := range strings.FieldsFunc(strings.Map(fold, strings.ToUpper(place)), func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		if len(words) >= 2 && w[0] <= '9' {
			break
		}
		words = append(words, w)
	}
	for n := len(words); n > 2 && (words[n-1] == "N" || words[n-1] == "NR" || words[n-1] == "SNC"); n-- {
		words = words[:n-1]
	}
	return strings.Join(words, " ")
}

// fold takes the accent off a capital of Latin-1.
func fold(r rune) rune {
	const with, without = "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝ", "AAAAAACEEEEIIIINOOOOOUUUUY"
	n := 0
	for _, w := range with {
		if w == r {
			return rune(without[n])
		}
		n++
	}
	return r
}
