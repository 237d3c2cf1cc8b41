package farm

import (
	"errors"
	"net/netip"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		allow     []string
		url       string
		connected string
		refused   bool
	}{
		{name: "public address", url: "http://93.184.216.34/"},
		{name: "loopback", url: "http://127.0.0.1:8080/x", refused: true},
		{name: "loopback by name", url: "http://localhost/", refused: true},
		{name: "IPv6 loopback", url: "http://[::1]/", refused: true},
		{name: "IPv4 inside IPv6", url: "http://[::ffff:127.0.0.1]/", refused: true},
		{name: "NAT64 of a private address", url: "http://[64:ff9b::10.0.0.1]/", refused: true},
		{name: "private", url: "https://192.168.1.1/", refused: true},
		{name: "link-local, the cloud's metadata", url: "http://169.254.169.254/latest", refused: true},
		{name: "carrier NAT", url: "http://100.64.1.1/", refused: true},
		{name: "unique local IPv6", url: "http://[fd00::1]/", refused: true},
		{name: "unspecified", url: "http://0.0.0.0/", refused: true},
		{name: "rebound after resolving", url: "http://public.example/", connected: "10.0.0.5", refused: true},
		{name: "connected to a public address", url: "http://public.example/", connected: "93.184.216.34"},
		{name: "file", url: "file:///etc/passwd", refused: true},
		{name: "javascript", url: "javascript:alert(1)", refused: true},
		{name: "allowed host", allow: []string{"localhost"}, url: "http://localhost:99/"},
		{name: "allowed host and port", allow: []string{"127.0.0.1:8080"}, url: "http://127.0.0.1:8080/"},
		{name: "another port", allow: []string{"127.0.0.1:8080"}, url: "http://127.0.0.1:8081/", refused: true},
		{name: "allowed range", allow: []string{"10.0.0.0/8"}, url: "http://10.1.2.3/"},
		{name: "outside the allowed range", allow: []string{"10.0.0.0/8"}, url: "http://192.168.0.1/", refused: true},
		{name: "allowed address", allow: []string{"127.0.0.1"}, url: "http://127.0.0.1:1/"},
		{name: "allowed by range after resolving", allow: []string{"127.0.0.0/8", "::1"}, url: "http://localhost/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := parseAddresses(tt.allow, false)
			if err != nil {
				t.Fatal(err)
			}
			var connected netip.Addr
			if tt.connected != "" {
				connected = netip.MustParseAddr(tt.connected)
			}
			err = a.check(t.Context(), tt.url, connected)
			var refused *RefusedError
			if errors.As(err, &refused) != tt.refused || (err != nil) != tt.refused {
				t.Errorf("check(%q) = %v, want refused: %v", tt.url, err, tt.refused)
			}
		})
	}
}

func TestAddressesNamesTheBadEntry(t *testing.T) {
	t.Parallel()
	if _, err := parseAddresses([]string{"10.0.0.0/99"}, false); err == nil {
		t.Error("10.0.0.0/99 was taken for a range")
	}
}
