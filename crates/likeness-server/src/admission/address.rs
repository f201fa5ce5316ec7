//! Finds the address of a request's client: the peer, or the hop that a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Returns the address of the client. If the peer is a trusted proxy, that is the right-most hop of
/// `X-Forwarded-For` that is no trusted proxy. Earlier hops may be forged by the client and are ignored.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut last = peer.to_canonical();
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let hops = values.iter().rev().flat_map(|value| value.to_str().unwrap_or("").rsplit(','));
    for hop in hops {
        if !is_trusted(&last) {
            break;
        }
        // A hop that is no address ends the search: the last proxy counts as the client.
        let Some(address) = address(hop.trim()) else { break };
        last = address;
    }
    last
}

fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let parsed = bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// Returns the address under which limits count. For IPv6 the unit is the network of 64 bits, which usually belongs to
/// one customer.
pub fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_hop_is_never_believed() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        let table: [(&str, &[&str], &str); 12] = [
            ("192.0.2.1", &[], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ];
        let mut wrong = Vec::new();
        for (peer, hops, expected) in table {
            let mut headers = HeaderMap::new();
            for hop in hops {
                headers.append("x-forwarded-for", hop.parse().unwrap());
            }
            let found = client(peer.parse().unwrap(), &headers, &trusted);
            if found.to_string() != expected {
                wrong.push(format!("{peer} {hops:?}: expected {expected}, found {found}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn one_customers_network_counts_as_one() {
        let one = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(one("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(one("192.0.2.1"), "192.0.2.1");
    }
}
