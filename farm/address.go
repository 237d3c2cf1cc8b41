package farm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// RefusedError says that an address may not be opened.
type RefusedError struct {
	URL  string
	Host string
	Addr netip.Addr // zero when the scheme was refused
}

func (e *RefusedError) Error() string {
	if !e.Addr.IsValid() {
		return fmt.Sprintf("%q is no http or https address", e.URL)
	}
	if literal, err := netip.ParseAddr(e.Host); err == nil && literal == e.Addr {
		return fmt.Sprintf("%s is a private address; name it in network.allow_private if it is meant", e.Addr)
	}
	return fmt.Sprintf("%s is at %s, a private address; name it in network.allow_private if it is meant", e.Host, e.Addr)
}

// special are the ranges that are not on the public internet beyond those that
// netip tells itself. Source: IANA special-purpose address registries (RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier NAT
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
}

// nat64 carries an IPv4 address in its last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// addresses decides which addresses may be opened: public ones, and those that
// network.allow_private names.
type addresses struct {
	hosts    map[string]bool // name or name:port, lower case
	prefixes []netip.Prefix
	proxied  bool // names are resolved by a proxy: only literal addresses can be judged
}

func parseAddresses(list []string, proxied bool) (addresses, error) {
	a := addresses{hosts: map[string]bool{}, proxied: proxied}
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		if p, err := netip.ParsePrefix(entry); err == nil {
			a.prefixes = append(a.prefixes, p.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
			a.prefixes = append(a.prefixes, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
			continue
		}
		if strings.ContainsAny(entry, "/ ") {
			return addresses{}, fmt.Errorf("network.allow_private: %q is neither a host nor a CIDR range such as 10.0.0.0/8", entry)
		}
		a.hosts[entry] = true
	}
	return a, nil
}

// named says whether network.allow_private names the host itself.
func (a addresses) named(host, port string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return a.hosts[host] || a.hosts[net.JoinHostPort(host, port)] || a.hosts[host+":"+port]
}

// permits says whether an address is public or allowed.
func (a addresses) permits(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, p := range a.prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	if nat64.Contains(ip) {
		b := ip.As16()
		return a.permits(netip.AddrFrom4([4]byte(b[12:])))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // loopback, link-local, multicast, unspecified are no global unicast
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// check refuses what may not be opened with a *RefusedError. connected is the
// address that a connection was made to, when one was; without it the host is
// resolved. A name that does not resolve is no matter of this check.
func (a addresses) check(ctx context.Context, rawURL string, connected netip.Addr) error {
	u, err := url.Parse(rawURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return &RefusedError{URL: rawURL}
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if a.named(host, port) {
		return nil
	}
	ips := []netip.Addr{connected}
	if _, err := netip.ParseAddr(host); err != nil && a.proxied {
		return nil
	}
	if a.proxied || !connected.IsValid() {
		if ips, err = lookup(ctx, host); err != nil {
			var dns *net.DNSError
			if errors.As(err, &dns) {
				return nil // the browser says it in its own words
			}
			return err
		}
	}
	for _, ip := range ips {
		if !a.permits(ip) {
			return &RefusedError{URL: rawURL, Host: host, Addr: ip}
		}
	}
	return nil
}

// lookup resolves a host; a literal address is its own answer.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve host %q: %w", host, err)
	}
	return ips, nil
}
