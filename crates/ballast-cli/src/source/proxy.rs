//! Selects a connection's proxy: `HTTPS_PROXY` for https, `HTTP_PROXY` for http, `ALL_PROXY`
//! for both, unless `NO_PROXY` names the host. Names in lower case count too.
//!
//! Promise: a proxy's own password is not sent unencrypted, and connections to this machine do not
//! leave it. Every connection is a tunnel (CONNECT). Pure but for the environment that it gets.

use std::net::IpAddr;

use ureq::Proxy;

use super::address::{Address, Clear, Refused};
use super::fault::Fault;

/// The proxies of an environment.
pub struct Proxies {
    https: Option<Gateway>,
    http: Option<Gateway>,
    direct: Vec<String>,
}

/// A proxy, and whether it is this machine.
#[derive(Clone)]
struct Gateway {
    proxy: Proxy,
    here: bool,
}

impl Proxies {
    /// Reads the variables.
    ///
    /// # Errors
    /// The variable, and what is wrong with it; its value is not printed.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| {
            let values = [name.to_owned(), name.to_lowercase()].map(|name| env(&name));
            values.into_iter().flatten().find(|value| !value.is_empty())
        };
        let gateway =
            |name: &str| set(name).map(|value| gateway(&value).map_err(|why| format!("{name}: {why}"))).transpose();
        let all = gateway("ALL_PROXY")?;
        let direct = set("NO_PROXY").unwrap_or_default();
        Ok(Self {
            https: gateway("HTTPS_PROXY")?.or_else(|| all.clone()),
            http: gateway("HTTP_PROXY")?.or(all),
            direct: direct.split(',').map(|entry| entry.trim().to_ascii_lowercase()).collect(),
        })
    }

    /// The proxy for an address; none if the address is reached directly.
    ///
    /// # Errors
    /// The errors of the client, which takes no such proxy.
    pub fn of(&self, to: &Address) -> Result<Option<Proxy>, Fault> {
        let gateway = if to.is_tls() { &self.https } else { &self.http };
        let used = gateway.as_ref().filter(|gateway| gateway.here || !to.is_here());
        Ok(used.filter(|_| !self.is_direct(to.host())).map(|gateway| gateway.proxy.clone()))
    }

    fn is_direct(&self, host: &str) -> bool {
        self.direct.iter().any(|entry| covers(entry, host.trim_matches(['[', ']'])))
    }
}

fn gateway(value: &str) -> Result<Gateway, String> {
    let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    // A password in the proxy's address is refused, unless the connection to the proxy is encrypted or local.
    let (address, _) = Address::named(&text, Clear::Named).map_err(|why| match why {
        Refused::Secret(_) => "the proxy's password would be sent unencrypted: name the proxy by https://".to_owned(),
        why => why.to_string(),
    })?;
    let proxy = Proxy::new(&text).map_err(|_| "expected a proxy of http or https".to_owned())?;
    Ok(Gateway { proxy, here: address.is_here() })
}

/// Returns whether an entry of `NO_PROXY` names this host: itself, a domain above it, or a network.
fn covers(entry: &str, host: &str) -> bool {
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    let below = || host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    match (entry.split_once('/'), host.parse::<IpAddr>()) {
        _ if entry == "*" => true,
        (Some((network, bits)), Ok(address)) => in_network(network, bits, address).unwrap_or(false),
        (None, Ok(address)) => entry.parse() == Ok(address),
        (_, Err(_)) => !domain.is_empty() && below(),
    }
}

