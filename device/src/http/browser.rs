//! What a page of another site may make a browser on this machine ask for: nothing.
//!
//! Without a token whoever reaches the port is answered, and a browser reaches it for any page that it shows. Such a page
//! can send requests (though not read the answers) as its own site, and can read the answers too once it points a name
//! of its own at this machine. The first shows in `Origin`, the second in `Host`; a page can forge neither. Where there is
//! a token no page can send it: a browser asks first whether it may (Fetch 3.2), and gets no such permission here.

use super::request::{Method, Request};
use std::net::IpAddr;

/// Why a request that brings no token is not answered.
pub(super) fn objection(request: &Request) -> Option<&'static str> {
    let host = request.host.as_deref();
    if host.is_some_and(|host| !is_this_machine(host)) {
        return Some("ask for it as localhost or 127.0.0.1; for any other name set http.token_file");
    }
    let is_foreign = |origin: &str| origin.strip_prefix("http://").is_none_or(|site| Some(site) != host);
    let is_asked_elsewhere = request.origin.as_deref().is_some_and(is_foreign);
    (request.method == Method::Post && is_asked_elsewhere).then_some("a page of another site may not do that")
}

/// Whether a `Host` (RFC 9110 7.2) is an address that never leaves this machine, or the name that stands for one.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(method: Method, host: Option<&str>, origin: Option<&str>) -> bool {
        let (host, origin) = (host.map(str::to_owned), origin.map(str::to_owned));
        let request =
            Request { method, path: "/".into(), host, origin, token: None, body: vec![], keep_alive: true };
        objection(&request).is_some()
    }

    #[test]
    fn names_that_a_page_may_have_pointed_here_are_refused_whatever_is_asked() {
        for own in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.8.8.8:1",
            "[::1]",
            "[::1]:8080",
        ] {
            assert!(!objects(Method::Get, Some(own), None), "{own}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8080",
            "192.0.2.1:8080",
            "0.0.0.0:8080",
            "[::]:8080",
            "[::1",
            "localhost:",
            "localhost:80:80",
            "localhost@evil.example",
        ] {
            for method in [Method::Get, Method::Head, Method::Post] {
                assert!(objects(method, Some(other), None), "{other}");
            }
        }
    }

    #[test]
    fn a_page_of_another_site_may_look_but_not_do_and_our_own_page_and_tools_may() {
        let own = Some("127.0.0.1:8080");
        let posts = |origin| objects(Method::Post, own, origin);
        assert!(!posts(None), "a tool");
        assert!(!posts(Some("http://127.0.0.1:8080")), "our page");
        for other in [
            "http://evil.example",
            "null",
            "",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:80",
            "http://localhost:8080",
        ] {
            assert!(posts(Some(other)), "{other}");
            // What is read by another site's page its browser keeps from it.
            assert!(!objects(Method::Get, own, Some(other)), "{other}");
        }
        assert!(objects(Method::Post, None, Some("http://evil.example")));
        assert!(!objects(Method::Post, None, None));
    }
}
