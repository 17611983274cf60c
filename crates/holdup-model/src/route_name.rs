//! The name of a route.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A method and the pattern of a route, written as `GET /users/{id}`. As JSON, it is that text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RouteName {
    /// The method; `OTHER` for one that is not in the HTTP standard.
    pub method: String,
    /// The pattern, such as `/users/{id}`; `unmatched` where no route matched.
    pub route: String,
}

impl RouteName {
    /// A route's name.
    pub fn new(method: impl Into<String>, route: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            route: route.into(),
        }
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.route)
    }
}

impl Serialize for RouteName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RouteName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let Some((method, route)) = name.split_once(' ') else {
            let allowed = "allowed: a method and a pattern, such as \"GET /users/{id}\"";
            return Err(D::Error::custom(format!(
                "the route is {name:?}; {allowed}"
            )));
        };
        Ok(Self::new(method, route))
    }
}
