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
	"syscall"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store/files"
	"evrun/tasks"
)

// Address is where the daemon of a wiring file is reached. A daemon notes it under the file's path when it starts, since
// the file alone does not always say: it may be half saved, or name a socket that needs a restart.
//
// The note is a file of its user's, in a folder that nobody else can write to (see addressFolders), so that no other user
// can lead a command to a daemon of theirs. A note that was left behind does no harm: what it says counts only while a
// daemon answers there that runs this very file.
type Address struct {
	Config   string `json:"config"` // the wiring file, absolute
	Socket   string `json:"socket"`
	Store    string `json:"store"`
	MaxEvent int    `json:"max_event"`
	// Beside says that flags or variables put the daemon elsewhere than its file does: it may not be the file's only one.
	Beside bool `json:"beside,omitempty"`
}

// notes are the notes of one daemon's address.
type notes struct {
	Address
	folders []string // that have one
}

// addressOf is the address of a daemon with this configuration.
func addressOf(cfg *config.Config) Address {
	a := Address{Config: cfg.Path, Socket: cfg.Settings.Server.Socket, Store: cfg.Settings.Store.Path, MaxEvent: cfg.Settings.Server.MaxEvent}
	alone, err := config.LoadSettings(cfg.Path, config.Options{Getenv: func(string) string { return "" }})
	a.Beside = err != nil || alone.Settings.Server.Socket != a.Socket || alone.Settings.Store.Path != a.Store
	return a
}

// Settings are the settings that a client needs, without a wiring file.
func (a *Address) Settings() *config.Config {
	cfg := &config.Config{Path: a.Config, Dir: filepath.Dir(a.Config)}
	cfg.Settings.Server.Socket, cfg.Settings.Server.MaxEvent, cfg.Settings.Store.Path = a.Socket, a.MaxEvent, a.Store
	return cfg
}

// wiringKey names a wiring file: two paths that lead to one file in one folder have the same key. A link to a file is not
// followed, since paths in the file are relative to the link's folder.
func wiringKey(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// addressFile is the name of a wiring file's note in an address folder.
func addressFile(config string) string {
	sum := sha256.Sum256([]byte(wiringKey(config)))
	return hex.EncodeToString(sum[:16]) + ".json"
}

// addressFolders are where a user's daemons note their addresses: in all of these whose parent exists, since a command need
// not have the daemon's environment.
func addressFolders(uid int) []string {
	var folders []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); uid == os.Getuid() && filepath.IsAbs(dir) {
		folders = append(folders, filepath.Join(dir, "evrun"))
	}
	user := strconv.Itoa(uid)
	folders = append(folders, filepath.Join("/run/user", user, "evrun"),
		filepath.Join(os.TempDir(), "evrun-"+user), filepath.Join("/tmp", "evrun-"+user))
	slices.Sort(folders)
	return slices.Compact(folders)
}

// private says whether what info describes is a user's, and can't be changed by anybody else.
func private(info fs.FileInfo, uid int) bool {
	return files.OwnedBy(info, uid) && info.Mode()&0o022 == 0
}

// remember notes the address wherever that is possible; nowhere is possible in a container without /tmp, say. A daemon
// beside the one that its file describes leaves that one's note alone.
func (n *notes) remember() {
	for _, dir := range addressFolders(os.Getuid()) {
		if n.rememberIn(dir) == nil {
			n.folders = append(n.folders, dir)
		}
	}
}

// renew makes the notes again that were removed.
func (n *notes) renew() {
	for _, dir := range n.folders {
		if _, err := os.Lstat(filepath.Join(dir, addressFile(n.Config))); errors.Is(err, fs.ErrNotExist) {
			_ = n.rememberIn(dir)
		}
	}
}

// rememberIn writes the note into a folder, which it makes. Notes of daemons that are gone are removed.
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
	defer os.Remove(f.Name()) // it is gone already, unless something failed
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, addressFile(a.Config)))
}

// forget takes the address back. It must be called while the daemon still has its store: from then on another one may note
// the same.
func (a *Address) forget() {
	for _, dir := range addressFolders(os.Getuid()) {
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

// addressIn reads the note of a wiring file in a user's address folder; nil: there is none that can be trusted.
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

// readAddress reads a note in a folder that can be trusted; nil: it is not one of this user's.
func readAddress(path string, uid int) *Address {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
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
	if err != nil || json.Unmarshal(text, a) != nil || !filepath.IsAbs(a.Socket) || !filepath.IsAbs(a.Store) {
		return nil
	}
	return a
}

// Recall finds the address that a daemon of this wiring file noted: one of this user's, or of the user whose file it is,
// who decides where the file leads anyway. nil: there is none.
func Recall(config string) *Address {
	users := []int{os.Getuid()}
	if info, err := os.Stat(config); err == nil {
		if sys, ok := info.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != users[0] {
			users = append(users, int(sys.Uid))
		}
	}
	for _, uid := range users {
		for _, dir := range addressFolders(uid) {
			if a := addressIn(dir, uid, config); a != nil && listening(a.Socket) {
				return a
			}
		}
	}
	return nil
}

// listening says whether a socket belongs to a living process. One that is too busy to answer does.
func listening(socket string) bool {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		c.Close()
	}
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED)
}

// Answers says whether the daemon at the address runs the file that it was noted for.
func (a *Address) Answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := api.NewClient(a.Socket, a.Config, a.Store).Status(ctx)
	return err == nil && wiringKey(s.Config) == wiringKey(a.Config)
}

// Allowed says whether the variables that place a daemon, where they are set, lead to this one.
func (a *Address) Allowed(getenv func(string) string) bool {
	for _, v := range []struct{ name, path string }{{"EVRUN_SERVER_SOCKET", a.Socket}, {"EVRUN_STORE", a.Store}} {
		text := getenv(v.name)
		if text != "" && !filepath.IsAbs(text) {
			text = filepath.Join(filepath.Dir(a.Config), text)
		}
		if text != "" && filepath.Clean(text) != v.path {
			return false
		}
	}
	return true
}

// variableDaemon tells the commands that a daemon starts of its address, as JSON. Beside it they have EVRUN_CONFIG, and the
// secret by which they publish events in the name of their run.
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
		!filepath.IsAbs(a.Socket) || !filepath.IsAbs(a.Store) || wiringKey(a.Config) != wiringKey(wiring) || !a.Allowed(getenv) {
		return nil
	}
	return a
}
