package access

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheOwnersTokenIsMadeOnce(t *testing.T) {
	path := OwnerPath(filepath.Join(t.TempDir(), "evrun.db"))
	if filepath.Base(path) != "evrun.token" {
		t.Errorf("the file is %s", path)
	}
	if CheckOwner(path) == "" {
		t.Error("a lost file is right")
	}
	first, made, err := OwnerToken(path)
	if err != nil || !made.New || made.Note != "" || first.Name != OwnerName || !first.Rights.Allow(Admin) || !first.Rights.MayEmit("a.b") {
		t.Fatalf("%+v, %+v, %v", first, made, err)
	}
	text, _ := os.ReadFile(path)
	info, _ := os.Stat(path)
	if HashOf(strings.TrimSpace(string(text))) != first.Hash || info.Mode().Perm() != 0o600 && os.Getenv("OS") == "" {
		t.Errorf("%q with mode %v", text, info.Mode())
	}
	again, made, err := OwnerToken(path)
	if err != nil || made.New || !again.equal(first) || CheckOwner(path) != "" {
		t.Errorf("again: %+v, %v, %q", made, err, CheckOwner(path))
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if said := CheckOwner(path); !strings.Contains(said, "0644") {
		t.Errorf("an open file: %q", said)
	}
	again, made, err = OwnerToken(path)
	info, _ = os.Stat(path)
	if err != nil || !again.equal(first) || !strings.Contains(made.Note, "0644") || info.Mode().Perm() != 0o600 {
		t.Errorf("an open file: %+v, %v, mode %v", made, err, info.Mode())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if other, made, err := OwnerToken(path); err != nil || !made.New || other.Hash == first.Hash {
		t.Errorf("a lost file: %+v, %v", made, err)
	}
}

func TestAFileWithoutATokenIsRefused(t *testing.T) {
	for name, text := range map[string]string{"short": "secret\n", "two lines": NewSecret() + "\n" + NewSecret() + "\n", "long": strings.Repeat("x", 5000), "bytes": strings.Repeat("\x00", 30)} {
		path := filepath.Join(t.TempDir(), "evrun.token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := OwnerToken(path); err == nil || CheckOwner(path) == "" {
			t.Errorf("%s: %v, %q", name, err, CheckOwner(path))
		}
	}
	path := filepath.Join(t.TempDir(), "evrun.token") // a start that was cut off
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, made, err := OwnerToken(path); err != nil || !made.New {
		t.Errorf("an empty file: %+v, %v", made, err)
	}
}

// A link to a private file is as right as the file, and one that leads nowhere is said to.
func TestALinkToTheOwnersToken(t *testing.T) {
	dir := t.TempDir()
	path, real := filepath.Join(dir, "evrun.token"), filepath.Join(dir, "secret")
	if err := os.Symlink("secret", path); err != nil {
		t.Skip(err)
	}
	if said := CheckOwner(path); !strings.Contains(said, "symbolic link") {
		t.Errorf("a link that leads nowhere: %q", said)
	}
	if err := os.WriteFile(real, []byte(NewSecret()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OwnerToken(path); err != nil || CheckOwner(path) != "" {
		t.Errorf("a link: %v, %q", err, CheckOwner(path))
	}
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if said := CheckOwner(path); !strings.Contains(said, "0640") {
		t.Errorf("a link to an open file: %q", said)
	}
}

func TestALinkIsNotFollowedOutOfTheDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "evrun.token")
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("d", path); err != nil {
		t.Skip(err)
	}
	if _, _, err := OwnerToken(path); err == nil {
		t.Error("a directory is read")
	}
}
