use super::super::fixture;
use super::*;

/// Writes pages to look at.
#[test]
fn pages_to_look_at() {
    let missed = [Missed::MaxErrors { measured: 3, allowed: 0 }];
    let folder = std::path::Path::new("/tmp/look");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("calm.html"), html(&fixture::calm(), &[])).unwrap();
    std::fs::write(folder.join("troubled.html"), html(&fixture::troubled(), &missed)).unwrap();
    std::fs::write(folder.join("three.html"), html(&fixture::three(), &missed)).unwrap();
    std::fs::write(folder.join("nothing.html"), html(&fixture::nothing(), &[Missed::NoRequests])).unwrap();
    for (name, summary) in [
        ("calm", fixture::calm()),
        ("troubled", fixture::troubled()),
        ("three", fixture::three()),
        ("nothing", fixture::nothing()),
    ] {
        std::fs::write(
            folder.join(format!("{name}.txt")),
            super::super::text(&summary, &missed, super::super::Ink::Colour),
        )
        .unwrap();
        std::fs::write(folder.join(format!("{name}.json")), super::super::json(&summary, &missed)).unwrap();
    }
}
