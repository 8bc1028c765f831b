package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/events"
	"evrun/store/files"
	"evrun/tasks"
)

// Address is where the daemon of a wiring file is reached. A daemon notes it under the path of the file when it starts, since the file alone
// is not enough: it may be half saved, or name a socket that needs a restart.
//
// The note is a file in a directory that only its user can write to (see addressDirs), so that no other user can lead a command to a daemon
// of theirs. A note that was left behind does no harm: it is used only while a daemon that runs this very file answers at its address.
// Where files have no owners (Windows) there are no notes: the file alone says where its daemon is.
type Address struct {
	Config   string `json:"config"` // the wiring file, absolute
	Socket   string `json:"socket"`
	Store    string `json:"store"`
	MaxEvent int    `json:"max_event"`
	// Beside reports that flags or variables gave the daemon another address than its file: the file may have a second daemon.
	Beside bool `json:"beside,omitempty"`
}

// notes are a daemon's address, and the directories that have a note of it.
type notes struct {
	Address
	dirs []string
}

// addressOf is the address of a daemon with this configuration.
func addressOf(cfg *config.Config) Address {
	a := Address{Config: cfg.Path, Socket: cfg.Settings.Server.Socket, Store: cfg.Settings.Store.String(), MaxEvent: cfg.Settings.Server.MaxEvent}
	alone, err := config.LoadSettings(cfg.Path, config.Options{Getenv: func(string) string { return "" }})
	a.Beside = err != nil || alone.Settings.Server.Socket != a.Socket || alone.Settings.Store.String() != a.Store
	return a
}

// Settings are the settings that a client needs, without a wiring file.
func (a *Address) Settings() *config.Config {
	cfg := &config.Config{Path: a.Config, Dir: filepath.Dir(a.Config)}
	cfg.Settings.Server.Socket, cfg.Settings.Server.MaxEvent, cfg.Settings.Store = a.Socket, a.MaxEvent, settings.Named(a.Store, settings.Given(os.Getenv))
	return cfg
}

// wiringKey names a wiring file: two paths to the same file in the same directory have the same key. A link to a file is not followed,
// since paths in the file are relative to the directory of the link.
func wiringKey(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// addressFile is the name of a wiring file's note in an address directory.
func addressFile(config string) string {
	sum := sha256.Sum256([]byte(wiringKey(config)))
	return hex.EncodeToString(sum[:16]) + ".json"
}

// addressDirs returns the directories in which the daemons of a user note their addresses: in each whose parent exists, since a command may
// have another environment than the daemon.
func addressDirs(uid int) []string {
	var dirs []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); uid == os.Getuid() && filepath.IsAbs(dir) {
		dirs = append(dirs, filepath.Join(dir, "evrun"))
	}
	user := strconv.Itoa(uid)
	dirs = append(dirs, filepath.Join("/run/user", user, "evrun"),
		filepath.Join(os.TempDir(), "evrun-"+user), filepath.Join("/tmp", "evrun-"+user))
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// private reports whether a file belongs to a user, and no other user can change it.
func private(info fs.FileInfo, uid int) bool {
	return files.OwnedBy(info, uid) && info.Mode()&0o022 == 0
}

// remember notes the address in each directory where it can; a container without /tmp has none, say. A second daemon of a file
// (see Beside) leaves the note of the first one as it is.
func (n *notes) remember() {
	for _, dir := range addressDirs(os.Getuid()) {
		if n.rememberIn(dir) == nil {
			n.dirs = append(n.dirs, dir)
		}
	}
}

// renew makes removed notes again.
func (n *notes) renew() {
	for _, dir := range n.dirs {
		if _, err := os.Lstat(filepath.Join(dir, addressFile(n.Config))); errors.Is(err, fs.ErrNotExist) {
			_ = n.rememberIn(dir)
		}
	}
}

// rememberIn writes the note into a directory, which it makes if needed, and removes the notes of daemons that are gone.
func (a *Address) rememberIn(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() || !private(info, os.Getuid()) {
		return errors.Join(err, fs.ErrPermission)
	}
	sweepAddresses(dir)
	if old := addressIn(dir, os.Getuid(), a.Config); a.Beside && old != nil && !old.Beside {
		return nil
	}
	text, err := events.MarshalJSON(a)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // unless something failed it is renamed by then
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, addressFile(a.Config)))
}

