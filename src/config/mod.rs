//! The configuration: text to tree to valid types, every fault with its place.

mod settings;
mod words;
mod quantity;
mod tree;
mod raw;
mod schema;

pub use schema::schema;
pub use settings::{
    AdminSettings, Config, CredentialSettings, FileStore, Limits, Listen, ListenAddress, OnNoProvider,
    ProviderEntry, ServerTls,
};

#[cfg(test)]
mod probe {
    #[test]
    fn probe() {
        println!("{}", serde_json::to_string_pretty(&super::schema()).unwrap());
        for text in ["a: 1\nb:\n  - x\n  - {c: d}\n", "", "a: [1", "a: 1\na: 2\n1: x\n", "---\na: 1\n---\nb: 2\n", "\u{feff}a: b", "x: &a [1]\ny: *a\n", "a: !x 1\n", "<<: {a: 1}\n", "a: 0x10\nb: 1_0\nc: .inf\nd:\ne: ~\n", "a:\n  b:\n", "@foo", "a: *nope", "a: é\nüb: c"] {
            println!("{text:?} {:?}", super::tree::parse(text));
        }
        let v = super::schema::Form::Document.validator().unwrap();
        let j = serde_json::json!({"listen": {"grpc": [5], "x": 1}, "callers": {}, "providers": [{"provider": 1, "auth_type": "x", "match": {"bla": 1, "metadata": {}}}], "limits": {"max_body": "x", "max_streams": 0}, "mfa": null, "admin": 5});
        for e in v.iter_errors(&j) { println!("{} | {} | {:?}", e.instance_path(), e.schema_path(), e.kind()); }
        let v = super::schema::Form::Entry.validator().unwrap();
        for e in v.iter_errors(&j) { println!("{} | {} | {:?}", e.instance_path(), e.schema_path(), e.kind()); }
    }
}
