package cmd_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fullDiskInside says that the test already runs in its own mount namespace.
const fullDiskInside = "EVRUN_PROOF_NAMESPACE"

// tmpfs mounts a small disk. If it may not, it runs the whole test again in a namespace where it may, and ok is false.
func tmpfs(t *testing.T, size string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	unmount, err := mountTmpfs(dir, size)
	if err == nil {
		t.Cleanup(unmount)
		return dir, true
	}
	if os.Getenv(fullDiskInside) != "" {
		unable(t, "tmpfs", err)
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	again.Env = append(os.Environ(), fullDiskInside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := again.CombinedOutput()
	t.Logf("in a namespace of its own:\n%s", out)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		t.Fatal(err)
	case err != nil:
		unable(t, "tmpfs", err)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skip("see above")
	}
	return "", false
}

// mountTmpfs mounts a small disk at a directory.
func mountTmpfs(dir, size string) (unmount func(), err error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		return nil, err
	}
	return func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }, nil
}
