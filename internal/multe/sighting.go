package multe

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// SightingDigits is the length of a sighting: 20 bits, as hex digits. It is so
// short on purpose: there are some 230 million plates of the present Italian
// kind, so each value stands for more than 200 of them in every street, and
// whoever finds a handheld cannot tell which was meant. The price is one false
// warning in 500 where two thousand slips are listed.
const SightingDigits = 5

// SightingSalt is what the sightings of a creditor's day are made with. It is not
// secret: it keeps the values of two days, and of two creditors, from being
// compared.
func SightingSalt(c CreditorID, d Day) string {
	sum := sha256.Sum256([]byte("preavviso sighting\n" + string(c) + "\n" + d.String()))
	return hex.EncodeToString(sum[:8])
}

// Sighting is a value that two slips of a day share if they are of the same plate
// in the same street. firmware-api/client has the same function;
// firmware-api/testdata/sightings.json pins both.
func Sighting(salt string, p Plate, place string) string {
	sum := sha256.Sum256([]byte(salt + "\n" + string(p) + "\n" + Street(place)))
	return hex.EncodeToString(sum[:])[:SightingDigits]
}

// Street is a place without its civic number, in capitals without accents: what
// comes before the first comma, or before the first number after two words. A
// number that is the second word is part of the name, as in «piazza 4 Novembre».
func Street(place string) string {
	place, _, _ = strings.Cut(place, ",")
	words := strings.FieldsFunc(foldAccents(strings.ToUpper(place)), func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	for i, w := range words {
		if i >= 2 && w[0] <= '9' {
			words = words[:i]
			break
		}
	}
	for n := len(words); n > 2 && (words[n-1] == "N" || words[n-1] == "NR" || words[n-1] == "SNC"); n = len(words) {
		words = words[:n-1]
	}
	return strings.Join(words, " ")
}

// foldAccents takes the accents off the capitals of Latin-1.
func foldAccents(s string) string {
	const with, without = "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝ", "AAAAAACEEEEIIIINOOOOOUUUUY"
	plain := map[rune]byte{}
	n := 0
	for _, r := range with {
		plain[r] = without[n]
		n++
	}
	return strings.Map(func(r rune) rune {
		if b, ok := plain[r]; ok {
			return rune(b)
		}
		return r
	}, s)
}
