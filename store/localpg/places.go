package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// places are the files of a server and the user it runs as.
type places struct {
	dir    string
	data   string
	log    string // file
	socket string // folder
	as     *account
}

// account is the unprivileged user of a server that root starts; nil where the
// server runs as the person.
type account struct {
	name     string
	uid, gid uint32
}

// rootDir is where the servers of root are whose data directory cannot be reached
// by an unprivileged user: /root is 0700. The folder belongs to root, is 0755,
// and holds one folder for each data directory.
const rootDir = "/var/lib/tabfarm"

// socketBytes is the longest path of a socket that every system takes
// (sun_path is 104 bytes on macOS and 108 on Linux, its end included).
const socketBytes = 103

// findPlaces says where the server of a data directory is or would be. It makes nothing.
func findPlaces(dir string) (places, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return places{}, fmt.Errorf("find data directory %q: %w", dir, err)
	}
	p := places{dir: filepath.Join(abs, "postgres")}
	if os.Geteuid() == 0 {
		if p.as, err = unprivileged(); err != nil {
			return places{}, err
		}
		if !exists(filepath.Join(p.dir, dataName)) && !p.as.reaches(abs) {
			p.dir = filepath.Join(rootDir, hash(abs))
		}
	}
	p.data = filepath.Join(p.dir, dataName)
	p.log = filepath.Join(p.dir, logName, "postgres.log")
	p.socket = filepath.Join(p.dir, socketName)
	if len(p.socket)+len("/.s.PGSQL."+port) > socketBytes {
		// The folder is made 0700 and checked to be ours, so that nobody else
		// can have made it first.
		p.socket = filepath.Join(os.TempDir(), "tabfarm-"+hash(p.dir))
		if len(p.socket)+len("/.s.PGSQL."+port) > socketBytes {
			p.socket = filepath.Join("/tmp", "tabfarm-"+hash(p.dir))
		}
	}
	return p, nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// unprivileged is the user that root's server runs as: postgres, which the
// packages of PostgreSQL make, or nobody.
func unprivileged() (*account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read ids of user %q: %w", name, err)
		}
		return &account{name, uint32(uid), uint32(gid)}, nil
	}
	return nil, errors.New("root cannot run a Postgres and there is no user postgres or nobody to run it as")
}

// reaches says whether the user may enter a folder, or the first of its parents
// that exist: execute permission on all of them.
func (a *account) reaches(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		mode := info.Mode().Perm()
		switch {
		case ok && st.Uid == a.uid:
			mode >>= 6
		case ok && st.Gid == a.gid:
			mode >>= 3
		}
		if mode&1 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// makePlaces is findPlaces, and makes the folders.
func makePlaces(dir string) (places, error) {
	p, err := findPlaces(dir)
	if err != nil {
		return p, err
	}
	mode := fs.FileMode(0o700)
	if p.as != nil {
		mode = 0o755 // the server's user goes through; what is secret below is 0600 or 0700
	}
	if err := os.MkdirAll(p.dir, mode); err != nil {
		return p, fmt.Errorf("make folder of the private Postgres: %w", err)
	}
	for _, folder := range []string{filepath.Dir(p.log), p.socket} {
		if err := p.private(folder); err != nil {
			return p, err
		}
	}
	return p, nil
}

// private makes a folder that only the server's user may enter, and refuses one
// that somebody else has made there.
func (p places) private(folder string) error {
	err := os.Mkdir(folder, 0o700)
	if err == nil {
		return p.give(folder)
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder of the private Postgres: %w", err)
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return fmt.Errorf("look at folder of the private Postgres: %w", err)
	}
	owner := uint32(os.Geteuid())
	if p.as != nil {
		owner = p.as.uid
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || st.Uid != owner || info.Mode().Perm()&0o077 != 0 {
		if ok && info.IsDir() && st.Uid == uint32(os.Geteuid()) && info.Mode().Perm()&0o077 == 0 {
			return p.give(folder) // made by us, and interrupted before it was given
		}
		return fmt.Errorf("%s exists and is not the private folder of this Postgres; move it away", folder)
	}
	return nil
}

// give makes a file or folder the server user's.
func (p places) give(name string) error {
	if p.as == nil {
		return nil
	}
	if err := os.Chown(name, int(p.as.uid), int(p.as.gid)); err != nil {
		return fmt.Errorf("give %s to user %s: %w", name, p.as.name, err)
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// lockFile locks a file until the function it returns is called, or this process
// ends. Others wait.
func lockFile(ctx context.Context, name string) (func(), error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of the private Postgres: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock the private Postgres: %w", err)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("wait for another start or stop of the private Postgres: %w", err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