fn in_network(network: &str, bits: &str, address: IpAddr) -> Option<bool> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
        IpAddr::V6(six) => (six.to_bits(), 128),
    };
    let ((one, wide), (other, as_wide)) = (number(network.parse().ok()?), number(address));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= wide)?;
    let differ = (one ^ other).checked_shr(128 - bits).unwrap_or(0);
    Some(wide == as_wide && differ == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn proxies(env: Variables) -> Result<Proxies, String> {
        Proxies::from_env(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    /// Variables, an address, and the proxy's port; 0 is none.
    #[test]
    fn each_scheme_has_its_proxy_and_this_machine_is_reached_through_none_elsewhere() {
        let (one, two, near) = ("http://one.example:1", "http://two.example:2", "http://127.0.0.1:3");
        let rows: [(Variables, &str, u16); 14] = [
            (&[("HTTPS_PROXY", one), ("HTTP_PROXY", two)], "https://reg.example/", 1),
            (&[("HTTPS_PROXY", one), ("HTTP_PROXY", two)], "http://reg.example/", 2),
            (&[("https_proxy", one)], "https://reg.example/", 1),
            (&[("HTTPS_PROXY", one)], "http://reg.example/", 0),
            (&[("ALL_PROXY", one)], "http://reg.example/", 1),
            (&[("ALL_PROXY", one), ("HTTPS_PROXY", two)], "https://reg.example/", 2),
            (&[("ALL_PROXY", one)], "http://127.0.0.1:5000/", 0),
            (&[("ALL_PROXY", one)], "https://localhost/", 0),
            (&[("ALL_PROXY", near)], "http://127.0.0.1:5000/", 3),
            (&[("ALL_PROXY", "one.example:1")], "https://reg.example/", 1),
            (&[("ALL_PROXY", "")], "https://reg.example/", 0),
            (&[("ALL_PROXY", one), ("NO_PROXY", "other.example, reg.example")], "https://reg.example/", 0),
            (&[("ALL_PROXY", one), ("NO_PROXY", "10.0.0.0/8")], "https://10.1.2.3/", 0),
            (&[("ALL_PROXY", one), ("no_proxy", "[::1]")], "https://reg.example/", 1),
        ];
        let found = |env: Variables, to: &str| {
            let (to, _) = Address::named(to, Clear::Named).unwrap_or_else(|why| panic!("{to}: {why}"));
            let proxies = proxies(env).unwrap_or_else(|why| panic!("{env:?}: {why}"));
            proxies.of(&to).map(|proxy| proxy.map_or(0, |proxy| proxy.port())).unwrap_or(u16::MAX)
        };
        let wrong: Vec<_> = rows.iter().filter(|(env, to, port)| found(env, to) != *port).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_proxys_password_does_not_go_in_the_clear_and_is_not_printed() {
        let rows = [
            ("http://user:s3cret@proxy.example:3128", false),
            ("user:s3cret@proxy.example:3128", false),
            ("https://user:s3cret@proxy.example:3128", true),
            ("http://user:s3cret@127.0.0.1:3128", true),
            ("http://proxy.example:3128", true),
            ("ftp://s3cret.example", false),
        ];
        let judged = |value: &str| proxies(&[("HTTPS_PROXY", value)]).map(|_| ());
        let wrong: Vec<_> = rows
            .iter()
            .map(|(value, right)| (value, right, judged(value)))
            .filter(|(_, right, found)| found.is_ok() != **right || format!("{found:?}").contains("s3cret"))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn an_entry_of_no_proxy_names_a_host_a_domain_or_a_network() {
        let rows = [
            ("*", "reg.example", true),
            ("reg.example", "reg.example", true),
            ("example", "reg.example", true),
            (".example", "reg.example", true),
            ("*.example", "reg.example", true),
            ("xample", "reg.example", false),
            ("", "reg.example", false),
            (".", "reg.example", false),
            ("127.0.0.0/8", "127.0.0.1", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("0.0.0.0/0", "128.0.0.1", true),
            ("0.0.0.0/33", "128.0.0.1", false),
            ("::/0", "128.0.0.1", false),
            ("fd00::/8", "fd12::1", true),
            ("128.0.0.1", "128.0.0.1", true),
            ("0.0.0.1", "128.0.0.1", false),
            ("10.0.0.0/8", "reg.example", false),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(entry, host, covered)| covers(entry, host) != *covered).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