// forget removes the notes of the address. It must be called while the daemon still has its store: then no other daemon has noted the
// same address.
func (a *Address) forget() {
	for _, dir := range addressDirs(os.Getuid()) {
		if noted := addressIn(dir, os.Getuid(), a.Config); noted != nil && *noted == *a {
			_ = os.Remove(filepath.Join(dir, addressFile(a.Config)))
		}
	}
}

// sweepAddresses removes the notes of daemons that are gone.
func sweepAddresses(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries[:min(len(entries), 1000)] {
		path := filepath.Join(dir, e.Name())
		if a := readAddress(path, os.Getuid()); a != nil && !listening(a.Socket) {
			_ = os.Remove(path)
		}
	}
}

// addressIn reads the note of a wiring file in an address directory of a user; nil: there is none that can be trusted.
func addressIn(dir string, uid int, config string) *Address {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() || !private(info, uid) {
		return nil
	}
	a := readAddress(filepath.Join(dir, addressFile(config)), uid)
	if a == nil || wiringKey(a.Config) != wiringKey(config) {
		return nil
	}
	return a
}

// readAddress reads a note in a directory that can be trusted; nil: the file is not a note of this user.
func readAddress(path string, uid int) *Address {
	f, err := files.OpenUnfollowed(path, os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !private(info, uid) {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	a := new(Address)
	if err != nil || json.Unmarshal(text, a) != nil || !filepath.IsAbs(a.Socket) || !settings.IsPlace(a.Store) {
		return nil
	}
	return a
}

// Recall finds the address that a daemon of this wiring file noted: a daemon of this user, or of the owner of the file, who decides
// where the file leads anyway. nil: no such daemon runs.
func Recall(config string) *Address {
	users := []int{os.Getuid()}
	if info, err := os.Stat(config); err == nil {
		if uid, known := files.Owner(info); known && uid != users[0] {
			users = append(users, uid)
		}
	}
	for _, uid := range users {
		for _, dir := range addressDirs(uid) {
			if a := addressIn(dir, uid, config); a != nil && listening(a.Socket) {
				return a
			}
		}
	}
	return nil
}

// listening reports whether a socket belongs to a running process, even if that is too busy to answer.
func listening(socket string) bool {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		c.Close()
	}
	return !client.Nobody(err)
}

// Answers reports whether a daemon answers at the address, and runs the file that it was noted for.
func (a *Address) Answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := client.New(a.Socket, a.Config, a.Settings().Settings.Own()).Status(ctx)
	return err == nil && wiringKey(s.Config) == wiringKey(a.Config)
}

// Allowed reports whether the environment variables that give a daemon's address, as far as they are set, lead to this one.
func (a *Address) Allowed(getenv func(string) string) bool {
	for _, v := range []struct{ name, path string }{{"EVRUN_SERVER_SOCKET", a.Socket}, {"EVRUN_STORE", a.Store}} {
		text := getenv(v.name)
		if text != "" && settings.PlaceIn(filepath.Dir(a.Config), text) != v.path {
			return false
		}
	}
	return true
}

// variableDaemon has the daemon's address, as JSON, for the commands that it starts. They also have EVRUN_CONFIG, and the secret by which
// they publish events in the name of their run.
const variableDaemon = "EVRUN_DAEMON"

// variables are the environment of the daemon's commands.
func (a *Address) variables() map[string]string {
	text, err := events.MarshalJSON(a)
	if err != nil {
		return nil
	}
	return map[string]string{"EVRUN_CONFIG": a.Config, variableDaemon: string(text)}
}

// Issuer is the address of the daemon that runs the command which this process is a part of. It is nil where no daemon does, or
// that daemon runs another wiring file than this one.
func Issuer(wiring string, getenv func(string) string) *Address {
	a := new(Address)
	if getenv(tasks.VariableRunToken) == "" || json.Unmarshal([]byte(getenv(variableDaemon)), a) != nil ||
		!filepath.IsAbs(a.Socket) || !settings.IsPlace(a.Store) || wiringKey(a.Config) != wiringKey(wiring) || !a.Allowed(getenv) {
		return nil
	}
	return a
}
