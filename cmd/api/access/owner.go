package access

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"evrun/store/files"
)

// OwnerPath is the path of the file with the owner's token: beside the store, and named after it. For evrun.db it is evrun.token.
func OwnerPath(storePath string) string {
	return strings.TrimSuffix(storePath, filepath.Ext(storePath)) + ".token"
}

// minOwner is how short the owner's token may be, where somebody has written it by hand.
const minOwner = 20

// Made says what [OwnerToken] did.
type Made struct {
	New  bool   // it made the file
	Note string // what was corrected, for the log; empty: nothing
	Key  Key    // of sessions, derived from the token
}

// OwnerToken reads the owner's token from its file. If the file does not exist, it makes it, with a new token. Who can read it may do everything. An open
// mode is corrected, and noted; all else that is not private is refused with an [*files.Error].
func OwnerToken(path string) (t Token, made Made, err error) {
	real, err := files.Resolve(path)
	if err != nil {
		return t, made, err
	}
	f, note, err := files.OpenPrivate(real)
	if err != nil {
		return t, made, err
	}
	defer f.Close()
	if made.Note = note; note != "" {
		made.Note += "; who has read it can still use the token: remove the file and run evrun reload for a new one"
	}
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return t, made, err
	}
	secret := string(bytes.TrimSpace(text))
	switch {
	case secret == "": // new, or from a start that was cut off
		secret, made.New = NewSecret(), true
		if _, err := f.WriteString(secret + "\n"); err != nil {
			return t, made, fmt.Errorf("write the owner's token: %w", err)
		}
		if err := f.Sync(); err != nil {
			return t, made, fmt.Errorf("write the owner's token: %w", err)
		}
	case !isOwner(secret):
		return t, made, &files.Error{Path: path, Msg: "it does not have a token in it, which is one line of at least 20 letters and digits", Hint: "remove the file, and the next start or evrun reload makes a new token"}
	}
	made.Key = keyOf(secret)
	return Token{Name: OwnerName, Hash: HashOf(secret), Rights: all}, made, nil
}

// isOwner reports whether a text can be the owner's token.
func isOwner(text string) bool { return plausible(text) && len(text) >= minOwner }

// CheckOwner says what is wrong with the file of the owner's token; empty if it is right. It changes nothing.
func CheckOwner(path string) string {
	real, err := files.Resolve(path) // as OwnerToken does: the mode of a link says nothing
	if err != nil {
		return err.Error()
	}
	info, err := os.Lstat(real)
	switch {
	case os.IsNotExist(err):
		return path + " does not exist; the next start or evrun reload makes it, with a new token"
	case err != nil:
		return err.Error()
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return fmt.Sprintf("%s is open to others (mode %#o): who has read it can use the token; remove the file and run evrun reload for a new one", path, info.Mode().Perm())
	}
	if _, err := files.Private(real, false); err != nil {
		return err.Error()
	}
	if text, err := os.ReadFile(real); err == nil && !isOwner(strings.TrimSpace(string(text))) {
		return path + " does not have a token in it; remove the file, and the next start or evrun reload makes a new one"
	}
	return ""
}
