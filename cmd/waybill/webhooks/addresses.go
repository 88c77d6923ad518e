package webhooks

import (
	"errors"
	"net/netip"
	"syscall"
)

// errPrivate means that an address is not public.
var errPrivate = errors.New("not a public address")

// refusePrivate is called with each address before it is connected to, after names were resolved: a name that is
// resolved again, to another address, is checked again.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(at.Addr()) {
		return errPrivate
	}
	return nil
}

// special are the networks of the registries of special-purpose addresses (RFC 6890) that no other condition of
// isPublic has. Those that contain another address (NAT64, 6to4, Teredo) lead to wherever that one does.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is the one network of IPv6 from which public addresses are given out.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// isPublic reports whether an address is one of the public internet. One of IPv4 in the form of IPv6 is what it
// contains.
func isPublic(ip netip.Addr) bool {
	if ip = ip.Unmap(); !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" || ip.Is6() && !global.Contains(ip) {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
