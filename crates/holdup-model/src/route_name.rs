//! The name of a route.

use std::fmt;

use serde::{Serialize, Serializer};

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
