package browserpool

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
)

// smallShm is the size of /dev/shm in bytes under which Chrome keeps its shared
// memory in files instead: Docker gives 64 MB, and renderers crash when it is full.
const smallShm = 256 << 20

// flags is the command line of a browser whose profile is the folder profile.
// Every flag has its reason; what is not here was left out on purpose:
// --disable-hang-monitor keeps pages alive that refuse to close,
// --disable-popup-blocking and --disable-ipc-flooding-protection serve the page
// and not us, --single-process and --no-zygote cost the isolation of crashes.
func flags(c Config, b Browser, profile string) []string {
	list := []string{
		"--remote-debugging-pipe", // no port that others could reach; Chrome ends when we do
		"--user-data-dir=" + profile,
		"--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-default-apps",
		"--disable-component-extensions-with-background-pages",

		// Quiet: Chrome asks the internet for nothing of its own.
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-domain-reliability", "--disable-client-side-phishing-detection", "--no-pings",
		"--metrics-recording-only", "--disable-breakpad", "--disable-crash-reporter", "--noerrdialogs",
		"--disable-field-trial-config",
		"--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AcceptCHFrame," +
			"HttpsUpgrades,InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater," +
			"AutofillServerCommunication,PaintHolding,DestroyProfileOnBrowserClose," +
			"ProcessPerSiteUpToMainFrameThreshold,IsolateSandboxedIframes," +
			// Where frames are asked for (draw.go) the one makes a frame wait for ever when
			// the page is scrolled, the other loses inputs to a page that was not drawn yet.
			"RasterInducingScroll,DropInputEventsWhilePaintHolding",
		"--password-store=basic", "--use-mock-keychain",
		"--accept-lang=en-US,en", // the headless shell has none, and no one browses without

		// Tabs behind each other work at full speed.
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--disable-backgrounding-occluded-windows",
		"--disable-back-forward-cache", // a page that was left shall not hold memory

		// Nothing opens, asks, sounds or is saved.
		"--block-new-web-contents", "--deny-permission-prompts", "--disable-notifications",
		"--mute-audio", "--hide-scrollbars", "--disable-prompt-on-repost",
		// A page is read once and is gone: V8 optimizes only what runs ten times as
		// often as would do by itself, for most of what it optimizes is not run again.
		"--js-flags=--invocation-count-for-maglev=4000 --invocation-count-for-maglev-osr=1000" +
			" --invocation-count-for-turbofan=30000 --invocation-count-for-osr=5000",
		// Otherwise WebRTC tells addresses and goes around the proxy.
		"--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
	}
	if asksForFrames(c, b) {
		// As Chrome's own --deterministic-mode has it, but for animated pictures.
		list = append(list, "--enable-begin-frame-control", "--run-all-compositor-stages-before-draw",
			"--disable-new-content-rendering-timeout", "--disable-threaded-animation", "--disable-threaded-scrolling",
			"--disable-checker-imaging")
	}
	if !b.HeadlessShell() {
		list = append(list, "--headless=new")
	}
	if c.Sandbox == "off" {
		list = append(list, "--no-sandbox")
	}
	if runtime.GOOS == "linux" && shmSize() < smallShm {
		list = append(list, "--disable-dev-shm-usage")
	}
	if c.Proxy != "" {
		// Without the second flag Chrome goes around the proxy for loopback and
		// link-local addresses, the metadata service of clouds among them.
		list = append(list, "--proxy-server="+c.Proxy, "--proxy-bypass-list=<-loopback>")
	}
	if c.isolated {
		list = append(list, "--site-per-process")
	}
	return append(list, "--user-agent="+userAgent(c, b), "about:blank")
}

// userAgent is Chrome's own header (its platform and the lower version numbers
// are frozen words in every Chrome) with the product after it.
func userAgent(c Config, b Browser) string {
	if c.UserAgent != "" {
		return c.UserAgent
	}
	platform := "X11; Linux x86_64"
	if runtime.GOOS == "darwin" {
		platform = "Macintosh; Intel Mac OS X 10_15_7"
	}
	major, _, _ := strings.Cut(b.Version, ".")
	ua := fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/%s.0.0.0 Safari/537.36 %s", platform, major, c.Product)
	return strings.TrimSpace(ua)
}

// shmSize is the size of /dev/shm in bytes, 0 where there is none.
func shmSize() int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &st); err != nil {
		return 0
	}
	return int64(st.Blocks) * int64(st.Bsize) //nolint:unconvert // the types differ by system
}
