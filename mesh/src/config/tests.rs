use std::net::SocketAddr;

use super::*;

const PORT: Variable = Variable::required("USHER_PORT", "a number");
const KEY: Variable = Variable::required("USHER_KEY", "a number nobody may see").secret();
const HOST: Variable = Variable::with_default("USHER_HOST", "127.0.0.1:1", "an address");

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(env: &dyn Env) -> Result<(u16, u16, SocketAddr), Mistakes> {
    load(env, |reader| {
        let (port, key, host) = (reader.read(&PORT), reader.read(&KEY), reader.read(&HOST));
        Ok((port?, key?, host?))
    })
}

#[test]
fn defaults_fill_what_is_absent() {
    let (port, key, host) = read(&env(&[("USHER_PORT", "7"), ("USHER_KEY", "8")])).unwrap();
    assert_eq!((port, key, host.port()), (7, 8, 1));
}

#[test]
fn every_mistake_is_told_at_once_and_no_secret_is_shown() {
    let wrong = env(&[
        ("USHER_PORT", "many"),
        ("USHER_KEY", "hunter2"),
        ("USHER_HOST", "here"),
    ]);
    let Mistakes(mistakes) = read(&wrong).unwrap_err();
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert!(
        mistakes[0].contains("USHER_PORT") && mistakes[0].contains("many"),
        "{mistakes:?}"
    );
    assert!(!mistakes[1].contains("hunter2"), "{mistakes:?}");
}

#[test]
fn an_empty_value_counts_as_absent() {
    let Mistakes(mistakes) = read(&env(&[("USHER_PORT", ""), ("USHER_KEY", "1")])).unwrap_err();
    assert_eq!(mistakes, ["USHER_PORT is not set (a number)"]);
}

#[test]
fn a_secret_does_not_print() {
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
}
