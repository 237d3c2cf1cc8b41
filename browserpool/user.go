package browserpool

import (
	"fmt"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

// user is whom Chrome runs as. switched says that it is another than ours.
type user struct {
	name     string
	uid, gid int
	switched bool
}

// chromeUser decides whom Chrome runs as: the user that the program runs as, but
// never root when the sandbox is on, because Chrome has no sandbox as root.
func chromeUser(c Config) (user, error) {
	if os.Geteuid() != 0 || c.Sandbox == "off" {
		return user{}, nil
	}
	name := c.User
	if name == "" {
		name = "nobody"
	}
	found, err := osuser.Lookup(name)
	if err != nil {
		return user{}, fmt.Errorf("find user %q for the browser, which refuses to run as root: %w", name, err)
	}
	uid, uerr := strconv.Atoi(found.Uid)
	gid, gerr := strconv.Atoi(found.Gid)
	if uerr != nil || gerr != nil || uid == 0 {
		return user{}, fmt.Errorf("user %q for the browser has uid %s: name an unprivileged user", name, found.Uid)
	}
	return user{name: name, uid: uid, gid: gid, switched: true}, nil
}

// apply puts the user, and an own process group, on a command to start. The
// group is what all processes of a browser are killed by; it also keeps Ctrl-C at
// the terminal from reaching Chrome before the program has drained.
func (u user) apply(attr *syscall.SysProcAttr) {
	attr.Setpgid = true
	if u.switched {
		attr.Credential = &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid)}
	}
}
