//! Which package lives where: `package=http://a:1,http://b:2;other.package=http://c:3`.

use std::str::FromStr;

use mesh::client::PeerList;
use thiserror::Error;

/// Packages and the addresses of their instances, in the order they were written. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes(Vec<(String, PeerList)>);

/// A text that is not a list of routes.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotRoutes {
    /// A part is not `package=addresses`.
    #[error("{0:?} is not of the form package=http://a:1,http://b:2")]
    Part(String),
    /// A package stands twice.
    #[error("the package {0} stands twice")]
    Twice(String),
}

impl Routes {
    /// Packages and addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PeerList)> {
        self.0
            .iter()
            .map(|(package, peers)| (package.as_str(), peers))
    }
}

impl FromStr for Routes {
    type Err = NotRoutes;

    fn from_str(text: &str) -> Result<Self, NotRoutes> {
        let mut routes: Vec<(String, PeerList)> = Vec::new();
        let parts = text.trim_end_matches(';').split(';').map(str::trim);
        for part in parts {
            let wrong = || NotRoutes::Part(part.to_owned());
            let (package, peers) = part.split_once('=').ok_or_else(wrong)?;
            let package = package.trim();
            let peers = peers.parse().map_err(|_| wrong())?;
            if package.is_empty() {
                return Err(wrong());
            }
            if routes.iter().any(|(known, _)| known == package) {
                return Err(NotRoutes::Twice(package.to_owned()));
            }
            routes.push((package.to_owned(), peers));
        }
        Ok(Self(routes))
    }
}

#[cfg(test)]
mod tests {
    use super::{NotRoutes, Routes};

    #[test]
    fn packages_and_addresses_are_read() {
        let routes: Routes = "a.v1=http://x:1,http://y:2; b.v1=http://z:3;"
            .parse()
            .unwrap();
        let read: Vec<_> = routes
            .iter()
            .map(|(package, peers)| (package, peers.addresses().len()))
            .collect();
        assert_eq!(read, [("a.v1", 2), ("b.v1", 1)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in [
            "",
            "a.v1",
            "a.v1=",
            "=http://x:1",
            "a.v1=x:1",
            "a.v1=http://x:1;;b.v1=http://x:1",
        ] {
            assert!(
                matches!(wrong.parse::<Routes>(), Err(NotRoutes::Part(_))),
                "{wrong}"
            );
        }
        let twice = "a.v1=http://x:1;a.v1=http://y:1".parse::<Routes>();
        assert_eq!(twice, Err(NotRoutes::Twice("a.v1".to_owned())));
    }
}
