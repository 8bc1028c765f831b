package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
)

const (
	backupsAtOnce = 2
	backupReports = 200 * time.Millisecond
)

// backup copies the store to a file of the client's. The daemon writes only to files of those who could write to its own: its user, and root.
func (s *Server) backup(w http.ResponseWriter, r *http.Request, ask BackupRequest, _ none) error {
	if ask.Path == "" || ask.Proof == "" {
		return problem(http.StatusBadRequest, "path, proof: the file that the client has made, and what it contains")
	}
	release, err := s.backups.take(r)
	if err != nil {
		return err
	}
	defer release()
	if uid := audit.From(r.Context()).UID; uid != 0 && uid != os.Geteuid() {
		return problem(http.StatusForbidden, fmt.Sprintf("the daemon writes backups for its own user (uid %d) and for root only", os.Geteuid()))
	}
	if err := (backupFile{ask}).take(); err != nil {
		return problem(http.StatusForbidden, "the daemon can't write the file of the backup: "+err.Error())
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	control := http.NewResponseController(w)
	line := func(step BackupStep) {
		if err := errors.Join(events.WriteJSON(w, step), control.Flush()); err != nil {
			cancel() // the client is gone
		}
	}
	next := time.Now()
	sequence, err := s.o.Store.Backup(ctx, ask.Path, func(done, all int64) {
		if now := time.Now(); !now.Before(next) {
			next = now.Add(backupReports)
			line(BackupStep{Done: done, All: all})
		}
	})
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() == nil:
		line(BackupStep{Problem: errDraining})
	case errors.Is(err, store.ErrFull):
		line(BackupStep{Problem: problem(http.StatusInsufficientStorage, "no space is left for the backup")})
	case err != nil:
		line(BackupStep{Problem: shape.ProblemOf(err)})
	default:
		line(BackupStep{Complete: true, Sequence: sequence})
	}
	return nil
}

// backupFile is what is asked for.
type backupFile struct{ BackupRequest }

// take checks that the file is the client's, and empties it.
func (b backupFile) take() error {
	info, err := os.Lstat(b.Path)
	switch {
	case err != nil:
		return err
	case b.Proof == "" || !info.Mode().IsRegular() || info.Size() != int64(len(b.Proof)):
		return fmt.Errorf("%s is not the file that the client has made", b.Path)
	}
	text, err := os.ReadFile(b.Path)
	if err == nil && string(text) != b.Proof {
		err = fmt.Errorf("%s is not the file that the client has made", b.Path)
	}
	if err != nil {
		return err
	}
	return os.Truncate(b.Path, 0)
}
