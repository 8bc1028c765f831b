package format

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// maxPlaces is the greatest number of places that Round rounds to: no float64 has digits beyond.
const maxPlaces = 400

// Round rounds a number to so many places after the decimal point, before it if negative. Halves are rounded away from zero, as they are written: 2.675 is
// 2.68, though the nearest float64 is a little less. ok is false if v is not a number.
func Round(v any, places int) (_ any, ok bool) {
	var digits string
	switch v := v.(type) {
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return v, true
		}
		digits = strconv.FormatFloat(v, 'e', -1, 64)
	case int, int64:
		if places >= 0 {
			return v, true
		}
		n, _ := whole(v)
		digits = n.String() + "e0"
	case json.Number:
		if len(v) > maxDigits {
			return v, true // more digits than are rounded
		}
		if !strings.ContainsAny(v.String(), ".eE") {
			if places >= 0 {
				return v, true
			}
			digits = v.String() + "e0"
			break
		}
		f, err := v.Float64()
		if err != nil {
			return v, true
		}
		digits = strconv.FormatFloat(f, 'e', -1, 64)
	default:
		return nil, false
	}
	rounded := roundText(digits, max(-maxPlaces, min(places, maxPlaces)))
	if _, isFloat := v.(float64); !isFloat && !strings.Contains(rounded, "e-") {
		if n, err := strconv.Atoi(plain(rounded)); err == nil {
			return n, true
		}
	}
	f, err := strconv.ParseFloat(rounded, 64)
	return f, err == nil
}

// roundText rounds d.ddde±x, which may have more digits before its point, and returns digits with an exponent.
func roundText(number string, places int) string {
	sign := ""
	if strings.HasPrefix(number, "-") {
		sign, number = "-", number[1:]
	}
	mantissa, exponent, _ := strings.Cut(number, "e")
	before, after, _ := strings.Cut(mantissa, ".")
	exp, _ := strconv.Atoi(exponent)
	digits := []byte("0" + before + after) // the number is digits × 10^-scale
	scale := len(after) - exp
	drop := scale - places // digits at the end that are too many
	if drop <= 0 {
		return sign + string(digits) + "e" + strconv.Itoa(-scale)
	}
	if drop >= len(digits) {
		return "0e0"
	}
	up := digits[len(digits)-drop] >= '5'
	digits = digits[:len(digits)-drop]
	for i := len(digits) - 1; up && i >= 0; i-- {
		if digits[i]++; digits[i] > '9' {
			digits[i] = '0'
		} else {
			up = false
		}
	}
	if strings.Trim(string(digits), "0") == "" {
		return "0e0"
	}
	return sign + string(digits) + "e" + strconv.Itoa(-places)
}

// plain writes digits with an exponent that is not negative without one.
func plain(number string) string {
	digits, exponent, _ := strings.Cut(number, "e")
	n, _ := strconv.Atoi(exponent)
	if n > 20 {
		return "" // longer than an int
	}
	return digits + strings.Repeat("0", n)
}
