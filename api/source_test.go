package api

import (
	"net/http/httptest"
	"testing"
)

func TestWhereARequestComesFrom(t *testing.T) {
	t.Parallel()
	proxies, err := ParseProxies("10.0.0.0/8, 192.0.2.7,2001:db8:ffff::/48")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                        {"198.51.100.1:1234", nil, "198.51.100.1"},
		"what anybody can write":          {"198.51.100.1:1234", []string{"203.0.113.9"}, "198.51.100.1"},
		"one proxy":                       {"10.1.2.3:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"a client that writes one itself": {"10.1.2.3:1234", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		"two proxies": {"192.0.2.7:1234",
			[]string{"1.1.1.1, 203.0.113.9, 10.9.9.9"}, "203.0.113.9"},
		"two headers": {"192.0.2.7:1234",
			[]string{"1.1.1.1", "203.0.113.9,10.9.9.9"}, "203.0.113.9"},
		"a proxy that says nothing": {"10.1.2.3:1234", nil, "10.1.2.3"},
		"nonsense":                  {"10.1.2.3:1234", []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		"proxies alone":             {"10.1.2.3:1234", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		"with a port":               {"10.1.2.3:1234", []string{"203.0.113.9:5678"}, "203.0.113.9"},
		"IPv6":                      {"[2001:db8:1:2:3:4:5:6]:1234", nil, "2001:db8:1:2::/64"},
		"IPv6 of the same customer": {"[2001:db8:1:2:ffff::1]:1234", nil, "2001:db8:1:2::/64"},
		"IPv6 behind a proxy": {"[2001:db8:ffff::1]:1234",
			[]string{"[2001:db8:1:2::9]:80"}, "2001:db8:1:2::/64"},
		"IPv4 in IPv6":           {"[::ffff:198.51.100.1]:1234", nil, "198.51.100.1"},
		"a proxy's IPv4 in IPv6": {"[::ffff:10.1.2.3]:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"with a zone":            {"[fe80::1%eth0]:1234", nil, "fe80::/64"},
		"a socket":               {"@", []string{"203.0.113.9"}, "@"},
	} {
		r := httptest.NewRequest("POST", "/v1/sessions", nil)
		r.RemoteAddr = c.peer
		for _, line := range c.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		a := &server{trustedProxies: proxies}
		if got := a.sourceOf(&request{Context: t.Context(), http: r}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, list := range []string{"10.0.0.0/33", "proxy.example", "10.0.0.0/8;10.1.0.0/16"} {
		if _, err := ParseProxies(list); err == nil {
			t.Errorf("%q is accepted", list)
		}
	}
}
