package access

import (
	"encoding/hex"
	"strings"

	"evrun/tasks/fault"
)

// OwnerName is the name of the owner's token. No other can have it.
const OwnerName = "owner"

const nameHint = "letters and digits, and after the first also . _ and -; 64 at most"

// CheckName checks the name of a token, which is written to the audit trail and to logs.
func CheckName(name string) *fault.Fault {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }
	for i := range len(name) {
		if c := name[i]; !letter(c) && (i == 0 || strings.IndexByte("_.-", c) < 0) {
			return fault.New("%s is not a valid name", fault.Quote(name)).Hinting(nameHint)
		}
	}
	switch {
	case name == "":
		return fault.New("the name is empty").Hinting(nameHint)
	case len(name) > 64:
		return fault.New("the name has %d characters", len(name)).Hinting(nameHint)
	case name == OwnerName:
		return fault.New("the name %s is that of the token in the file evrun.token", OwnerName).Hinting("choose another")
	}
	return nil
}

// hashPrefix begins the text of a hash.
const hashPrefix = "sha256:"

// String is the hash as the wiring file has it.
func (h Hash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

// ParseHash reads a hash as the wiring file has it: sha256: and 64 hexadecimal digits.
func ParseHash(text string) (h Hash, f *fault.Fault) {
	const example = "evrun token create NAME --right read --hash prints a token and its line for the file"
	digits, ok := strings.CutPrefix(text, hashPrefix)
	sum, err := hex.DecodeString(digits)
	switch {
	case strings.HasPrefix(text, Prefix):
		return h, fault.New("this is a token, and not its hash: a wiring file must not have it").Hinting("this one has been in a file, so make another: evrun token create NAME --right read --hash")
	case !ok && err == nil && len(sum) == len(h):
		return h, fault.New("the hash does not say which it is").Hinting("write %s%s", hashPrefix, digits)
	case !ok:
		return h, fault.New("this is not a hash: it must begin with %s", hashPrefix).Hinting(example)
	case err != nil || len(sum) != len(h):
		return h, fault.New("the hash must have %d hexadecimal digits behind %s", 2*len(h), hashPrefix).Hinting(example)
	}
	copy(h[:], sum)
	return h, nil
}
