package process

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// User is the user that a command runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // the supplementary ones
	Home     string   // empty: unknown
}

// LookupUser finds a user by name or number, with their groups; "user:group" names another primary group. Unknown numbers
// need a group: "1000:1000". Only root can run commands as others.
func LookupUser(text string) (*User, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("only root can run commands as another user")
	}
	name, group, hasGroup := strings.Cut(text, ":")
	var u User
	known, err := user.Lookup(name)
	if err != nil {
		known, err = user.LookupId(name)
	}
	switch {
	case err == nil:
		ids, err := known.GroupIds()
		if err != nil {
			return nil, fmt.Errorf("the groups of %q: %w", name, err)
		}
		if u.UID, u.GID, u.Home = number(known.Uid), number(known.Gid), known.HomeDir; u.UID == noNumber || u.GID == noNumber {
			return nil, fmt.Errorf("user %q has no number", name)
		}
		for _, id := range ids {
			u.Groups = append(u.Groups, number(id))
		}
	case number(name) == noNumber:
		return nil, fmt.Errorf("unknown user %q", name)
	case !hasGroup:
		return nil, fmt.Errorf("the system has no user %s; name a group, too: %s:%s", name, name, name)
	default:
		u.UID = number(name)
	}
	if hasGroup {
		g, err := user.LookupGroup(group)
		if err == nil {
			group = g.Gid
		}
		if u.GID = number(group); u.GID == noNumber {
			return nil, fmt.Errorf("unknown group %q", group)
		}
	}
	return &u, nil
}

const noNumber = 1<<32 - 1 // it means "no change" to the system

func number(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return noNumber
	}
	return uint32(n)
}
