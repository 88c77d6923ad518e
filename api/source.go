package api

import (
	"context"
	"net/netip"
	"strings"
)

// sourceOf returns the network that a request comes from: an IPv4 address, or the /64 prefix of an IPv6
// address, which a provider assigns to one customer. Behind trusted proxies it is the right-most
// untrusted address in X-Forwarded-For: anybody can forge the ones before it.
func (a *server) sourceOf(ctx context.Context) string {
	r := requestOf(ctx).http
	if r == nil {
		return ""
	}
	peer, err := parseAddr(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr // no network: a Unix socket
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && a.isTrustedProxy(peer); i-- {
		before, err := parseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		peer = before
	}
	return network(peer)
}

func (a *server) isTrustedProxy(addr netip.Addr) bool {
	for _, proxies := range a.trustedProxies {
		if proxies.Contains(addr) {
			return true
		}
	}
	return false
}

func network(addr netip.Addr) string {
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}

// parseAddr parses an address, with or without a port.
func parseAddr(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		var port netip.AddrPort
		port, err = netip.ParseAddrPort(text)
		addr = port.Addr()
	}
	return addr.Unmap().WithZone(""), err
}

// ParseProxies parses a comma-separated list of addresses and networks of trusted proxies.
func ParseProxies(list string) (proxies []netip.Prefix, err error) {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		proxy, err := netip.ParsePrefix(item)
		if err != nil {
			addr, err := netip.ParseAddr(item)
			if err != nil {
				return nil, err
			}
			proxy = netip.PrefixFrom(addr, addr.BitLen())
		}
		proxies = append(proxies, proxy)
	}
	return proxies, nil
}
