//! Which addresses are the public internet. Sources: RFC 6890, and IANA's registries of special-purpose
//! addresses for IPv4 and IPv6 that it began; what they do not call globally reachable is refused, and so
//! is what is deprecated or only another way to write an address.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix_len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len)
}

const fn v6(a: u16, b: u16, c: u16, prefix_len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix_len)
}

const NOT_PUBLIC_V4: [Ipv4Net; 17] = [
    v4(0, 0, 0, 0, 8),          // this network, and "unspecified", which reaches this machine
    v4(10, 0, 0, 0, 8),         // private
    v4(100, 64, 0, 0, 10),      // shared by carriers; a cloud's metadata too
    v4(127, 0, 0, 0, 8),        // loopback
    v4(168, 63, 129, 16, 32),   // by its number public, but a cloud's host answers there
    v4(169, 254, 0, 0, 16),     // link-local; most clouds' metadata
    v4(172, 16, 0, 0, 12),      // private
    v4(192, 0, 0, 0, 24),       // protocol assignments; a cloud's metadata too
    v4(192, 0, 2, 0, 24),       // documentation
    v4(192, 88, 99, 0, 24),     // relays to 6to4, deprecated by RFC 7526
    v4(192, 168, 0, 0, 16),     // private
    v4(198, 18, 0, 0, 15),      // benchmarks
    v4(198, 51, 100, 0, 24),    // documentation
    v4(203, 0, 113, 0, 24),     // documentation
    v4(224, 0, 0, 0, 4),        // multicast
    v4(240, 0, 0, 0, 4),        // reserved
    v4(255, 255, 255, 255, 32), // broadcast
];

/// All that is handed out as global unicast (RFC 4291, section 2.4). What is outside is loopback,
/// link-local, unique local, multicast, IPv4 in disguise, or nobody's.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23), // protocol assignments, Teredo among them, which carries IPv4 addresses
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16), // 6to4, which carries IPv4 addresses
    v6(0x3fff, 0, 0, 20), // documentation (RFC 9637)
];
/// How networks without IPv4 reach it (RFC 6052): public if the address that it carries is.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// Whether an address belongs to the public internet, whatever way it is written.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// Whether a request may go there: to the public, or where the operator says. An IPv4 address that is
/// written as IPv6 is the IPv4 address.
pub(super) fn is_allowed(address: IpAddr, private_addresses: &[IpNet]) -> bool {
    let address = address.to_canonical();
    is_public(address) || private_addresses.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "\
        1.1.1.1 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 \
        126.255.255.255 128.0.0.0 168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 \
        172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 \
        223.255.255.255 2606:4700:4700::1111 2001:4860:4860::8888 2a00::1 ::ffff:1.1.1.1 \
        64:ff9b::1.1.1.1";
    const NOT_PUBLIC: &str = "\
        0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 \
        168.63.129.16 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 \
        192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 \
        239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::1.1.1.1 \
        ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 \
        64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1.1.1.1 100::1 2001::1 \
        2001:0:7f00:1:: 2001:10::1 2001:db8::1 2002:7f00:1::1 2002:101:101::1 3fff::1 \
        4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1";

    #[test]
    fn only_the_public_internet_is_public() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        for text in PUBLIC.split_whitespace() {
            assert!(is_public(parse(text)), "{text}");
        }
        for text in NOT_PUBLIC.split_whitespace() {
            assert!(!is_public(parse(text)), "{text}");
        }
    }

    #[test]
    fn the_operator_names_what_else_may_be_reached() {
        let named: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (text, expected) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("fd00:ec2::254", true),
            ("1.1.1.1", true),
            ("10.0.0.1", false),
            ("::1", false),
            ("2002:7f00:1::1", false),
            ("64:ff9b::127.0.0.1", false),
        ] {
            assert_eq!(is_allowed(text.parse().unwrap(), &named), expected, "{text}");
        }
    }

    /// The standard library's own notions, where it has some, are a second opinion: on every network of 256
    /// addresses, in each of the ways to write it.
    #[test]
    fn nothing_that_std_calls_local_is_public() {
        for bits in (0..=u32::MAX).step_by(256) {
            let address = Ipv4Addr::from_bits(bits);
            let local = address.is_private() || address.is_loopback() || address.is_link_local();
            let special = address.is_multicast() || address.is_documentation() || address.octets()[0] == 0;
            let public = is_public(address.into());
            assert!(!(public && (local || special)), "{address}");
            let nat64 = Ipv6Addr::from_bits(NAT64.addr().to_bits() | u128::from(bits));
            assert_eq!(is_public(address.to_ipv6_mapped().into()), public, "{address}");
            assert_eq!(is_public(nat64.into()), public, "{nat64}");
            assert!(!is_public(Ipv6Addr::from_bits(u128::from(bits)).into()), "{address}");
        }
    }

    #[test]
    fn only_global_unicast_is_public() {
        for first in 0..=u16::MAX {
            for rest in [0, 1, 0x7f00_0001, u128::MAX >> 16] {
                let address = Ipv6Addr::from_bits(u128::from(first) << 112 | rest);
                let unicast = first >> 13 == 1;
                assert!(unicast || !is_public(address.into()), "{address}");
                let local = address.is_unique_local() || address.is_unicast_link_local();
                assert!(!(local || address.is_multicast()) || !is_public(address.into()), "{address}");
            }
        }
    }
}
