//! A machine that can be reached by `ssh`, by the name that an operator or a site gives it.

use std::fmt;
use std::str::FromStr;

/// Where to connect: a host's name, its address, or a name of the SSH client's configuration, with a user before it
/// where wanted. Never anything that `ssh` could take for an option or a command.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
        let word = |text: &str, more: &str, most: usize| {
            (1..=most).contains(&text.len())
                && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let named = || word(host, "-_.", 253) && host.split('.').all(|l| !l.is_empty() && !l.ends_with('-'));
        // An IPv6 address, with the interface that a link-local one needs.
        let numbered = || {
            let (address, zone) = host.split_once('%').map_or((host, None), |(a, z)| (a, Some(z)));
            address.parse::<std::net::Ipv6Addr>().is_ok() && zone.is_none_or(|zone| word(zone, "-_.", 32))
        };
        if user.is_some_and(|user| !word(user, "-_.", 64)) || !(named() || numbered()) {
            return Err("wanted a host's name or address like web-01.example.org, or USER@HOST".into());
        }
        Ok(Self(text.to_owned()))
    }
}

impl HostName {
    /// Without the user before it.
    pub fn host(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(_, host)| host)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_hosts_and_nothing_else_is() {
        for good in ["web-01", "web_01.example.org", "root@web-01", "10.1.2.3", "::1", "fe80::1%eth0", "a"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "",
            "-oProxyCommand=x",
            "-l",
            "web 01",
            "web-01;id",
            "web$(id)",
            "`id`",
            "a@-b",
            "@web",
            "root@",
            "-u@web",
            "a@b@c d",
            "web\n",
            "web..org",
            "web-.org",
            ".web",
            "web/..",
            "[::1]",
            "::g",
            "fe80::1%-x",
            "wéb",
            "a:22",
            "~",
            "*",
            "ssh://web",
            &long,
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }
}
