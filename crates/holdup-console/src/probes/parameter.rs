//! The query parameters of a button that the user of the page can set, and their bounds.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

/// A query parameter that the user of the page sets. The server checks that it is in bounds.
///
/// ```
/// use std::time::Duration;
///
/// use holdup_console::{Button, Parameter};
///
/// let days = Parameter::integer("days", 1..=90).default(7).label("how many days");
/// let wait = Parameter::duration("wait", Duration::ZERO..=Duration::from_secs(2));
/// let button = Button::new("/report").parameter(days).parameter(wait);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a parameter is for a button"]
pub struct Parameter<T> {
    rule: Rule,
    value: PhantomData<T>,
}

impl Parameter<u64> {
    /// A whole number in this range. The default is the smallest one.
    pub fn integer(name: impl Into<String>, range: RangeInclusive<u64>) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name.into(), "integer", (min.into(), max.into()))
    }

    /// Sets the default value.
    pub fn default(mut self, value: u64) -> Self {
        self.rule.default = value.into();
        self
    }

    /// Sets the values that the page offers.
    pub fn suggest(mut self, values: impl IntoIterator<Item = u64>) -> Self {
        self.rule.suggestions = values.into_iter().map(Value::from).collect();
        self
    }
}

impl Parameter<Duration> {
    /// A duration in whole milliseconds, written into the query as `500ms` or `2s`. The default is
    /// the shortest one in the range.
    pub fn duration(name: impl Into<String>, range: RangeInclusive<Duration>) -> Self {
        let (min, max) = range.into_inner();
        Self::new(name.into(), "duration", (min.into(), max.into()))
    }

    /// Sets the default value.
    pub fn default(mut self, value: Duration) -> Self {
        self.rule.default = value.into();
        self
    }

    /// Sets the values that the page offers.
    pub fn suggest(mut self, values: impl IntoIterator<Item = Duration>) -> Self {
        self.rule.suggestions = values.into_iter().map(Value::from).collect();
        self
    }
}

impl<T> Parameter<T> {
    fn new(name: String, kind: &'static str, (min, max): (Value, Value)) -> Self {
        let rule = Rule {
            label: name.clone(),
            name,
            kind,
            default: min.clone(),
            min,
            max,
            suggestions: Vec::new(),
        };
        let value = PhantomData;
        Self { rule, value }
    }

    /// Sets the name that the page shows. The default is the parameter's own name.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.rule.label = label.into();
        self
    }

    pub(super) fn into_rule(self) -> Rule {
        self.rule
    }
}

/// A parameter of either type.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rule {
    pub(super) name: String,
    label: String,
    kind: &'static str,
    min: Value,
    max: Value,
    pub(super) default: Value,
    suggestions: Vec<Value>,
}

/// Names that a parameter cannot have, because they are fields of an order for a probe.
pub(super) const FIELDS: [&str; 2] = ["button", "requests"];

impl Rule {
    /// Returns what is wrong with the parameter, if it cannot be used.
    pub(super) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(plain) || FIELDS.contains(&name.as_str()) {
            return Err(format!(
                "its parameter {name:?} has a name that cannot be used; allowed: letters, digits, \
                 '_', '-' and '.', but neither \"button\" nor \"requests\""
            ));
        }
        let all = self.suggestions.iter().chain([&self.default]);
        if let Some(value) = all.into_iter().find(|value| !self.has(value)) {
            return Err(format!(
                "its parameter {name} has the default or suggestion {value}; allowed: {}",
                self.allowed()
            ));
        }
        Ok(())
    }

    /// The value in an order, or the default if the order has none.
    ///
    /// # Errors
    ///
    /// Returns what was given and what is allowed, when the value is out of range or malformed.
    pub(super) fn read(&self, given: Option<&Json>) -> Result<Value, (String, String)> {
        let given = match given {
            None | Some(Json::Null) => return Ok(self.default.clone()),
            Some(given) => given,
        };
        let value = match self.min {
            Value::Integer(_) => given.as_u64().map(Value::Integer),
            Value::Duration(_) => given
                .as_str()
                .and_then(|text| humantime::parse_duration(text).ok())
                .map(Value::Duration),
        };
        value.filter(|value| self.has(value)).ok_or_else(|| {
            let given = given
                .as_str()
                .map_or_else(|| given.to_string(), str::to_owned);
            (given, self.allowed())
        })
    }

    fn has(&self, value: &Value) -> bool {
        (&self.min..=&self.max).contains(&value) && value.is_whole()
    }

    fn allowed(&self) -> String {
        format!("{} to {}", self.min, self.max)
    }
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Value {
    Integer(u64),
    Duration(Duration),
}

impl Value {
    /// Whether the value can be written in a query, which has durations in whole milliseconds.
    fn is_whole(&self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Duration(duration) => duration.subsec_nanos() % 1_000_000 == 0,
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::Duration(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Duration(value) if value.subsec_nanos() == 0 && !value.is_zero() => {
                write!(f, "{}s", value.as_secs())
            }
            Self::Duration(value) => write!(f, "{}ms", value.as_millis()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(value) => serializer.serialize_u64(*value),
            Self::Duration(_) => serializer.collect_str(self),
        }
    }
}

/// The values of a button's parameters, for [`Button::expects`](crate::Button::expects).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values(pub(super) Vec<(String, Value)>);

impl Values {
    /// The value of an [integer](Parameter::integer) parameter.
    ///
    /// # Panics
    ///
    /// Panics when the button has no such parameter.
    #[track_caller]
    pub fn integer(&self, name: &str) -> u64 {
        match self.get(name) {
            Some(Value::Integer(value)) => *value,
            _ => panic!("the button has no integer parameter {name:?}"),
        }
    }

    /// The value of a [duration](Parameter::duration) parameter.
    ///
    /// # Panics
    ///
    /// Panics when the button has no such parameter.
    #[track_caller]
    pub fn duration(&self, name: &str) -> Duration {
        match self.get(name) {
            Some(Value::Duration(value)) => *value,
            _ => panic!("the button has no duration parameter {name:?}"),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value)
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            write!(f, "{before}{name}={value}")?;
        }
        Ok(())
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
