// Package bundle owns what tests and measurements need of npm: the bundles of the
// sites that they read, and programs with their packages. It installs the packages
// of a lock file, runs a site's build.mjs, and keeps what comes of it for the next
// time. It refuses to be part of the program: it needs Node.js and the registry.
package bundle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNoNode says that Node.js or npm is not on this machine.
var ErrNoNode = errors.New("no Node.js with npm on this machine (scripts/setup.sh node installs it)")

// install puts the packages of the lock file beside it. Packages' own install
// scripts do not run: none of them is needed, and some would fetch a browser.
var install = []string{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}

// Build makes the bundles of a site and names the folder that holds them. The
// site's name is that of its place in the cache; web holds package.json,
// package-lock.json, build.mjs, which writes dist/, and what that reads. What the
// same files gave before is taken as it is; programs that come here at the same
// time wait for one of them.
func Build(ctx context.Context, site string, web fs.FS) (dist string, err error) {
	return kept(ctx, site, web, "dist", install, []string{"node", "build.mjs"})
}

// Install names a folder with the files and, beside them, the packages of their
// lock file. It keeps it as Build does.
func Install(ctx context.Context, name string, files fs.FS) (dir string, err error) {
	return kept(ctx, name, files, "", install)
}

// kept runs the commands in a folder with the files and keeps a part of it, all of
// it where the part has no name.
func kept(ctx context.Context, name string, files fs.FS, part string, commands ...[]string) (dir string, err error) {
	sum, err := hash(files)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir(name)
	if err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	done := filepath.Join(cache, sum)
	dir = filepath.Join(done, cmp.Or(part, "whole"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", ErrNoNode
		}
	}
	// Built beside its place and then moved, so that a build that was ended
	// half way leaves nothing that looks whole.
	work, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", fmt.Errorf("make a folder to build in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := fill(ctx, work, files, commands); err != nil {
		return "", err
	}
	if err := os.MkdirAll(done, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of what was built: %w", err)
	}
	if err := os.Rename(filepath.Join(work, part), dir); err != nil {
		return "", fmt.Errorf("put what was built in its place: %w", err)
	}
	return dir, nil
}

// fill copies the files to dir and runs the commands there.
func fill(ctx context.Context, dir string, files fs.FS, commands [][]string) error {
	if err := os.CopyFS(dir, files); err != nil {
		return fmt.Errorf("copy what is built from: %w", err)
	}
	for _, command := range commands {
		run := exec.CommandContext(ctx, command[0], command[1:]...)
		run.Dir = dir
		if output, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("run %q: %w\n%s", command, err, output)
		}
	}
	return nil
}

// hash names a state of the files.
func hash(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(h, "%s %d\n%s\n", path, len(text), text) // a hash never fails
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash what is built from: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// cacheDir is .cache/SITE below the module's root, which git ignores, or in the
// user's own cache where there is no module around.
func cacheDir(site string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			dir = filepath.Join(dir, ".cache", site)
			break
		}
		if dir == filepath.Dir(dir) {
			user, err := os.UserCacheDir()
			if err != nil {
				return "", fmt.Errorf("find a cache folder: %w", err)
			}
			dir = filepath.Join(user, "tabfarm-"+site)
			break
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	return dir, nil
}

// lock holds a file against other processes until unlock is called. It asks
// anew until it gets it, because a blocking flock could not be given up.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	ask := time.NewTicker(100 * time.Millisecond)
	defer ask.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file.Close, nil // closing gives the lock back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %q: %w", path, err), file.Close())
		}
		select {
		case <-ask.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for %q: %w", path, ctx.Err()), file.Close())
		}
	}
}
