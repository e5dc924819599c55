//! Which addresses a request may reach.

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_metadata_services_are_out_of_the_world_s_reach_however_they_are_written() {
    for text in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:42::42",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ] {
        assert!(!Reach::World.has(address(text)), "{text}");
    }
    for text in ["192.0.2.1", "10.0.0.1", "127.0.0.1", "::1", "2001:db8::1", "fd00::1", "100.100.100.201"] {
        assert!(Reach::World.has(address(text)), "{text}");
    }
}

#[test]
fn metadata_reaches_the_machine_s_own_services_and_nothing_else() {
    for text in ["169.254.169.254", "169.254.170.23", "fd00:ec2::254", "fd20:ce::254", "127.0.0.1", "::1"] {
        assert!(Reach::Metadata.has(address(text)), "{text}");
    }
    for text in
        ["192.0.2.1", "10.0.0.1", "0.0.0.0", "224.0.0.1", "2001:db8::1", "::ffff:169.254.169.254", "fd00::1"]
    {
        assert!(!Reach::Metadata.has(address(text)), "{text}");
    }
}

#[test]
fn what_an_url_shows_is_judged_before_anything_is_looked_up() {
    use OutboundError::{Forbidden, InsecureUrl};
    for (reach, url, expected) in [
        (Reach::World, "https://idp.example/", Ok(())),
        (Reach::World, "https://169.254.169.254/", Err(Forbidden)),
        (Reach::World, "https://[fd00:ec2::254]/", Err(Forbidden)),
        (Reach::World, "https://[::ffff:169.254.169.254]/", Err(Forbidden)),
        // The URL parser knows every spelling of an IPv4 address.
        (Reach::World, "https://2852039166/", Err(Forbidden)),
        (Reach::World, "https://0xa9.254.0251.0376/", Err(Forbidden)),
        (Reach::World, "https://0/", Err(Forbidden)),
        (Reach::World, "http://169.254.169.254/", Err(InsecureUrl)),
        (Reach::World, "http://metadata.google.internal/", Err(InsecureUrl)),
        (Reach::World, "http://localhost./", Ok(())),
        (Reach::World, "https://user@idp.example/", Err(InsecureUrl)),
        (Reach::World, "ftp://127.0.0.1/", Err(InsecureUrl)),
        (Reach::Metadata, "http://169.254.169.254/", Ok(())),
        (Reach::Metadata, "http://metadata.google.internal/", Ok(())),
        (Reach::Metadata, "http://127.0.0.1:40342/", Ok(())),
        (Reach::Metadata, "http://10.0.0.1/", Err(Forbidden)),
        (Reach::Metadata, "http://user:password@169.254.169.254/", Err(InsecureUrl)),
        (Reach::Metadata, "file:///etc/passwd", Err(InsecureUrl)),
    ] {
        assert_eq!(reach.check(&Url::parse(url).unwrap()), expected, "{reach:?} {url}");
    }
}

fn names(reach: Reach, found: &'static [&'static str]) -> Filter {
    let found: Vec<_> = found.iter().map(|text| SocketAddr::new(address(text), 0)).collect();
    Filter::new(
        reach,
        Arc::new(move |_| {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        }),
    )
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    let resolve = async |filter: Filter| {
        let found = filter.resolve("idp.example".parse().unwrap()).await;
        found.map(|found| found.map(|address| address.ip().to_string()).collect::<Vec<_>>())
    };
    let mixed = ["169.254.169.254", "192.0.2.1", "fe80::1"];
    assert_eq!(resolve(names(Reach::World, &["192.0.2.1"])).await.unwrap(), ["192.0.2.1"]);
    assert_eq!(resolve(names(Reach::Metadata, &["169.254.169.254"])).await.unwrap(), ["169.254.169.254"]);
    let found = resolve(names(Reach::World, Box::leak(Box::new(mixed)))).await.unwrap();
    assert_eq!(found, ["192.0.2.1"], "the rest is dropped");
    for (reach, found) in [
        (Reach::World, &["169.254.169.254", "fd00:ec2::254"][..]),
        (Reach::Metadata, &["192.0.2.1"]),
        (Reach::Metadata, &["10.0.0.1", "2001:db8::1"]),
    ] {
        assert!(resolve(names(reach, found)).await.unwrap_err().is::<Forbidden>(), "{found:?}");
    }
    assert!(resolve(names(Reach::World, &[])).await.unwrap().is_empty());
}

#[tokio::test]
async fn localhost_is_this_machine_without_asking_anybody() {
    let found: Vec<_> = system()("localhost".to_owned()).await.unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback()) && found.len() == 2);
}
