package browserpool

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The folders of a pool, below Config.Dir:
//
//	.lock            held while a pool makes its folder or sweeps
//	PID-RANDOM/      one pool
//	  lock           flock held for as long as the pool's process lives
//	  1.pgid         process group of browser 1, written when it starts
//	  1/             its home: profile, temporary files
//
// A kill -9 frees the flock and leaves the rest. The next pool below the same
// Dir finds the lock free, ends what still runs, and removes the folder.
const (
	lockName   = "lock"
	pgidSuffix = ".pgid"
)

// folder is the folder of one pool.
type folder struct {
	path string
	lock *os.File
}

// openFolder sweeps dir and makes a folder for a new pool in it.
func openFolder(dir string, log *slog.Logger) (*folder, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make profile folder: %w", err)
	}
	if err := owned(dir); err != nil {
		return nil, err
	}
	guard, err := lockFile(filepath.Join(dir, ".lock"), true)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	defer guard.Close() //nolint:errcheck // nothing is written to it
	sweep(dir, log)

	path, err := os.MkdirTemp(dir, strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, fmt.Errorf("make profile folder: %w", err)
	}
	// Others may pass through, for the user that Chrome runs as, but not look.
	if err := os.Chmod(path, 0o711); err != nil {
		return nil, fmt.Errorf("make profile folder: %w", err)
	}
	lock, err := lockFile(filepath.Join(path, lockName), false)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	return &folder{path: path, lock: lock}, nil
}

// owned refuses a folder that another user has made at a place anybody may write
// to: its owner could put a link where a profile will be.
func owned(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at profile folder: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || (ok && int(st.Uid) != os.Geteuid()) {
		return fmt.Errorf("profile folder %q is not a folder of this user: remove it or name another", dir)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("profile folder %q can be written by others: chmod go-w it or name another", dir)
	}
	return nil
}

// lockFile opens name and takes an exclusive flock on it. It waits for it, or
// fails with EWOULDBLOCK. Closing the file gives it up; children do not inherit it.
func lockFile(name string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close() //nolint:errcheck // nothing was written
		return nil, err
	}
	return f, nil
}

// sweep removes the folders of pools whose process is gone, and ends the
// browsers that such a process left behind. What cannot be removed is told and
// left for the next time: it must not keep a pool from starting.
func sweep(dir string, log *slog.Logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		log.Warn("old profile folders not looked for", "dir", dir, "error", err)
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() {
			continue
		}
		lock, err := lockFile(filepath.Join(path, lockName), false)
		if err != nil {
			continue // in use
		}
		endLeftovers(path, log)
		if err := removeAll(path); err != nil {
			log.Warn("old profile folder not removed", "dir", path, "error", err)
		} else {
			log.Info("old profile folder removed", "dir", path)
		}
		lock.Close() //nolint:errcheck // it is removed
	}
}

// endLeftovers kills the process groups that are recorded in a pool's folder.
// The number alone may be another's by now, so a group is only killed when it is
// known to be of that browser; processesOf decides.
func endLeftovers(path string, log *slog.Logger) {
	notes, err := filepath.Glob(filepath.Join(path, "*"+pgidSuffix))
	if err != nil {
		return
	}
	for _, note := range notes {
		text, err := os.ReadFile(note)
		if err != nil {
			continue
		}
		pgid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || pgid <= 1 {
			continue
		}
		home := strings.TrimSuffix(note, pgidSuffix)
		for _, pid := range processesOf(pgid, home) {
			log.Info("left-over browser process killed", "pid", pid, "profile", home)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// profileFlag is the flag by which the processes of a browser are known.
func profileFlag(home string) string { return "--user-data-dir=" + profileDir(home) }

func profileDir(home string) string { return filepath.Join(home, "profile") }

// home makes the folder of browser n, owned by the user that it runs as.
func (f *folder) home(n int, run user) (string, error) {
	home := filepath.Join(f.path, strconv.Itoa(n))
	for _, dir := range []string{home, profileDir(home), filepath.Join(home, "tmp")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", fmt.Errorf("make profile folder: %w", err)
		}
		if run.switched {
			if err := os.Chown(dir, run.uid, run.gid); err != nil {
				return "", fmt.Errorf("give profile folder to user %q: %w", run.name, err)
			}
		}
	}
	return home, nil
}

// note writes down the process group of the browser in home.
func (f *folder) note(home string, pgid int) error {
	if err := os.WriteFile(home+pgidSuffix, []byte(strconv.Itoa(pgid)), 0o600); err != nil {
		return fmt.Errorf("note process group: %w", err)
	}
	return nil
}

// discard removes the folder of a browser that has ended.
func (f *folder) discard(home string) error {
	if err := removeAll(home); err != nil {
		return fmt.Errorf("remove profile folder: %w", err)
	}
	if err := os.Remove(home + pgidSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove profile folder: %w", err)
	}
	return nil
}

// close removes the pool's folder and gives up its lock.
func (f *folder) close() error {
	err := removeAll(f.path)
	return errors.Join(err, f.lock.Close())
}

// removeAll removes a folder that a process killed a moment ago may still be
// writing to: it tries again for two seconds.
func removeAll(path string) error {
	deadline := time.Now().Add(2 * time.Second)
	for {
		err := os.RemoveAll(path)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
